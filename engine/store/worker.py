"""Who works on the database file: a thread of its own, so that the loop never waits for a disk."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Protocol, TypeVar

import aiosqlite
from typing_extensions import override

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from pathlib import Path

_T = TypeVar("_T")


class Worker(Protocol):
    """Runs whole functions on the one connection, one at a time and in order.

    A thread in a process that serves; the simulated disk in a world (`engine.sim.world`).
    """

    async def begin(self) -> None:
        """Connect. Raises sqlite3.Error."""
        ...

    async def run(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Have a function done, and raise what it raises. A cancelled call is done all the same."""
        ...

    async def end(self) -> None:
        """Close, also where connecting failed; nothing is done any more once this returns."""
        ...


class Thread(aiosqlite.Connection, Worker):
    """A connection that runs whole functions on its thread: one hand-over a transaction."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            lambda: sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, cached_statements=64
            ),
            64,
        )
        self._ended: asyncio.Future[object] | None = None

    @override
    async def begin(self) -> None:
        await self

    @override
    async def run(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        result: _T = await self._execute(work, self._conn)  # type: ignore[no-untyped-call]
        return result

    @override
    def stop(self) -> asyncio.Future[object] | None:
        self._ended = super().stop()
        return self._ended

    @override
    async def end(self) -> None:
        # The thread is waited for, also where opening failed: it answers a loop.
        await self.close()
        if self._ended is not None:
            await self._ended
