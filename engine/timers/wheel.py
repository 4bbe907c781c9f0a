"""A hierarchical timer wheel, exact to the millisecond, that does no work for empty time.

Theory of operation
-------------------
The *hand* is an instant. All that is due within the hand's own 16 s slot, or before it, is
*near*; everything else lies in a slot of a level, and the level is found by XOR: the highest
bit in which the due instant differs from the hand. Far levels have wide slots, so that few
slots cover decades; when the hand comes to a wide slot, its entries cascade into narrower
ones. An occupancy bitmap a level finds the next slot that holds anything, and the hand jumps
there: an empty year costs what an empty second costs.

Invariant (I1): an entry due at `d`, not near, lies at the level of `d ^ hand`, in the slot
that `d`'s bits name there. It is kept because the hand never passes the start of an occupied
slot without opening it. Let hand <= h < start of d's slot: then h shares with `d` the bits
above the level's, and its digit in that level is smaller, so `d ^ h` has the same level.

Invariant (I2): entries due at the same instant always share a slot, in order of insertion.
It follows from I1, and a cascade keeps the order. The slot under the hand is sorted once, by
a stable sort, when it is opened (`_run`); what is inserted near after that is younger than all
of the run and waits in a heap (`_late`) with a sequence number.

Sources: Varghese & Lauck, "Hashed and Hierarchical Timing Wheels" (SOSP 1987), scheme 7; the
level by XOR and the bitmaps as in tokio's wheel, the jump to the next occupied slot as in
Kafka's timing wheels. Widths by measurement in CPython (see bench/README.md).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from heapq import heapify, heappop, heappush
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)

LEVEL_SHIFTS: Final = (14, 20, 32, 44)
"""For each level, the bits of an instant below its slot number: a slot is 2**shift ms wide."""

DUE_AT_MS_MAX: Final = 2**48 - 1
"""The last instant the wheel can hold, in the year 10889; four-digit years all fit."""

_END_SHIFTS: Final = (*LEVEL_SHIFTS[1:], DUE_AT_MS_MAX.bit_length())
_MASKS: Final = tuple(
    (1 << (end - shift)) - 1 for shift, end in zip(LEVEL_SHIFTS, _END_SHIFTS, strict=True)
)
_NEAR_SHIFT: Final = LEVEL_SHIFTS[0]
# Level, shift and mask by the bit length of (due ^ hand) >> _NEAR_SHIFT; length 0 is near.
_PLACES: Final = tuple(
    (level, LEVEL_SHIFTS[level], _MASKS[level])
    for length in range(DUE_AT_MS_MAX.bit_length() - _NEAR_SHIFT + 1)
    for level in [sum(length + _NEAR_SHIFT > end for end in _END_SHIFTS)]
)
_STALE_MAX: Final = 64  # removed entries that the heap may hold beside twice the live ones


class Wheel(Generic[K]):
    """Holds at most one due instant a key, and gives the due ones back in order.

    | place   | slot is wide  | slots | holds what is due                              |
    |---------|---------------|-------|------------------------------------------------|
    | near    | 16.4 s (2^14) | 1     | before the end of the hand's 16.4 s            |
    | level 0 | 16.4 s (2^14) | 64    | later in the hand's 17.5 minutes (2^20)        |
    | level 1 | 17.5 min      | 4,096 | later in the hand's 49.7 days (2^32)           |
    | level 2 | 49.7 days     | 4,096 | later in the hand's 557 years (2^44)           |
    | level 3 | 557 years     | 16    | later, to the year 10889 (2^48)                |

    Worked: with the hand at 0, an entry due at 1,200,000 ms (20 minutes) differs from it first
    in bit 20, so it lies at level 1, slot 1. At 1,048,576 (2^20, 17.5 minutes) the hand reaches
    that slot and it cascades: 1,200,000 now differs first in bit 17, so level 0, slot
    1,200,000 >> 14 & 63 = 9. At 1,196,032 (9 slots of 2^14 further) that slot is opened and
    sorted; at 1,200,000, and not a millisecond before, the entry comes out.

    Instants are whole milliseconds since the epoch, from 0 to `DUE_AT_MS_MAX`. An entry at
    level 1, where most are, is moved once before its slot is sorted. Windows are aligned, so
    what is due just past the end of one lies a level higher however soon it is due. A slot is
    opened in one go: a pause in proportion to its entries, and the longest where the hand enters
    another 49.7 days and all that is due in these cascades at once.

    Attributes:
        slots_opened: How many slots have been opened (cascaded or sorted) since the start: the
            only work there is beside that for single entries.
    """

    __slots__ = (
        "_due",
        "_hand_at_ms",
        "_late",
        "_late_heap",
        "_occupied",
        "_run",
        "_run_due",
        "_sequence",
        "_slots",
        "slots_opened",
    )

    def __init__(self, now_ms: int) -> None:
        """Make an empty wheel whose hand stands at `now_ms`."""
        assert 0 <= now_ms <= DUE_AT_MS_MAX, now_ms
        self._hand_at_ms = now_ms
        self._slots: list[list[dict[K, int] | None]] = [[None] * (mask + 1) for mask in _MASKS]
        self._occupied = [0] * len(_MASKS)
        # Where an entry lies follows from its instant and the hand (I1), so a cascade leaves
        # this dict alone: it is the large one, and each access to it misses the caches.
        self._due: dict[K, int] = {}
        # The opened slot: its keys, latest first; a key that is no longer in the dict is stale.
        self._run: list[K] = []
        self._run_due: dict[K, int] = {}
        # Near entries that came after it was opened; a tuple that is not in the dict is stale.
        self._late: dict[K, tuple[int, int, K]] = {}
        self._late_heap: list[tuple[int, int, K]] = []
        self._sequence = 0
        self.slots_opened = 0

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, key: object) -> bool:
        return key in self._due

    def due_of(self, key: K) -> int | None:
        """Tell the instant at which `key` is due, or None if it is not in the wheel."""
        return self._due.get(key)

    def insert(self, key: K, due_at_ms: int) -> None:
        """Let `key` fire at `due_at_ms`; a key that is in the wheel is armed anew.

        An instant that has passed fires at the next `advance`. Costs O(1), and O(log n) in the
        number of such insertions where the instant is near. A key armed anew, even at the
        same instant, comes after the others of that instant.
        """
        assert 0 <= due_at_ms <= DUE_AT_MS_MAX, due_at_ms
        due = self._due
        if key in due:
            self.remove(key)
        due[key] = due_at_ms
        hand_at_ms = self._hand_at_ms
        differs = (due_at_ms ^ hand_at_ms) >> _NEAR_SHIFT
        if not differs or due_at_ms < hand_at_ms:
            self._sequence += 1
            self._late[key] = entry = (due_at_ms, self._sequence, key)
            heappush(self._late_heap, entry)
            return
        level, shift, mask = _PLACES[differs.bit_length()]
        index = due_at_ms >> shift & mask
        slot = self._slots[level][index]
        if slot is None:
            self._slots[level][index] = {key: due_at_ms}
            self._occupied[level] |= 1 << index
        else:
            slot[key] = due_at_ms

    def remove(self, key: K) -> int | None:
        """Take `key` out: the instant at which it was due, or None if it was not in the wheel.

        Costs O(1), amortised; nothing of the entry stays behind in a level, and the number of
        stale entries near the hand is bounded by the number of live ones.
        """
        due_at_ms = self._due.pop(key, None)
        if due_at_ms is None:
            return None
        hand_at_ms = self._hand_at_ms
        differs = (due_at_ms ^ hand_at_ms) >> _NEAR_SHIFT
        if not differs or due_at_ms < hand_at_ms:
            if self._run_due.pop(key, None) is None:
                del self._late[key]
                self._drop_stale()
            return due_at_ms
        level, shift, mask = _PLACES[differs.bit_length()]
        index = due_at_ms >> shift & mask
        slot = self._slots[level][index]
        assert slot is not None, "an entry lies where its instant and the hand say (I1)"
        del slot[key]
        if not slot:
            self._slots[level][index] = None
            self._occupied[level] ^= 1 << index
        return due_at_ms

    def advance(self, now_ms: int) -> Iterator[tuple[int, K]]:
        """Move the hand to `now_ms`; yield `(due_at_ms, key)` for all that is due by then.

        In order of due instant, and of insertion where instants are equal. An entry leaves the
        wheel as it is yielded, so the consumer may insert and remove between two of them (what
        he inserts already due comes out in its place among the rest) and may stop whenever his
        time is up: the rest stays. Nothing happens before the first entry is asked for. A
        `now_ms` before the hand is allowed (a clock was set back): nothing comes early, nothing
        is lost.

        Costs, beside single entries, the opening of occupied slots up to `now_ms`; none for
        empty ones. An entry costs O(log n) in those of its own 16 s slot.
        """
        due = self._due
        while self._open(now_ms):
            # If the consumer advances the wheel himself, this run is used up before another is
            # opened, so to hold on to it between two yields is safe.
            run, heap = self._run, self._late_heap
            if heap:
                entry = self._pop_merged(now_ms)
                if entry is None:
                    return
                yield entry
                continue
            run_due = self._run_due
            while run and not heap:
                key = run.pop()
                due_at_ms = run_due.pop(key, -1)
                if due_at_ms > now_ms:
                    run.append(key)
                    run_due[key] = due_at_ms
                    return
                if due_at_ms >= 0:  # else it was removed since the slot was opened
                    del due[key]
                    yield due_at_ms, key

    def next_deadline(self) -> int | None:
        """Tell the instant to wake at: exact where it is near, else a lower bound; None if empty.

        Exact once the hand has come to the slot of the earliest entry. Before that it is the
        start of that slot: an `advance` there opens the slot ahead of what is in it, and
        yields nothing unless something is due at that very instant. It is never later than the
        earliest entry, and an entry costs at most one such wake a level (at level 1: two) and
        shares it with all entries of its slot. O(1), amortised.
        """
        self._skip_stale()
        run, heap = self._run, self._late_heap
        if run:
            due_at_ms = self._run_due[run[-1]]
            return min(due_at_ms, heap[0][0]) if heap else due_at_ms
        if heap:
            return heap[0][0]
        following = self._next_slot()
        return None if following is None else following[2]

    def _drop_stale(self) -> None:
        """Rebuild the heap once stale entries outnumber live ones: O(1) a removal, amortised."""
        if len(self._late_heap) > 2 * len(self._late) + _STALE_MAX:
            self._late_heap[:] = self._late.values()
            heapify(self._late_heap)

    def _skip_stale(self) -> None:
        """Leave live entries only at the front of the run and of the heap."""
        run, run_due = self._run, self._run_due
        while run and run[-1] not in run_due:
            run.pop()
        heap, late = self._late_heap, self._late
        while heap and late.get(heap[0][2]) is not heap[0]:
            heappop(heap)

    def _pop_merged(self, now_ms: int) -> tuple[int, K] | None:
        """Take the first of run and heap if it is due; the run is older, so it wins a tie."""
        run, heap = self._run, self._late_heap
        if run:
            key = run[-1]
            due_at_ms = self._run_due[key]
            if not heap or due_at_ms <= heap[0][0]:
                if due_at_ms > now_ms:
                    return None
                run.pop()
                del self._run_due[key], self._due[key]
                return due_at_ms, key
        if heap[0][0] > now_ms:
            return None
        due_at_ms, _, key = heappop(heap)
        del self._late[key], self._due[key]
        return due_at_ms, key

    def _next_slot(self) -> tuple[int, int, int] | None:
        """Find the first occupied slot: level, index, and the instant at which it starts.

        By I1 all slots of a level lie after the hand and before all slots of the next level.
        """
        for level, occupied in enumerate(self._occupied):
            if occupied:
                index = (occupied & -occupied).bit_length() - 1
                end = _END_SHIFTS[level]
                window_at_ms = self._hand_at_ms >> end << end
                return level, index, window_at_ms | index << LEVEL_SHIFTS[level]
        return None

    def _open(self, now_ms: int) -> bool:
        """Make the near part hold something, opening slots up to `now_ms`; False if none does."""
        while True:
            self._skip_stale()
            if self._run or self._late_heap:
                return True
            following = self._next_slot()
            if following is None or following[2] > now_ms:
                # Near is empty and no slot starts by `now_ms`, so I1 lets the hand go there.
                self._hand_at_ms = max(self._hand_at_ms, now_ms)
                return False
            level, index, start_at_ms = following
            self._hand_at_ms = start_at_ms
            slot = self._slots[level][index]
            assert slot, "an occupied slot holds something"
            self._slots[level][index] = None
            self._occupied[level] ^= 1 << index
            self.slots_opened += 1
            self._take_as_run(slot if level == 0 else self._cascade(slot))

    def _take_as_run(self, slot: dict[K, int]) -> None:
        # The sort is stable, so the earliest, and of those the oldest, ends up last.
        self._run = sorted(slot, key=slot.__getitem__)
        self._run.reverse()
        self._run_due = slot

    def _cascade(self, slot: dict[K, int]) -> dict[K, int]:
        """Spread a wide slot, at whose start the hand stands, over lower levels.

        Returns what belongs under the hand. All of it is written out here instead of calling
        `insert`, since this is where a wheel of a million entries spends its time.
        """
        hand_at_ms, levels = self._hand_at_ms, self._slots
        near: dict[K, int] = {}
        for key, due_at_ms in slot.items():
            differs = (due_at_ms ^ hand_at_ms) >> _NEAR_SHIFT
            if not differs:
                near[key] = due_at_ms
                continue
            level, shift, mask = _PLACES[differs.bit_length()]
            index = due_at_ms >> shift & mask
            target = levels[level][index]
            if target is None:
                levels[level][index] = {key: due_at_ms}
                self._occupied[level] |= 1 << index
            else:
                target[key] = due_at_ms
        return near
