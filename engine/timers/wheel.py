"""A timer wheel, exact to the millisecond, whose entries are the alarms themselves.

Theory of operation
-------------------
Where an alarm lies follows from its own attribute `armed_at_ms` and the *hand*, an instant; so a
slot is a plain list of alarms, and there is no table of them. The place is found by XOR with
the hand. What differs from it in no bit above the 14th, or is past, is *near*. What differs in
none above the 18th lies in one of 16 slots of 16 s (level 0). All else lies in a slot of 4.4
minutes (level 1) that is found by its number. Bitmaps find the next slot that holds anything,
and the hand jumps there: an empty year costs what an empty second costs. When it comes to a slot
of level 1, that spreads over level 0; one of level 0 is sorted once and taken as the *run*; what
is armed near after that waits in a heap (`_late`). Most alarms change before, so much can wait:

- A deadline that moves later is written into the alarm alone. Whoever opens the slot, or comes
  to the instant armed, arms the alarm anew at its true deadline, once for any number of moves.
- So may one that is gone, where the alarm is kept for another; whoever comes to it disarms it.
- One removed, or moved earlier, is armed there no more: the copy in the slot is *stale*.

Invariant (I1): every armed alarm has a copy in the place that `armed_at_ms` and the hand name,
and no slot starts at or before the hand. A copy anywhere else is stale: whoever meets a copy
asks the alarm whether it lies here. It is kept because the hand never passes the start of an
occupied slot without opening it. Let hand <= h < start of d's slot: then `d ^ h` has the
highest bit of `d ^ hand`, or at level 1 another one that still names level 1.

Invariant (I2): `armed_at_ms <= due_at_ms`, so nobody is looked at too late. At an instant `t`
everything armed before `t` has been looked at; so what is due at `t` is armed at `t`.

A copy met twice in its slot fires once, since an alarm that fires is armed no more. When stale
copies outnumber armed alarms, each one more pays for sweeping a few entries, slot by slot.

Sources: Varghese & Lauck, "Hashed and Hierarchical Timing Wheels" (SOSP 1987), schemes 6 and 7;
the level by XOR and the bitmaps as in tokio's wheel, the jump to the next occupied slot as in
Kafka's timing wheels. Widths by measurement in CPython (see bench/README.md).
"""

from __future__ import annotations

from heapq import heappop, heappush
from operator import attrgetter
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from engine.timers.alarm import DUE_AT_MS_MAX, NEVER_AT_MS, Alarmed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SHIFTS: Final = (14, 18, 29)
"""Bits of an instant below its slot number at level 0, at level 1, and below its window."""

_NARROW, _WIDE, _WINDOW = SHIFTS
_NARROW_MASK: Final = (1 << _WIDE - _NARROW) - 1
_WIDE_MASK: Final = (1 << _WINDOW - _WIDE) - 1
_STALE_MAX: Final = 64  # stale copies that may be held beside one for each armed alarm
_SWEPT_EACH: Final = 4  # entries swept for each copy that is left stale, or opened, beyond that
_ARMED_AT_MS: Final = attrgetter("armed_at_ms")

A = TypeVar("A", bound=Alarmed)


