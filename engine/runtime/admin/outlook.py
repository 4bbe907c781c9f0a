"""What is due in each hour, and how many are in each segment.

Nothing of it is kept up with each event, which would make all of them dearer for the sake of a few
looks a day. Instead everybody is gone over in slices of half a millisecond with pauses between, so
that no deadline notices: at 100,000 users it takes some seconds. What is told meanwhile is the
round before. Rounds go on for as long as somebody looks.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec

from engine.core.state import NEVER
from engine.runtime.bulk import is_in

if TYPE_CHECKING:
    from engine.core.state import User
    from engine.runtime.clock import Clock
    from engine.runtime.processor import Processor

SLICE_NS: Final = 500_000
"""How long a slice works."""

LOOK_EVERY: Final = 8
"""Users between two looks at the clock."""

PAUSE_S: Final = 0.002
"""Between two slices."""

FRESH_FOR_S: Final = 10.0
"""A round that is younger is not repeated."""

AWAITED_S: Final = 0.02
"""How long whoever asks waits for the round that is under way."""

HOUR_MS: Final = 3_600_000


class Round(msgspec.Struct):
    """What a round over everybody found.

    Attributes:
        began_at_ms: Logical now as it began.
        users: How many it went over.
        total: How many there were as it began.
        due: By (campaign, hour), enrollments to which something happens by time alone; an hour is
            the number of hours since 1970.
        asked: By (campaign, hour), conditions that are asked anew of somebody outside of it.
        segments: By id, how many are in it.
    """

    began_at_ms: int
    users: int = 0
    total: int = 0
    due: Counter[tuple[str, int]] = msgspec.field(default_factory=Counter)
    asked: Counter[tuple[str, int]] = msgspec.field(default_factory=Counter)
    segments: Counter[str] = msgspec.field(default_factory=Counter)


class Outlook:
    """Goes round while somebody looks.

    Args:
        processor: Of whose users.
        clock: Its.

    Attributes:
        newest: The last round that came to its end; None before that.
        under_way: The one that has not.
    """

    def __init__(self, processor: Processor, clock: Clock) -> None:
        self._processor = processor
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._ended_at_s = 0.0
        self._task: asyncio.Task[None] | None = None
        self.newest: Round | None = None
        self.under_way: Round | None = None

    def look(self) -> Round | None:
        """The newest round; begins another one where it is not fresh. O(1)."""
        old = self.newest is None or self._loop.time() - self._ended_at_s > FRESH_FOR_S
        if old and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._go_round())
        return self.newest

    async def soon(self) -> Round | None:
        """As `look`, where a round under way that ends within `AWAITED_S` is waited for.

        So what a small shop is told is never older than `FRESH_FOR_S`, however long nobody looked.
        """
        self.look()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=AWAITED_S)
        return self.newest

    async def settled(self) -> Round | None:
        """The newest round, once the one under way has come to its end."""
        self.look()
        if self._task is not None:
            await asyncio.wait({self._task})
        return self.newest

    async def stop(self) -> None:
        """Go round no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _go_round(self) -> None:
        processor = self._processor
        found = self.under_way = Round(self._clock.now_ms(), total=len(processor.users))
        monotonic_ns = self._clock.monotonic_ns
        until_ns = monotonic_ns() + SLICE_NS
        for some in processor.users.slices(LOOK_EVERY):
            now_ms = processor.now_ms
            for user in some:
                self._count(user, found, now_ms)
            if monotonic_ns() > until_ns:
                await asyncio.sleep(PAUSE_S)
                until_ns = monotonic_ns() + SLICE_NS
        self.newest, self.under_way = found, None
        self._ended_at_s = self._loop.time()

    def _count(self, user: User, found: Round, now_ms: int) -> None:
        plan = self._processor.plan
        found.users += 1
        for one in user.enrollments:
            if one.due_at_ms < NEVER:
                found.due[one.campaign, one.due_at_ms // HOUR_MS] += 1
        if user.watch is not None:
            for name, at_ms in user.watch.alarms.items():
                if at_ms < NEVER:
                    found.asked[name, at_ms // HOUR_MS] += 1
        for name, segment in plan.segments.items():
            if is_in(self._processor, user, segment, now_ms):
                found.segments[name] += 1
