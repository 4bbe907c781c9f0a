"""One lazily armed entry an alarm, for deadlines that mostly move later.

Nearly every event of a person postpones something ("an hour after the last of them"), so a
wheel that follows each move pays for moves that nobody will see. Here the true deadline is an
attribute of the alarm, and the wheel has one entry at an instant no later than it (I3). A move
to a later instant writes the attribute alone. When the entry comes out before the true
deadline it is armed again there, once for any number of moves; only a move to an earlier
instant than the one armed touches the wheel.

The deadline is an attribute and not in a dict by key, since that halves the cost of a move
(bench/README.md). As two attributes of an object that its owner keeps anyway it takes as much
memory as the dict would; an `Alarm` of its own takes some 50 bytes more, and can stay in memory
while what it belongs to is evicted.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Final, Generic, Protocol, TypeVar

from engine.timers.wheel import DUE_AT_MS_MAX, Wheel

NEVER_AT_MS: Final = DUE_AT_MS_MAX + 1
"""The deadline of an alarm that has none: later than any, so that one comparison will do."""


class Alarmed(Hashable, Protocol):
    """What can have a deadline: two attributes, and a hash that never changes.

    The hash of plain identity is the cheapest. Only `Deadlines` writes `armed_at_ms`.

    Attributes:
        due_at_ms: The true deadline, or `NEVER_AT_MS`.
        armed_at_ms: The instant at which the wheel will look, or `NEVER_AT_MS`.
    """

    due_at_ms: int
    armed_at_ms: int


A = TypeVar("A", bound=Alarmed)
K_co = TypeVar("K_co", bound=Hashable, covariant=True)


class Alarm(Generic[K_co]):
    """The plainest thing that can have a deadline, for the owner `key`; equal only to itself."""

    __slots__ = ("armed_at_ms", "due_at_ms", "key")

    def __init__(self, key: K_co) -> None:
        self.key = key
        self.due_at_ms = NEVER_AT_MS
        self.armed_at_ms = NEVER_AT_MS


class Deadlines(Generic[A]):
    """At most one deadline an alarm, cheap to move later, fired exactly when due.

    Instants are whole milliseconds since the epoch, from 0 to `DUE_AT_MS_MAX`. An alarm belongs
    to one `Deadlines` at a time.
    """

    __slots__ = ("_wheel",)

    def __init__(self, now_ms: int) -> None:
        """Make it empty, at `now_ms`."""
        self._wheel: Wheel[A] = Wheel(now_ms)

    def __len__(self) -> int:
        return len(self._wheel)

    def __contains__(self, alarm: object) -> bool:
        return alarm in self._wheel

    def insert(self, alarm: A, due_at_ms: int) -> None:
        """Set the deadline of `alarm`, be it its first or a move; one in the past is due at once.

        A move to no earlier than the instant armed is a store and a comparison, and a hot loop
        may do these two itself and call only where `due_at_ms < alarm.armed_at_ms`; any other
        costs what `Wheel.insert` costs.
        """
        alarm.due_at_ms = due_at_ms
        if due_at_ms < alarm.armed_at_ms:
            alarm.armed_at_ms = due_at_ms
            self._wheel.insert(alarm, due_at_ms)

    def remove(self, alarm: A) -> None:
        """Take the deadline of `alarm` away; nothing happens if it has none. O(1), amortised."""
        alarm.due_at_ms = alarm.armed_at_ms = NEVER_AT_MS
        self._wheel.remove(alarm)

    def advance(self, now_ms: int) -> Iterator[tuple[int, A]]:
        """Yield `(due_at_ms, alarm)` for every deadline due by `now_ms`, in order of instant.

        Each has no deadline any more as it is yielded, and the consumer may insert, remove and
        stop between two of them, as with `Wheel.advance`. Where instants are equal the order is
        that in which the wheel last took the alarms up: determined by the calls so far, but not
        always that of the last moves, since those leave no trace in the wheel.
        """
        wheel = self._wheel
        for armed_at_ms, alarm in wheel.advance(now_ms):
            due_at_ms = alarm.due_at_ms
            if due_at_ms == armed_at_ms:
                alarm.due_at_ms = alarm.armed_at_ms = NEVER_AT_MS
                yield due_at_ms, alarm
            else:
                # Moved later since. Due or not, it takes its place among the others.
                alarm.armed_at_ms = due_at_ms
                wheel.insert(alarm, due_at_ms)

    def next_deadline(self) -> int | None:
        """Tell the instant to wake at, never after the earliest deadline; None if there is none.

        A wake may yield nothing: see `Wheel.next_deadline`; a postponed deadline adds one wake
        for any number of moves since it was last looked at. O(1), amortised.
        """
        return self._wheel.next_deadline()
