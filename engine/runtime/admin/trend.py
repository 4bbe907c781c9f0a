"""Keeps how large each segment is, once an hour, as the size of that day.

Everybody is gone over for it in slices, as for whoever looks (`outlook`). A shop without segments
is not gone over at all.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog

from engine.errors import StoreError
from engine.store import segments as stored

if TYPE_CHECKING:
    from engine.runtime.admin.outlook import Outlook, Round
    from engine.runtime.processor import Processor
    from engine.store import Store

LOOKS_EVERY_S: Final = 60.0
"""How often it is looked whether another hour has begun: where time is sped up, hours are short."""

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS

_log = structlog.get_logger("hairspring")


class Trend:
    """The sizes of one store's segments.

    Args:
        store: Open.
        processor: Whose plan has the segments.
        outlook: Counts them.
    """

    def __init__(self, store: Store, processor: Processor, outlook: Outlook) -> None:
        self._store = store
        self._processor = processor
        self._outlook = outlook
        self._kept_hour = -1
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Keep them now and then, until `stop`."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Keep no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def keep(self) -> None:
        """Have them counted, and keep what was found, once for an hour of logical time.

        O(users) in slices. Raises StoreError.
        """
        hour = self._processor.now_ms // HOUR_MS
        if hour == self._kept_hour or not self._processor.plan.segments:
            return
        found = await self._outlook.settled()
        if found is not None:
            day, sizes = hour * HOUR_MS // DAY_MS, self.sizes(found)
            work = partial(stored.write, day=day, sizes=sizes, total=found.users)
            await self._store.transact(work)
            self._kept_hour = hour

    def sizes(self, found: Round) -> dict[str, int]:
        """By segment of the plan, how many were in it; nobody is a size, too."""
        return {name: found.segments[name] for name in self._processor.plan.segments}

    async def days(self, count: int) -> list[stored.Size]:
        """What was kept of the last days, by segment and day. Raises StoreError."""
        today = self._processor.now_ms // DAY_MS
        return await self._store.read(partial(stored.read, from_day=today - count + 1))

    async def _run(self) -> None:
        while True:
            try:
                await self.keep()
            except StoreError as error:
                _log.warning("segments.unsaved", why=error.message, hint="it is tried again")
            await asyncio.sleep(LOOKS_EVERY_S)