class Deadlines(Generic[A]):
    """At most one deadline an alarm, cheap to move later, fired exactly when due.

    | place   | slot is wide  | slots | holds what is armed                            |
    |---------|---------------|-------|------------------------------------------------|
    | near    | 16.4 s (2^14) | 1     | before the end of the hand's 16.4 s            |
    | level 0 | 16.4 s (2^14) | 16    | later in the hand's 4.4 minutes (2^18)         |
    | level 1 | 4.4 minutes   | 2^30  | later, to the year 10889 (2^48)                |

    Only occupied slots of level 1 exist, found in windows of 2,048 (6.2 days, 2^29): one bitmap
    tells which windows hold anything, and one for each of these which of its slots do.

    Worked: with the hand at 0, a deadline at 1,200,000 ms (20 minutes) differs from it first in
    bit 20, so it lies at level 1, slot 1,200,000 >> 18 = 4. At 1,048,576 (4 slots of 2^18)
    the hand reaches that slot and it spreads: 1,200,000 now differs first in bit 17, so level 0,
    slot 1,200,000 >> 14 & 15 = 9. At 1,196,032 (9 slots of 2^14 further) that slot is opened
    and sorted; at 1,200,000, and not a millisecond before, the alarm comes out. Had it moved to
    3,000,000 meanwhile, it would have left for slot 11 of level 1 at 1,048,576.

    Instants are whole milliseconds since the epoch, from 0 to `DUE_AT_MS_MAX`. An alarm belongs
    to one `Deadlines` at a time. A slot is opened, or swept, in one go: the longest pause is in
    proportion to what is armed within the same aligned 4.4 minutes, however far ahead.

    Attributes:
        slots_opened: Since the start: all the work there is beside that for single entries.
    """

    __slots__ = (
        "_hand_at_ms",
        "_late",
        "_live",
        "_narrow",
        "_narrow_occupied",
        "_owed",
        "_run",
        "_run_at_ms",
        "_sequence",
        "_stale",
        "_unswept",
        "_wide",
        "_wide_occupied",
        "_windows",
        "slots_opened",
    )

    def __init__(self, now_ms: int) -> None:
        """Make it empty, with the hand at `now_ms`."""
        assert 0 <= now_ms <= DUE_AT_MS_MAX, now_ms
        self._hand_at_ms = now_ms
        # Level 0 by index, and its bitmap.
        self._narrow: list[list[A]] = [[] for _ in range(_NARROW_MASK + 1)]
        self._narrow_occupied = 0
        # Level 1 by number, a bitmap for each window by its number, and one of windows.
        self._wide: dict[int, list[A]] = {}
        self._wide_occupied: dict[int, int] = {}
        self._windows = 0
        # The opened slot, latest first, and the instants at which its copies were armed then.
        # These three stay the same objects, since `advance` holds on to them.
        self._run: list[A] = []
        self._run_at_ms: list[int] = []
        self._late: list[tuple[int, int, A]] = []
        self._sequence = 0
        self._live = 0  # armed alarms
        self._stale = 0  # copies held beyond one for each armed alarm
        self._unswept: list[int] = []  # slots of level 1 that this round of sweeping has not seen
        self._owed = 0  # entries that are still to be swept for what was left stale
        self.slots_opened = 0

    def __len__(self) -> int:
        """Tell how many alarms are armed."""
        return self._live

    def insert(self, alarm: A, due_at_ms: int) -> None:
        """Set the deadline of `alarm`, be it its first or a move; one in the past is due at once.

        A move to no earlier than the instant armed is a store and a comparison, and a hot loop
        may do these two itself and call only where `due_at_ms < alarm.armed_at_ms`. It may store
        `NEVER_AT_MS`, too, for an alarm that it keeps; `remove` is for one that it lets go. Any
        other costs O(1), amortised, and O(log n) in the number of such where the instant is near.
        """
        armed_at_ms = alarm.armed_at_ms
        if due_at_ms >= armed_at_ms:
            assert due_at_ms <= DUE_AT_MS_MAX, due_at_ms
            alarm.due_at_ms = due_at_ms
            return
        assert due_at_ms >= 0, due_at_ms
        alarm.due_at_ms = alarm.armed_at_ms = due_at_ms
        slot = self._wide.get(due_at_ms >> _WIDE)
        if slot is None:
            self._place(alarm, due_at_ms)
        else:
            # All slots of level 1 lie ahead (I1), so if there is one it is the right place.
            slot.append(alarm)
        if armed_at_ms == NEVER_AT_MS:
            self._live += 1
        else:
            self._leave_stale()

    def remove(self, alarm: A) -> None:
        """Have the wheel let go of `alarm`; nothing happens if it is not armed. O(1), amortised."""
        if alarm.armed_at_ms != NEVER_AT_MS:
            alarm.due_at_ms = alarm.armed_at_ms = NEVER_AT_MS
            self._live -= 1
            self._leave_stale()

    def advance(self, now_ms: int) -> Iterator[tuple[int, A]]:
        """Move the hand to `now_ms`; yield `(due_at_ms, alarm)` for all that is due by then.

        In order of instant. Each is armed no more as it is yielded, its `due_at_ms` left to the
        consumer, who may insert and remove between two of them (what is due already takes its place
        among the rest) and may stop at any time: the rest stays. Nothing happens before the first
        is asked for. A `now_ms` before the hand (a clock was set back) makes nothing early or lost.

        Where instants are equal, the order is that in which the copies came into the slot, those
        that came after it was opened last: alarms that were armed once fire in order of arming, one
        that was postponed has the place of the time it was looked at.

        Costs, beside single entries, the opening of occupied slots up to `now_ms`; none for
        empty ones. An entry costs O(log n) in those of its own 16 s slot.
        """
        run, run_at_ms, late = self._run, self._run_at_ms, self._late
        while True:
            if late and not (run and run_at_ms[-1] <= late[0][0]):
                due_at_ms = late[0][0]
                if due_at_ms > now_ms:
                    return
                alarm = heappop(late)[2]
            elif run:
                due_at_ms = run_at_ms[-1]
                if due_at_ms > now_ms:
                    return
                del run_at_ms[-1]
                alarm = run.pop()
            elif self._open(now_ms):
                continue
            else:
                return
            if alarm.armed_at_ms == due_at_ms == alarm.due_at_ms:
                alarm.armed_at_ms = NEVER_AT_MS
                self._live -= 1
                yield due_at_ms, alarm
            else:
                self._look_again(alarm, due_at_ms)

    def next_deadline(self) -> int | None:
        """Tell the instant to wake at: exact where it is near, else a lower bound; None if empty.

        Exact once the hand has come to the 16 s slot of the earliest deadline. Before that it is
        the start of a slot, which an `advance` there opens ahead of what is in it: one such wake a
        slot, be its copies live, postponed or stale. O(1), amortised.
        """
        run, run_at_ms, late = self._run, self._run_at_ms, self._late
        while run and not run[-1].armed_at_ms == run_at_ms[-1] == run[-1].due_at_ms:
            self._look_again(run.pop(), run_at_ms.pop())
        while late and not late[0][2].armed_at_ms == late[0][0] == late[0][2].due_at_ms:
            at_ms, _, alarm = heappop(late)
            self._look_again(alarm, at_ms)
        if not self._live:
            return None
        if not run:
            return late[0][0] if late else self._next_slot()[1]
        return min(late[0][0], run_at_ms[-1]) if late else run_at_ms[-1]

    def _place(self, alarm: A, at_ms: int) -> None:
        """Put a copy where I1 says."""
        hand_at_ms = self._hand_at_ms
        differs = at_ms ^ hand_at_ms
        if at_ms < hand_at_ms or not differs >> _NARROW:
            self._sequence += 1
            heappush(self._late, (at_ms, self._sequence, alarm))
        elif not differs >> _WIDE:
            index = at_ms >> _NARROW & _NARROW_MASK
            self._narrow[index].append(alarm)
            self._narrow_occupied |= 1 << index
        else:
            number = at_ms >> _WIDE
            if number in self._wide:
                self._wide[number].append(alarm)
                return
            self._wide[number] = [alarm]
            window = at_ms >> _WINDOW
            occupied = self._wide_occupied.get(window, 0)
            self._wide_occupied[window] = occupied | 1 << (number & _WIDE_MASK)
            self._windows |= 1 << window

    def _look_again(self, alarm: A, at_ms: int) -> None:
        """Judge a copy armed at `at_ms` and taken out, whose alarm is not due then."""
        if alarm.armed_at_ms == at_ms:
            # Moved later since. Due or not, it takes its place among the others, if any.
            alarm.armed_at_ms = alarm.due_at_ms
            if alarm.due_at_ms == NEVER_AT_MS:
                self._live -= 1
            else:
                self._place(alarm, alarm.due_at_ms)
        else:
            self._stale -= 1

    def _next_slot(self) -> tuple[int, int]:
        """Find the first slot, which by I1 lies ahead: its number at level 1, or -1; its start."""
        if self._narrow_occupied:
            index = _lowest(self._narrow_occupied)
            return -1, self._hand_at_ms >> _WIDE << _WIDE | index << _NARROW
        if self._windows:
            window = _lowest(self._windows)
            number = window << _WINDOW - _WIDE | _lowest(self._wide_occupied[window])
            return number, number << _WIDE
        return -1, NEVER_AT_MS

    def _open(self, now_ms: int) -> bool:
        """Open the next slot that starts by `now_ms`, near being empty; False if none does."""
        number, start_at_ms = self._next_slot()
        if start_at_ms > now_ms:
            self._hand_at_ms = max(self._hand_at_ms, now_ms)
            return False
        self._hand_at_ms = start_at_ms
        self.slots_opened += 1
        if number >= 0:
            slot = self._wide[number]
            self._forget(number)
            self._spread(slot, number)
            return True
        index = start_at_ms >> _NARROW & _NARROW_MASK
        slot = self._narrow[index]
        self._narrow[index] = []
        self._narrow_occupied ^= 1 << index
        number = start_at_ms >> _NARROW
        here = [alarm for alarm in slot if alarm.armed_at_ms >> _NARROW == number]
        self._take_as_run(here)
        self._stale -= len(slot) - len(here)
        if self._stale > self._live + _STALE_MAX:
            self._sweep(len(slot))
        return True

    def _spread(self, slot: list[A], number: int) -> None:
        """Spread a slot of level 1, at whose start the hand stands, over level 0.

        What belongs under the hand is opened next, before anybody can look.
        """
        narrow = self._narrow
        wide = self._wide
        stale = 0
        for alarm in slot:
            at_ms = alarm.armed_at_ms
            if at_ms >> _WIDE != number:
                stale += 1
                continue
            due_at_ms = alarm.due_at_ms
            if due_at_ms != at_ms:
                alarm.armed_at_ms = due_at_ms
                other = due_at_ms >> _WIDE
                if other != number:
                    if other in wide:
                        wide[other].append(alarm)
                    elif due_at_ms != NEVER_AT_MS:
                        self._place(alarm, due_at_ms)
                    else:
                        self._live -= 1
                    continue
            narrow[due_at_ms >> _NARROW & _NARROW_MASK].append(alarm)
        self._stale -= stale
        self._narrow_occupied = sum(1 << index for index, held in enumerate(narrow) if held)

    def _take_as_run(self, alarms: Iterable[A]) -> None:
        # The sort is stable, so the earliest, and of those the oldest, ends up last.
        run = sorted(alarms, key=_ARMED_AT_MS)
        run.reverse()
        self._run[:] = run
        self._run_at_ms[:] = [alarm.armed_at_ms for alarm in run]

    def _forget(self, number: int) -> None:
        """Take a slot out of level 1."""
        del self._wide[number]
        window = number >> _WINDOW - _WIDE
        occupied = self._wide_occupied[window] ^ 1 << (number & _WIDE_MASK)
        if occupied:
            self._wide_occupied[window] = occupied
        else:
            del self._wide_occupied[window]
            self._windows ^= 1 << window

    def _leave_stale(self) -> None:
        self._stale += 1
        if self._stale > self._live + _STALE_MAX:
            self._sweep(1)

    def _sweep(self, count: int) -> None:
        """Pay for `count` copies that were left stale, or opened, while there are too many.

        A round sweeps all that was held at its start, for a quarter as many copies; so at most
        about four are held for each armed alarm, and for `_STALE_MAX` more. Whole slots are swept,
        and what was paid ahead counts, but no further than there are alarms: what a slot held
        beyond these was stale, and has paid for itself.
        """
        limit = self._live + _STALE_MAX
        self._owed = max(self._owed, -2 * limit) + _SWEPT_EACH * count
        while self._owed > 0 and self._stale > limit:
            self._owed -= self._sweep_next()

    def _sweep_next(self) -> int:
        """Sweep a slot of level 1 or, last, as copies move that way, all below; tell the cost."""
        if not self._unswept:
            cost = self._sweep_below()
            self._unswept = list(self._wide)
            return cost
        number = self._unswept.pop()
        slot = self._wide.get(number)
        if slot is None:
            return 1
        held = len(slot)
        slot[:] = dict.fromkeys([alarm for alarm in slot if alarm.armed_at_ms >> _WIDE == number])
        self._stale -= held - len(slot)
        if not slot:
            self._forget(number)
        return held

    def _sweep_below(self) -> int:
        """Sweep level 0 and near."""
        cost = 1
        first = self._hand_at_ms >> _WIDE << _WIDE - _NARROW
        for index, slot in enumerate(self._narrow):
            if slot:
                held = len(slot)
                number = first | index
                slot[:] = dict.fromkeys([a for a in slot if a.armed_at_ms >> _NARROW == number])
                self._stale -= held - len(slot)
                if not slot:
                    self._narrow_occupied ^= 1 << index
                cost += held
        # In the order in which they would fire: of two copies the first is the one to keep.
        run = zip(reversed(self._run_at_ms), reversed(self._run), strict=True)
        near = [alarm for at_ms, alarm in run if alarm.armed_at_ms == at_ms]
        near += [alarm for at_ms, _, alarm in sorted(self._late) if alarm.armed_at_ms == at_ms]
        held = len(self._run) + len(self._late)
        self._late.clear()
        self._take_as_run(dict.fromkeys(near))
        self._stale -= held - len(self._run)
        return cost + held


def _lowest(bitmap: int) -> int:
    return (bitmap & -bitmap).bit_length() - 1
