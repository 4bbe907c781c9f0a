"""A database that another process writes, read by a connection that never writes.

Every read is short: none is open while the next one is thought about, so that no checkpoint waits
for it (`wal`).
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final, TypeVar

from engine.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType
    from typing import Self

_T = TypeVar("_T")

WAITS_S: Final = 10.0
"""How long a read waits for a writer that holds the database whole: at its start, or its end."""


class Reader:
    """One connection; a context manager that closes it.

    Args:
        path: The database.

    Raises StoreError where it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            uri = f"{path.absolute().as_uri()}?mode=ro"
            self._connection = sqlite3.connect(uri, uri=True, timeout=WAITS_S)
        except sqlite3.Error as error:
            raise self._unreadable(error) from error
        self._connection.isolation_level = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _: TracebackType | None,
    ) -> None:
        self._connection.close()

    def read(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """What `work` reads. Raises StoreError."""
        try:
            return work(self._connection)
        except sqlite3.Error as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: sqlite3.Error) -> StoreError:
        return StoreError(
            f"{self._path} cannot be read: {error}",
            hint="see that it is there, and that this user may read it",
            code="store.read",
        )
