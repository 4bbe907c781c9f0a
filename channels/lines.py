"""A file of JSON lines, each with an id, that is appended to across restarts and torn writes.

For use by one thread at a time, and by one process. The file is opened for each append, so that it
may be moved away or replaced in between.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

TAIL_BYTES_MAX: Final = 4 * 1024 * 1024
"""How much of the file's end is read for ids before the first append."""

IDS_MAX: Final = 65_536
"""How many of the latest ids are remembered."""

_BLOCK_BYTES: Final = 64 * 1024


class _Line(msgspec.Struct):
    id: str
    user_id: str = ""


_decoder = msgspec.json.Decoder(_Line)


class LineLog:
    """The file and the latest ids in it.

    Args:
        path: The file; its folder is there by the first append.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ids: dict[str, None] | None = None

    def has(self, line_id: str) -> bool:
        """Whether one of the latest lines has this id. Reads the file's tail the first time."""
        return line_id in self._known()

    def append(self, lines: Mapping[str, bytes]) -> None:
        """Append lines (by their ids) and flush them to the disk.

        Raises:
            OSError: Not written; what was written in part is cut off, at the latest by the next
                append.
        """
        if not lines:
            return
        known = self._known()
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            end = _mend(descriptor)
            try:
                _write(descriptor, b"".join(lines.values()), end)
                os.fsync(descriptor)
            except OSError:
                with suppress(OSError):
                    os.ftruncate(descriptor, end)
                raise
        finally:
            os.close(descriptor)
        known.update(dict.fromkeys(lines))
        while len(known) > IDS_MAX:
            del known[next(iter(known))]

    def lines_of(self, user_id: str) -> list[bytes]:
        """A user's lines, without their newlines. Linear in the file.

        Raises:
            OSError: It cannot be read.
        """
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            read = ((line, _read(line)) for line in file)
            return [
                line.rstrip() for line, one in read if one is not None and one.user_id == user_id
            ]

    def without(
        self, user_id: str, before: Callable[[list[str]], object] | None = None
    ) -> list[str]:
        """Rewrite the file without a user's lines; their ids.

        `before` is told the ids before the lines go: what else hangs on them goes first, since
        after a crash in between nothing would lead to it.

        Raises:
            OSError: The file is as it was.
        """
        if not self.path.exists():
            return []
        erased: list[str] = []
        part = self.path.with_suffix(".part")
        try:
            with self.path.open("rb") as old, create_private(part) as new:
                for line in old:
                    found = _read(line)
                    if found is not None and found.user_id == user_id:
                        erased.append(found.id)
                    else:
                        new.write(line)
                new.flush()
                os.fsync(new.fileno())
            if before is not None:
                before(erased)
            part.replace(self.path)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        return erased

    def _known(self) -> dict[str, None]:
        if self._ids is None:
            self._ids = dict.fromkeys(_tail_ids(self.path)[-IDS_MAX:])
        return self._ids


def create_private(path: Path) -> BinaryIO:
    """An empty file to write to, for its owner alone: what it will hold is personal."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def _tail_ids(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL_BYTES_MAX))
            whole, _, _ = file.read(TAIL_BYTES_MAX).rpartition(b"\n")
    except FileNotFoundError:
        return []
    read = (_read(line) for line in whole.split(b"\n"))  # the first may be cut: it does not read
    return [line.id for line in read if line is not None]


def _read(line: bytes) -> _Line | None:
    try:
        return _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _mend(descriptor: int) -> int:
    """Cut off what follows the last newline, and give the file's size then."""
    end = size = os.lseek(descriptor, 0, os.SEEK_END)
    while end:
        start = max(0, end - _BLOCK_BYTES)
        newline = os.pread(descriptor, end - start, start).rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    if end != size:
        os.ftruncate(descriptor, end)
    return end


def _write(descriptor: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, at)
        view, at = view[written:], at + written
