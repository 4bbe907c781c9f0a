"""What outlives a process: time, the wall clock, and what the world has in store.

Time stands still while something happens in the world, but that each look at the monotonic clock
takes a moment, as it does on a real machine; so slices come to their end in the middle of things.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MS = 1_000_000
"""Nanoseconds."""

STARTED_AT_NS = 1_767_225_590_000 * MS
"""What the wall clock says when a world begins: ten seconds before midnight, and a full hour."""

BOOTED_NS = 1_000_000 * MS
"""What the monotonic clock says then."""

LOOK_NS = 300
"""What a look at a clock takes, unless the machine is slow."""


class Machine:
    """The clocks of one machine, and everything outside of the process that is still to come.

    Attributes:
        now_ns: The monotonic clock.
        look_ns: What a look at it takes.
        drift_ppm: By how many parts in a million the wall clock goes faster.
    """

    def __init__(self) -> None:
        self.now_ns = BOOTED_NS
        self.look_ns = LOOK_NS
        self.drift_ppm = 0
        self._wall_set_at_ns = self.now_ns
        self._wall_ns = STARTED_AT_NS
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._sequence = 0

    def monotonic_ns(self) -> int:
        """The monotonic clock, as a process reads it."""
        self.now_ns += self.look_ns
        return self.now_ns

    def wall_ns(self) -> int:
        """The wall clock: nanoseconds since the epoch."""
        gone_ns = self.now_ns - self._wall_set_at_ns
        return self._wall_ns + gone_ns + gone_ns * self.drift_ppm // 1_000_000

    def set_wall(self, by_ms: int, drift_ppm: int) -> None:
        """Have the wall clock jump, and drift from now on."""
        self._wall_ns = self.wall_ns() + by_ms * MS
        self._wall_set_at_ns = self.now_ns
        self.drift_ppm = drift_ppm

    def after(self, delay_ns: int, act: Callable[[], None]) -> None:
        """Have something happen in the world, in so many nanoseconds."""
        self._sequence += 1
        heappush(self._agenda, (self.now_ns + max(delay_ns, 0), self._sequence, act))

    def next_at_ns(self) -> int | None:
        """When the next thing happens."""
        return self._agenda[0][0] if self._agenda else None

    def happen(self) -> bool:
        """Let the first thing that is due happen; whether there was one."""
        if not self._agenda or self._agenda[0][0] > self.now_ns:
            return False
        heappop(self._agenda)[2]()
        return True
