"""One lazily armed entry a key, for deadlines that mostly move later.

Nearly every event of a person postpones something ("an hour after the last of them"), so a
wheel that follows each move pays for moves that nobody will see. Here the true deadline is
kept in a dict, and the wheel has one entry a key at an instant no later than it (I3). A move
to a later instant writes the dict alone. When the entry comes out before its true deadline it
is armed again there, once for any number of moves; only a move to an earlier instant than the
one armed touches the wheel.

Keys are ids, not the objects they stand for, so a deadline outlives its owner's eviction to
disk. The true deadlines are in a dict for the same reason, and cost 40 to 80 bytes a key more
than an attribute of an object that is in memory anyway would.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

from engine.timers.wheel import Wheel

K = TypeVar("K", bound=Hashable)


class Deadlines(Generic[K]):
    """At most one deadline a key, cheap to move later, fired exactly when due.

    Instants are whole milliseconds since the epoch, from 0 to `DUE_AT_MS_MAX`.
    """

    __slots__ = ("_due", "_wheel")

    def __init__(self, now_ms: int) -> None:
        """Make it empty, at `now_ms`."""
        self._wheel: Wheel[K] = Wheel(now_ms)
        self._due: dict[K, int] = {}

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, key: object) -> bool:
        return key in self._due

    def due_of(self, key: K) -> int | None:
        """Tell the true deadline of `key`, or None if it has none."""
        return self._due.get(key)

    def armed_of(self, key: K) -> int | None:
        """Tell at which instant the wheel will look at `key`: never after its deadline."""
        return self._wheel.due_of(key)

    def insert(self, key: K, due_at_ms: int) -> None:
        """Set the deadline of `key`, be it its first or a move; one in the past is due at once.

        A move to a later instant is a look-up and a store; any other costs what
        `Wheel.insert` costs.
        """
        known_at_ms = self._due.get(key)
        self._due[key] = due_at_ms
        if known_at_ms is None or due_at_ms < known_at_ms:
            self._arm(key, due_at_ms)

    def remove(self, key: K) -> int | None:
        """Forget the deadline of `key`: the instant it had, or None if it had none. O(1)."""
        due_at_ms = self._due.pop(key, None)
        if due_at_ms is not None:
            self._wheel.remove(key)
        return due_at_ms

    def advance(self, now_ms: int) -> Iterator[tuple[int, K]]:
        """Yield `(due_at_ms, key)` for every deadline due by `now_ms`, in order of instant.

        Each is forgotten as it is yielded, and the consumer may insert, remove and stop between
        two of them, as with `Wheel.advance`. Where instants are equal the order is that in
        which the wheel last took the keys up: determined by the calls so far, but not always
        that of the last moves, since those leave no trace in the wheel.
        """
        due = self._due
        wheel = self._wheel
        for armed_at_ms, key in wheel.advance(now_ms):
            due_at_ms = due[key]
            if due_at_ms == armed_at_ms:
                del due[key]
                yield due_at_ms, key
            else:
                # Moved later since. Due or not, it takes its place among the others.
                wheel.insert(key, due_at_ms)

    def next_deadline(self) -> int | None:
        """Tell the instant to wake at, never after the earliest deadline; None if there is none.

        A wake may yield nothing: see `Wheel.next_deadline`; a postponed deadline adds one wake
        for any number of moves since it was last looked at. O(1), amortised.
        """
        return self._wheel.next_deadline()

    def _arm(self, key: K, due_at_ms: int) -> None:
        armed_at_ms = self._wheel.due_of(key)
        if armed_at_ms is None or due_at_ms < armed_at_ms:
            self._wheel.insert(key, due_at_ms)
