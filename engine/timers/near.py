"""What of the wheel is near: the opened slot, sorted once, and a heap of what came after that."""

from __future__ import annotations

from heapq import heappush
from operator import attrgetter
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from engine.timers.alarm import Alarmed

if TYPE_CHECKING:
    from collections.abc import Iterable

_ARMED_AT_MS: Final = attrgetter("armed_at_ms")

A = TypeVar("A", bound=Alarmed)


class Near(Generic[A]):
    """Copies in order of the instants at which they were armed as they came here.

    `advance` of the wheel takes them out itself, so these three stay the same objects.

    Attributes:
        run: Of the opened slot, latest first.
        run_at_ms: The instants of these.
        late: A heap of instant, number in order of coming, and alarm.
    """

    __slots__ = ("_sequence", "late", "run", "run_at_ms")

    def __init__(self) -> None:
        """Make it empty."""
        self.run: list[A] = []
        self.run_at_ms: list[int] = []
        self.late: list[tuple[int, int, A]] = []
        self._sequence = 0

    def __len__(self) -> int:
        """Tell how many copies are held."""
        return len(self.run) + len(self.late)

    def push(self, alarm: A, at_ms: int) -> None:
        """Put a copy behind all of its instant. O(log n)."""
        self._sequence += 1
        heappush(self.late, (at_ms, self._sequence, alarm))

    def take_as_run(self, alarms: Iterable[A]) -> None:
        """Have nothing but these as the run. O(n log n)."""
        # The sort is stable, so the earliest, and of those the oldest, ends up last.
        run = sorted(alarms, key=_ARMED_AT_MS)
        run.reverse()
        self.run[:] = run
        self.run_at_ms[:] = [alarm.armed_at_ms for alarm in run]

    def sweep(self) -> None:
        """Let go of stale copies; what stays is the run. O(n log n)."""
        # In the order in which they would fire: of two copies the first is the one to keep.
        run = zip(reversed(self.run_at_ms), reversed(self.run), strict=True)
        stay = [alarm for at_ms, alarm in run if alarm.armed_at_ms == at_ms]
        stay += [alarm for at_ms, _, alarm in sorted(self.late) if alarm.armed_at_ms == at_ms]
        self.late.clear()
        self.take_as_run(dict.fromkeys(stay))
