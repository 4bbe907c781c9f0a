"""The only reader of time.

Theory of operation. Logical time starts at the wall clock, or at the last stamp where that is
later, and follows the monotonic clock from there; so it never goes back, and a wall clock that
jumps does not move it. `steer`, called each second or so, looks at the wall clock. A small
disagreement is made up for by going up to 0.1 % faster or slower. One of more than a minute may be
a slip that somebody is about to mend: only when the wall clock has been ahead for a minute does
`steer` say so, and its owner adopts that by `jump`, as a journaled input. Where the wall clock was
set back further, logical time goes on at its own pace.

A declared rate makes it run faster than real time (the demo), beside any wall clock; everything but
this file is the same then.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from engine.errors import ServeError

STEER_EVERY_MS = 1_000
"""How often the owner should call `steer`."""

SLEW_PPM_MAX = 1_000
"""Parts in a million by which logical time may go faster or slower: 0.1 %."""

AGREEMENT_NS = 1_000_000
"""What is no disagreement: instants are milliseconds."""

DISAGREEMENT_MAX_MS = 60_000
"""A larger disagreement with the wall clock is not slewed away."""

HELD_FOR_MS = 60_000
"""How long the wall clock must have been that far ahead before it is believed."""

DAY_MS = 86_400_000

OFF_MAX_MS = DAY_MS
"""How far the wall clock may be from the last stamp at a start, unless somebody vouches for it."""

_NS_PER_MS = 1_000_000
_MILLION = 1_000_000

Reader = Callable[[], int]
"""Nanoseconds: since the epoch (a wall clock), or since an arbitrary start (a monotonic one)."""


class Clock:
    """Logical time in whole milliseconds since the epoch, UTC.

    Args:
        not_before_ms: The last stamp known; logical time starts no earlier.
        rate: Logical milliseconds a real one; 1.0 or more. Any but 1.0 is not steered.
        wall_ns: Reads the wall clock.
        monotonic_ns: Reads the monotonic clock.

    Attributes:
        monotonic_ns: As given: what budgets are measured by.
        slew_ppm: By how many parts in a million it goes faster than the monotonic clock now.
    """

    __slots__ = (
        "_ahead_since_ns",
        "_logical_ns",
        "_started_ns",
        "_wall_ns",
        "monotonic_ns",
        "rate",
        "slew_ppm",
    )

    def __init__(
        self,
        not_before_ms: int = 0,
        *,
        rate: float = 1.0,
        wall_ns: Reader = time.time_ns,  # noqa: TID251 - this is the place
        monotonic_ns: Reader = time.monotonic_ns,  # noqa: TID251 - this is the place
    ) -> None:
        assert rate >= 1.0, "a slower clock would make real deadlines late"
        self.rate = rate
        self._wall_ns = wall_ns
        self.monotonic_ns = monotonic_ns
        # Where logical time was, and the monotonic clock then.
        self._started_ns = monotonic_ns()
        self._logical_ns = max(wall_ns() // _NS_PER_MS, not_before_ms) * _NS_PER_MS
        self.slew_ppm = 0
        self._ahead_since_ns: int | None = None

    def now_ms(self) -> int:
        """Logical now: never later than it is, so that no deadline is seen early."""
        return (self._logical_ns + self._elapsed_ns()) // _NS_PER_MS

    def delay_ns(self, at_ms: int) -> int:
        """Real nanoseconds from now until logical time reaches `at_ms`; 0 where it has."""
        ahead_ns = at_ms * _NS_PER_MS - self._logical_ns - self._elapsed_ns()
        if ahead_ns <= 0:
            return 0
        if self.rate != 1.0:
            return int(ahead_ns / self.rate) + 1
        return -(-ahead_ns * _MILLION // (_MILLION + self.slew_ppm))

    def steer(self) -> int | None:
        """Look at the wall clock and slew towards it; the instant to `jump` to, or None.

        What `delay_ns` said before holds only where `slew_ppm` is still the same.
        """
        if self.rate != 1.0:
            return None
        self._logical_ns += self._elapsed_ns()
        self._started_ns = self.monotonic_ns()
        wall_ns = self._wall_ns()
        ahead_ns = wall_ns - self._logical_ns
        if abs(ahead_ns) <= DISAGREEMENT_MAX_MS * _NS_PER_MS:
            # What would be made up for until the next look, if that were allowed.
            ppm = ahead_ns * _MILLION // (STEER_EVERY_MS * _NS_PER_MS)
            agrees = abs(ahead_ns) <= AGREEMENT_NS
            self.slew_ppm = 0 if agrees else max(-SLEW_PPM_MAX, min(ppm, SLEW_PPM_MAX))
            self._ahead_since_ns = None
            return None
        self.slew_ppm = 0
        if ahead_ns < 0:
            self._ahead_since_ns = None
            return None
        if self._ahead_since_ns is None:
            self._ahead_since_ns = self._started_ns
        if self._started_ns - self._ahead_since_ns < HELD_FOR_MS * _NS_PER_MS:
            return None
        return wall_ns // _NS_PER_MS

    def jump(self, at_ms: int) -> None:
        """Go on from `at_ms`, which is not before now."""
        self._started_ns = self.monotonic_ns()
        self._logical_ns = max(at_ms * _NS_PER_MS, self._logical_ns)
        self._ahead_since_ns = None

    def _elapsed_ns(self) -> int:
        """Logical nanoseconds since `_started_ns`."""
        elapsed_ns = self.monotonic_ns() - self._started_ns
        if self.rate != 1.0:
            return int(elapsed_ns * self.rate)
        if self.slew_ppm:
            return elapsed_ns + elapsed_ns * self.slew_ppm // _MILLION
        return elapsed_ns


def wall_ms() -> int:
    """The wall clock, for what must be comparable with other machines."""
    return time.time_ns() // _NS_PER_MS  # noqa: TID251 - this is the place


def monotonic_ns() -> int:
    """Real nanoseconds from an arbitrary start, for budgets and durations."""
    return time.monotonic_ns()  # noqa: TID251 - this is the place


def check_wall_clock(
    last_at_ms: int,
    wall_ns: Reader = time.time_ns,  # noqa: TID251 - this is the place
) -> None:
    """Refuse a wall clock that is more than a day from the last stamp, if there is one.

    A clock that lost its date would make every deadline wait for years, or fire at once.
    Raises ServeError.
    """
    ahead_ms = wall_ns() // _NS_PER_MS - last_at_ms
    if not last_at_ms or abs(ahead_ms) <= OFF_MAX_MS:
        return
    far = f"{abs(ahead_ms) / DAY_MS:.1f} days"
    where = "after" if ahead_ms > 0 else "before"
    raise ServeError(
        f"the clock of this machine is {far} {where} the last stamp in the data folder",
        hint="set the clock; if it is right (a long downtime, say), start with --accept-clock",
        code="serve.clock",
    )
