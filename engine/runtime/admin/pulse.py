"""How much happens now: totals, looked at once a second and kept for some minutes.

What is told of a second is the difference of two looks. A look reads a few dozen numbers, whatever
there is of users, campaigns and messages.
"""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import pairwise
from math import inf
from typing import TYPE_CHECKING, Final

import msgspec

from engine.runtime.metrics import LATENESS_BUCKETS_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.runtime.metrics import Metrics
    from engine.runtime.processor import Processor

LOOK_EVERY_S: Final = 1.0

KEPT: Final = 301
"""Looks that are kept: five minutes."""


class Look(msgspec.Struct, frozen=True):
    """The totals since the start, as they stood at one look.

    Attributes:
        at_s: By the loop's clock, in real seconds.
        events: Items that were taken.
        rejected: Items that were not.
        entered: Enrollments that began.
        handed: By channel, messages that a provider took.
        failed: By channel, attempts that failed.
        fired: Deadlines that fired, by the bucket of their lateness (`LATENESS_BUCKETS_S`, and
            beyond).
        next_input: Number of the next input.
        commits: Number of the last commit that is durable.
    """

    at_s: float
    events: float
    rejected: float
    entered: int
    handed: dict[str, float]
    failed: dict[str, float]
    fired: tuple[float, ...]
    next_input: int
    commits: int


class Pulse:
    """Looks at a process once a second.

    Args:
        metrics: What it counts.
        processor: Of the process.

    Attributes:
        looks: Oldest first; at least one.
    """

    def __init__(self, metrics: Metrics, processor: Processor) -> None:
        self._metrics = metrics
        self._processor = processor
        self._loop = asyncio.get_running_loop()
        self.looks: deque[Look] = deque([self._look()], maxlen=KEPT)
        self._committed_at_s = self.looks[0].at_s
        self._listeners: set[asyncio.Event] = set()
        self._timer = self._loop.call_later(LOOK_EVERY_S, self._tick)

    def stop(self) -> None:
        """Look no more, and let go of who listens."""
        self._timer.cancel()
        self._wake()

    def listen(self) -> asyncio.Event:
        """What is set with each look, until `leave`; whoever waits clears it."""
        woken = asyncio.Event()
        self._listeners.add(woken)
        return woken

    def leave(self, woken: asyncio.Event) -> None:
        """Listen no more."""
        self._listeners.discard(woken)

    @property
    def listening(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def each_second(self, total: Callable[[Look], float]) -> list[float]:
        """By how much a total grew in each second that is kept, oldest first. O(looks)."""
        return [
            (total(after) - total(before)) / max(0.001, after.at_s - before.at_s)
            for before, after in pairwise(self.looks)
        ]

    def grown(self, total: Callable[[Look], float], seconds: int) -> float:
        """By how much a total grew in the last seconds, as far as looks are kept."""
        return total(self.looks[-1]) - total(self._before(seconds))

    def rate(self, total: Callable[[Look], float], seconds: int = 10) -> float:
        """How much of it there is in a second, over the last ones."""
        passed_s = self.looks[-1].at_s - self._before(seconds).at_s
        return self.grown(total, seconds) / passed_s if passed_s > 0 else 0.0

    def lateness_ms(self, share: float, seconds: int = 60) -> float | None:
        """Within how many real milliseconds a share of the last seconds' deadlines fired.

        Between the bounds of a bucket it is taken to grow evenly. None where none fired; infinite
        beyond the last bound.
        """
        now, before = self.looks[-1].fired, self._before(seconds).fired
        counts = [after - was for after, was in zip(now, before, strict=True)]
        wanted = share * sum(counts)
        if not wanted:
            return None
        below, least_s = 0.0, 0.0
        for count, most_s in zip(counts, (*LATENESS_BUCKETS_S, inf), strict=True):
            if count and below + count >= wanted:
                part = (wanted - below) / count
                return inf if most_s == inf else 1_000 * (least_s + part * (most_s - least_s))
            below, least_s = below + count, most_s
        return inf

    def committed_ago_s(self) -> float:
        """How long ago a commit was last seen to be durable, to the second."""
        return self._loop.time() - self._committed_at_s

    def checkpoint_ago_s(self) -> float:
        """How old the oldest input is that is in no saved state; 0 where there is none.

        What is older than the oldest look is as old as that.
        """
        unsaved = self._processor.saving.unsaved
        if not unsaved:
            return 0.0
        oldest = next(iter(unsaved.values()))
        for look in self.looks:
            if look.next_input > oldest:
                return self._loop.time() - look.at_s
        return 0.0

    def _before(self, seconds: int) -> Look:
        return self.looks[max(0, len(self.looks) - 1 - seconds)]

    def _tick(self) -> None:
        look = self._look()
        if look.commits > self.looks[-1].commits:
            self._committed_at_s = look.at_s
        self.looks.append(look)
        self._wake()
        self._timer = self._loop.call_later(LOOK_EVERY_S, self._tick)

    def _wake(self) -> None:
        for woken in self._listeners:
            woken.set()

    def _look(self) -> Look:
        totals, processor = self._metrics.totals(), self._processor
        return Look(
            self._loop.time(),
            totals.accepted,
            totals.rejected,
            totals.kinds["entered"],
            totals.handed,
            totals.failed,
            totals.fired,
            processor.next_input,
            processor.finished,
        )
