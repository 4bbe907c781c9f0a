"""A database that nobody writes: that of a folder at rest, or a copy of a running process's."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@contextmanager
def snapshot(
    data: Path, database: str, told: Callable[[int, int], None], *, name: str
) -> Iterator[Path]:
    """Where it is. The folder is locked meanwhile; a copy, called `name` in it, goes at the end.

    Raises StoreError, Refused.
    """
    import msgspec

    from engine.cli.running import Running, database_at_rest, reach
    from engine.store.backup import Backup

    place = reach(data)
    if not isinstance(place, Running):
        try:
            yield database_at_rest(data, database)
        finally:
            place.release()
        return
    copy = (data / name).absolute()
    try:
        body = msgspec.json.encode({"path": str(copy), "force": True})
        place.follow("POST", "api", "backup", body=body, form=Backup, on_progress=told)
        yield copy
    finally:
        for end in ("", "-wal", "-shm"):
            copy.with_name(copy.name + end).unlink(missing_ok=True)
