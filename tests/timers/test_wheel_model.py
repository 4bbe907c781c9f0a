"""The wheel and its lazy face against a naive twin: a list that is sorted at every turn."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from engine.timers import NEVER_AT_MS, Alarm, Deadlines, Wheel
from engine.timers.wheel import LEVEL_SHIFTS

KEYS = st.integers(0, 11)
# From a millisecond to three decades, thickest at the edges of the slots of every level.
SPANS_MS = st.one_of(
    st.integers(0, 3),
    st.integers(0, 40_000),
    st.integers(0, 86_400_000),
    st.integers(0, 30 * 31_557_600_000),
    st.builds(
        lambda shift, times, offset: max(0, (times << shift) + offset),
        st.sampled_from([shift for shift in LEVEL_SHIFTS if shift < 40]),
        st.integers(1, 3),
        st.integers(-1, 1),
    ),
)
STARTS_AT_MS = st.one_of(
    st.integers(0, 4_000_000_000_000),
    st.builds(
        lambda shift, offset: (1_760_000_000_000 >> shift << shift) + offset,
        st.sampled_from(LEVEL_SHIFTS),
        st.integers(0, 1),
    ),
)
Entry = tuple[int, int, int]


class Twin:
    """Due instants in a dict, sorted by instant and age whenever anyone asks."""

    def __init__(self) -> None:
        self.entries: dict[int, Entry] = {}
        self.age = 0

    def insert(self, key: int, due_at_ms: int) -> None:
        self.age += 1
        self.entries[key] = (due_at_ms, self.age, key)

    def remove(self, key: int) -> int | None:
        entry = self.entries.pop(key, None)
        return None if entry is None else entry[0]

    def pop_due(self, now_ms: int) -> tuple[int, int] | None:
        first = min(self.entries.values(), default=None)
        if first is None or first[0] > now_ms:
            return None
        del self.entries[first[2]]
        return first[0], first[2]


class WheelAgainstTwin(RuleBasedStateMachine):
    """Whatever is done to both, both say the same."""

    @initialize(start_at_ms=STARTS_AT_MS)
    def start(self, start_at_ms: int) -> None:
        self.now_ms = start_at_ms
        self.wheel = Wheel[int](start_at_ms)
        self.twin = Twin()

    def insert_both(self, key: int, due_at_ms: int) -> None:
        self.wheel.insert(key, due_at_ms)
        self.twin.insert(key, due_at_ms)

    @rule(key=KEYS, span_ms=SPANS_MS)
    def arm(self, key: int, span_ms: int) -> None:
        self.insert_both(key, self.now_ms + span_ms)

    @rule(key=KEYS, span_ms=SPANS_MS)
    def arm_in_the_past(self, key: int, span_ms: int) -> None:
        self.insert_both(key, max(0, self.now_ms - span_ms))

    @rule(key=KEYS, other=KEYS, offset=st.integers(-1, 1))
    def arm_beside_another(self, key: int, other: int, offset: int) -> None:
        due_at_ms = self.wheel.due_of(other)
        if due_at_ms is not None:
            self.insert_both(key, max(0, due_at_ms + offset))

    @rule(key=KEYS)
    def remove(self, key: int) -> None:
        assert self.wheel.remove(key) == self.twin.remove(key)

    @rule(span_ms=SPANS_MS)
    def advance(self, span_ms: int) -> None:
        self.now_ms += span_ms
        for got in self.wheel.advance(self.now_ms):
            assert got == self.twin.pop_due(self.now_ms)
        assert self.twin.pop_due(self.now_ms) is None

    @rule()
    def a_century_passes(self) -> None:
        self.advance(100 * 31_557_600_000)
        assert len(self.wheel) == 0
        assert self.wheel.next_deadline() is None

    @rule()
    def advance_to_the_next_wake(self) -> None:
        wake_at_ms = self.wheel.next_deadline()
        if wake_at_ms is not None:
            self.advance(max(0, wake_at_ms - self.now_ms))

    @rule(span_ms=SPANS_MS)
    def the_clock_is_set_back(self, span_ms: int) -> None:
        self.now_ms = max(0, self.now_ms - span_ms)

    @rule(
        span_ms=SPANS_MS,
        acts=st.lists(st.tuples(st.booleans(), KEYS, st.integers(-20_000, 40_000)), max_size=6),
        stop_after=st.integers(1, 8),
    )
    def advance_with_a_consumer_that_acts_and_stops(
        self, span_ms: int, acts: list[tuple[bool, int, int]], stop_after: int
    ) -> None:
        self.now_ms += span_ms
        pending = iter(acts)
        for taken, got in enumerate(self.wheel.advance(self.now_ms), start=1):
            assert got == self.twin.pop_due(self.now_ms)
            arms, key, offset_ms = next(pending, (False, got[1], 0))
            if arms:
                self.insert_both(key, max(0, got[0] + offset_ms))
            else:
                assert self.wheel.remove(key) == self.twin.remove(key)
            if taken == stop_after:
                break

    @invariant()
    def both_hold_the_same(self) -> None:
        if not hasattr(self, "wheel"):
            return
        assert len(self.wheel) == len(self.twin.entries)
        for key in range(12):
            entry = self.twin.entries.get(key)
            assert self.wheel.due_of(key) == (None if entry is None else entry[0])
            assert (key in self.wheel) == (entry is not None)

    @invariant()
    def the_wake_is_never_late(self) -> None:
        if not hasattr(self, "wheel"):
            return
        earliest = min(self.twin.entries.values(), default=None)
        wake_at_ms = self.wheel.next_deadline()
        assert (wake_at_ms is None) == (earliest is None)
        if wake_at_ms is not None and earliest is not None:
            assert wake_at_ms <= earliest[0]


class DeadlinesAgainstTwin(RuleBasedStateMachine):
    """Lazily armed or not, every alarm comes out at its last instant, instants in order."""

    @initialize(start_at_ms=STARTS_AT_MS)
    def start(self, start_at_ms: int) -> None:
        self.now_ms = start_at_ms
        self.deadlines = Deadlines[Alarm[int]](start_at_ms)
        self.alarms = [Alarm(key) for key in range(12)]
        self.due: dict[int, int] = {}

    def set_both(self, key: int, due_at_ms: int) -> None:
        self.deadlines.insert(self.alarms[key], due_at_ms)
        self.due[key] = due_at_ms

    @rule(key=KEYS, span_ms=SPANS_MS)
    def set_ahead(self, key: int, span_ms: int) -> None:
        self.set_both(key, self.now_ms + span_ms)

    @rule(key=KEYS, by_ms=st.one_of(SPANS_MS, SPANS_MS.map(lambda span_ms: -span_ms)))
    def move(self, key: int, by_ms: int) -> None:
        if key in self.due:
            self.set_both(key, max(0, self.due[key] + by_ms))

    @rule(key=KEYS)
    def remove(self, key: int) -> None:
        self.deadlines.remove(self.alarms[key])
        self.due.pop(key, None)

    @rule(span_ms=SPANS_MS, again=st.booleans())
    def advance(self, span_ms: int, again: bool) -> None:
        self.now_ms += span_ms
        last_at_ms = 0
        for due_at_ms, alarm in self.deadlines.advance(self.now_ms):
            assert last_at_ms <= due_at_ms <= self.now_ms
            last_at_ms = due_at_ms
            assert self.due.pop(alarm.key) == due_at_ms
            if again:
                self.set_both(alarm.key, due_at_ms + 1 + span_ms // 3)
        assert min(self.due.values(), default=self.now_ms + 1) > self.now_ms

    @invariant()
    def each_alarm_is_armed_no_later_than_it_is_due(self) -> None:
        if not hasattr(self, "deadlines"):
            return
        assert len(self.deadlines) == len(self.due)
        for alarm in self.alarms:
            assert alarm.due_at_ms == self.due.get(alarm.key, NEVER_AT_MS)
            assert alarm.armed_at_ms <= alarm.due_at_ms
            armed_at_ms = self.deadlines._wheel.due_of(alarm)
            assert alarm.armed_at_ms == (NEVER_AT_MS if armed_at_ms is None else armed_at_ms)

    @invariant()
    def the_wake_is_never_late(self) -> None:
        if not hasattr(self, "deadlines"):
            return
        wake_at_ms = self.deadlines.next_deadline()
        assert (wake_at_ms is None) == (not self.due)
        if wake_at_ms is not None:
            assert wake_at_ms <= min(self.due.values())


TestWheelAgainstTwin = WheelAgainstTwin.TestCase
TestWheelAgainstTwin.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
TestDeadlinesAgainstTwin = DeadlinesAgainstTwin.TestCase
TestDeadlinesAgainstTwin.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
