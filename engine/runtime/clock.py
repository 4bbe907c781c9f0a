"""The only reader of time.

Logical time starts at the wall clock, or at the last stamp where that is later, and follows the
monotonic clock from there: it never goes back. A declared rate makes it run faster than real time
(the demo); everything but this file is the same then.
"""

from __future__ import annotations

import time

_NS_PER_MS = 1_000_000


class Clock:
    """Logical time in whole milliseconds since the epoch, UTC.

    Args:
        not_before_ms: The last stamp known; logical time starts no earlier.
        rate: Logical milliseconds a real one; 1.0 or more.
    """

    __slots__ = ("_started_at_ms", "_started_ns", "rate")

    def __init__(self, not_before_ms: int = 0, *, rate: float = 1.0) -> None:
        assert rate >= 1.0, "a slower clock would make real deadlines late"
        self.rate = rate
        self._started_ns = time.monotonic_ns()  # noqa: TID251 - this is the place
        self._started_at_ms = max(wall_ms(), not_before_ms)

    def now_ms(self) -> int:
        """Logical now: never later than it is, so that no deadline is seen early."""
        elapsed_ns = time.monotonic_ns() - self._started_ns  # noqa: TID251 - this is the place
        if self.rate != 1.0:
            elapsed_ns = int(elapsed_ns * self.rate)
        return self._started_at_ms + elapsed_ns // _NS_PER_MS

    def delay_ns(self, at_ms: int) -> int:
        """Real nanoseconds from now until logical time reaches `at_ms`; 0 where it has."""
        elapsed_ns = time.monotonic_ns() - self._started_ns  # noqa: TID251 - this is the place
        target_ns = (at_ms - self._started_at_ms) * _NS_PER_MS
        if self.rate != 1.0:
            target_ns = int(target_ns / self.rate) + 1
        return max(0, target_ns - elapsed_ns)


def wall_ms() -> int:
    """The wall clock, for what must be comparable with other machines."""
    return time.time_ns() // _NS_PER_MS  # noqa: TID251 - this is the place


def monotonic_ns() -> int:
    """Real nanoseconds from an arbitrary start, for budgets and durations."""
    return time.monotonic_ns()  # noqa: TID251 - this is the place
