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
highest bit of `d ^ hand`, or at level 1 another one that still names level 1. Nothing asks that the
hand be the time of day: it may stand ahead of it, and all that is armed before it is near.

So a slot of very many is opened ahead of its start, a part each few milliseconds, with the hand at
its start meanwhile. What is still `_opening` as the time comes there is opened at once.

Invariant (I2): `armed_at_ms <= due_at_ms`, so nobody is looked at too late. At an instant `t`
everything armed before `t` has been looked at; so what is due at `t` is armed at `t`.

A copy met twice in its slot fires once, since an alarm that fires is armed no more. When stale
copies outnumber armed alarms, each one more pays for sweeping a few entries, part by part.

Sources: Varghese & Lauck, "Hashed and Hierarchical Timing Wheels" (SOSP 1987), schemes 6 and 7;
the level by XOR and the bitmaps as in tokio's wheel, the jump to the next occupied slot as in
Kafka's timing wheels. Widths by measurement in CPython (see bench/README.md).
"""

from __future__ import annotations

from heapq import heappop
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from engine.timers.alarm import DUE_AT_MS_MAX, NEVER_AT_MS, Alarmed
from engine.timers.far import PART, SHIFTS, Far, lowest
from engine.timers.near import Near

if TYPE_CHECKING:
    from collections.abc import Iterator, Sized

PAUSE_MS: Final = 3
"""From one part of a slot that is opened ahead to the next."""

LEAD_MS_MAX: Final = 1 << SHIFTS[0] - 1
"""Ahead of its start no slot is opened sooner; the one before it is opened by then."""

_NARROW, _WIDE, _ = SHIFTS
_NARROW_MASK: Final = (1 << _WIDE - _NARROW) - 1
_STALE_MAX: Final = 64  # stale copies that may be held beside one for each armed alarm
_SWEPT_EACH: Final = 4  # entries swept for each copy that is left stale, or opened, beyond that

A = TypeVar("A", bound=Alarmed)


class Deadlines(Generic[A]):
    """At most one deadline an alarm, cheap to move later, fired exactly when due.

    | place   | slot is wide  | slots | holds what is armed                            |
    |---------|---------------|-------|------------------------------------------------|
    | near    | 16.4 s (2^14) | 1     | before the end of the hand's 16.4 s: `Near`    |
    | level 0 | 16.4 s (2^14) | 16    | later in the hand's 4.4 minutes (2^18)         |
    | level 1 | 4.4 minutes   | 2^30  | later, to the year 10889 (2^48): `Far`         |

    Worked: with the hand at 0, a deadline at 1,200,000 ms (20 minutes) differs from it first in
    bit 20, so it lies at level 1, slot 1,200,000 >> 18 = 4. At 1,048,576 (4 slots of 2^18)
    the hand reaches that slot and it spreads: 1,200,000 now differs first in bit 17, so level 0,
    slot 1,200,000 >> 14 & 15 = 9. At 1,196,032 (9 slots of 2^14 further) that slot is opened
    and sorted; at 1,200,000, and not a millisecond before, the alarm comes out. Had it moved to
    3,000,000 meanwhile, it would have left for slot 11 of level 1 at 1,048,576.

    Instants are whole milliseconds since the epoch, from 0 to `DUE_AT_MS_MAX`. An alarm belongs
    to one `Deadlines` at a time. No more than `PART` copies are looked at in one go, where time is
    given to it at the instants that `next_deadline` tells; else, as after a long sleep, the longest
    pause is in proportion to what is armed within the same aligned 4.4 minutes. Sweeping what is
    below level 1 is one go, too.

    Attributes:
        slots_opened: Since the start: all the work there is beside that for single entries.
    """

    __slots__ = (
        "_far",
        "_hand_at_ms",
        "_live",
        "_narrow",
        "_narrow_occupied",
        "_near",
        "_opening",
        "_opening_at_ms",
        "_opening_shift",
        "_owed",
        "_stale",
        "_wide",
        "slots_opened",
    )

    def __init__(self, now_ms: int) -> None:
        """Make it empty, with the hand at `now_ms`."""
        assert 0 <= now_ms <= DUE_AT_MS_MAX, now_ms
        self._hand_at_ms = now_ms
        # Level 0 by index, and its bitmap.
        self._narrow: list[list[A]] = [[] for _ in range(_NARROW_MASK + 1)]
        self._narrow_occupied = 0
        self._far: Far[A] = Far()
        self._wide = self._far.slots
        # What is left of a slot that is opened ahead, the last first; when its next part is due.
        self._opening: list[A] = []
        self._opening_shift = 0
        self._opening_at_ms = NEVER_AT_MS
        self._near: Near[A] = Near()
        self._live = 0  # armed alarms
        self._stale = 0  # copies held beyond one for each armed alarm
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
        run, run_at_ms, late = self._near.run, self._near.run_at_ms, self._near.late
        if now_ms >= self._opening_at_ms:
            self._open_ahead(now_ms)
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
        slot, be its copies live, postponed or stale, and one for each part of a slot that is opened
        ahead. O(1), amortised.
        """
        run, run_at_ms, late = self._near.run, self._near.run_at_ms, self._near.late
        while run and not run[-1].armed_at_ms == run_at_ms[-1] == run[-1].due_at_ms:
            self._look_again(run.pop(), run_at_ms.pop())
        while late and not late[0][2].armed_at_ms == late[0][0] == late[0][2].due_at_ms:
            at_ms, _, alarm = heappop(late)
            self._look_again(alarm, at_ms)
        if not self._live:
            return None
        if not self._opening:
            self._opening_at_ms = self._next_opening()
        wake_at_ms = self._opening_at_ms
        if run and run_at_ms[-1] < wake_at_ms:
            wake_at_ms = run_at_ms[-1]
        return late[0][0] if late and late[0][0] < wake_at_ms else wake_at_ms

    def _place(self, alarm: A, at_ms: int) -> None:
        """Put a copy where I1 says."""
        hand_at_ms = self._hand_at_ms
        differs = at_ms ^ hand_at_ms
        if at_ms < hand_at_ms or not differs >> _NARROW:
            self._near.push(alarm, at_ms)
        elif not differs >> _WIDE:
            index = at_ms >> _NARROW & _NARROW_MASK
            self._narrow[index].append(alarm)
            self._narrow_occupied |= 1 << index
        else:
            self._far.append(at_ms >> _WIDE, alarm)

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
        """Find the first slot, which by I1 lies ahead: the bits below its number; its start."""
        if self._narrow_occupied:
            index = lowest(self._narrow_occupied)
            return _NARROW, self._hand_at_ms >> _WIDE << _WIDE | index << _NARROW
        number = self._far.first()
        return _WIDE, NEVER_AT_MS if number is None else number << _WIDE

    def _next_opening(self) -> int:
        """Tell when the first slot is to be opened: at its start, or ahead where it is large."""
        shift, start_at_ms = self._next_slot()
        number = start_at_ms >> shift
        slot = self._wide.get(number, ()) if shift == _WIDE else self._narrow[number & _NARROW_MASK]
        return start_at_ms - min(2 * PAUSE_MS * (len(slot) // PART), LEAD_MS_MAX)

    def _take_slot(self, shift: int, start_at_ms: int) -> list[A]:
        """Take the first slot out; the hand comes to its start."""
        self._hand_at_ms = start_at_ms
        self.slots_opened += 1
        if shift == _WIDE:
            return self._far.pop(start_at_ms >> _WIDE)
        index = start_at_ms >> _NARROW & _NARROW_MASK
        self._narrow_occupied ^= 1 << index
        slot, self._narrow[index] = self._narrow[index], []
        return slot

    def _open(self, now_ms: int) -> bool:
        """Open the next slot that starts by `now_ms`, near being empty; False if none does."""
        shift, start_at_ms = self._next_slot()
        if start_at_ms > now_ms:
            self._hand_at_ms = max(self._hand_at_ms, now_ms)
            return False
        slot = self._take_slot(shift, start_at_ms)
        number = start_at_ms >> shift
        if shift == _WIDE:
            self._spread(slot, number)
            return True
        here = [alarm for alarm in slot if alarm.armed_at_ms >> _NARROW == number]
        self._near.take_as_run(here)
        self._stale -= len(slot) - len(here)
        if self._stale > self._live + _STALE_MAX:
            self._sweep(len(slot))
        return True

    def _open_ahead(self, now_ms: int) -> None:
        """Open a part of a slot of very many before it starts; all that is left, at its start.

        What is under the hand waits in the heap, as the run is still that of the slot before.
        """
        opening = self._opening
        if not opening:
            shift, start_at_ms = self._next_slot()
            if not self._next_opening() <= now_ms < start_at_ms:
                return
            opening = self._opening = self._take_slot(shift, start_at_ms)
            self._opening_shift = shift
            opening.reverse()
        hand_at_ms, shift = self._hand_at_ms, self._opening_shift
        number = hand_at_ms >> shift
        left = max(len(opening) - PART, 0) if now_ms < hand_at_ms else 0
        part = opening[left:]
        del opening[left:]
        for alarm in reversed(part):
            at_ms = alarm.armed_at_ms
            if at_ms >> shift == number:
                self._look_again(alarm, at_ms)
            else:
                self._stale -= 1
        self._opening_at_ms = min(now_ms + PAUSE_MS, hand_at_ms) if opening else NEVER_AT_MS

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
        """Sweep a part of level 1 or, last, as copies move that way, all below; tell the cost."""
        if self._far.is_swept:
            cost, gone = self._sweep_below()
            self._far.begin_round()
        else:
            cost, gone = self._far.sweep_part()
        self._stale -= gone
        return cost

    def _sweep_below(self) -> tuple[int, int]:
        """Sweep level 0 and near; how many copies were looked at, and how many have gone."""
        first = self._hand_at_ms >> _WIDE << _WIDE - _NARROW
        places: list[Sized] = [*self._narrow, self._near]
        held = sum(map(len, places))
        for index, slot in enumerate(self._narrow):
            if slot:
                number = first | index
                slot[:] = dict.fromkeys([a for a in slot if a.armed_at_ms >> _NARROW == number])
                if not slot:
                    self._narrow_occupied ^= 1 << index
        self._near.sweep()
        return held + 1, held - sum(map(len, places))
