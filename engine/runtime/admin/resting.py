"""A stored state at a standing instant: inputs are taken, and no time passes for anybody.

For work on a data folder that no process serves from. It is a start like any other (`restart`), on
a clock that stands at the last stamp: no deadline comes due, nothing is delivered, and the next
start finds the time that passed since as one downtime.
"""

from __future__ import annotations

import asyncio
from asyncio import FIRST_COMPLETED
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from engine.runtime.clock import Clock, wall_ms
from engine.runtime.restart import open_store, restart

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from config import Shop
    from engine.runtime.restart import Restarted
    from engine.store import Store

_NS_PER_MS = 1_000_000


class Resting:
    """What may be done with such a state. Made by `at_rest`.

    Attributes:
        restarted: Its clock, processor and shell.
        store: Its database.
    """

    def __init__(self, restarted: Restarted, store: Store) -> None:
        self.restarted = restarted
        self.store = store
        self._working = asyncio.ensure_future(restarted.shell.run())

    async def have(self, work: Awaitable[None]) -> None:
        """Wait for something that the shell does. Raises what ends the shell (CommitFailed)."""
        doing = asyncio.ensure_future(work)
        await asyncio.wait({doing, self._working}, return_when=FIRST_COMPLETED)
        if not doing.done():
            doing.cancel()
            self._working.result()
        await doing

    async def end(self) -> None:
        """Let go of the shell. What was taken is durable; who is not saved is replayed."""
        self._working.cancel()
        await asyncio.gather(self._working, return_exceptions=True)


@asynccontextmanager
async def at_rest(
    shop: Shop, path: Path, on_progress: Callable[[str], None] | None = None
) -> AsyncIterator[Resting]:
    """Open a database whose folder is locked, have work done on it, save everybody, and close it.

    `on_progress` is told where a migration is. Raises StoreError.
    """
    store = await open_store(path, shop.settings, on_progress)
    try:
        resting = Resting(await restart(shop, store, lambda _: None, _standing), store)
        try:
            yield resting
            await resting.have(resting.restarted.shell.settle())
        finally:
            await resting.end()
    finally:
        await store.close()


def _standing(last_at_ms: int) -> Clock:
    at_ms = last_at_ms or wall_ms()
    return Clock(at_ms, wall_ns=lambda: at_ms * _NS_PER_MS, monotonic_ns=lambda: 0)
