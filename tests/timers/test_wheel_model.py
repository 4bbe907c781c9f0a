"""The wheel against a naive twin, whose least instant is looked for at every turn."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from engine.timers import NEVER_AT_MS, Alarm, Deadlines, far, wheel
from engine.timers.far import SHIFTS

KEYS = st.integers(0, 11)
# From a millisecond to three decades, thickest at the edges of the slots of every level.
SPANS_MS = st.one_of(
    st.integers(0, 3),
    st.integers(0, 40_000),
    st.integers(0, 86_400_000),
    st.integers(0, 30 * 31_557_600_000),
    st.builds(
        lambda shift, times, offset: max(0, (times << shift) + offset),
        st.sampled_from(SHIFTS),
        st.integers(1, 3),
        st.integers(-1, 1),
    ),
)
STARTS_AT_MS = st.one_of(
    st.integers(0, 4_000_000_000_000),
    st.builds(
        lambda shift, offset: (1_760_000_000_000 >> shift << shift) + offset,
        st.sampled_from(SHIFTS),
        st.integers(0, 1),
    ),
)


class DeadlinesAgainstTwin(RuleBasedStateMachine):
    """Every alarm comes out once, at its last instant, and instants come in order."""

    @initialize(start_at_ms=STARTS_AT_MS)
    def start(self, start_at_ms: int) -> None:
        self.now_ms = start_at_ms
        self.deadlines = Deadlines[Alarm[int]](start_at_ms)
        self.alarms = [Alarm(key) for key in range(12)]
        self.due: dict[int, int] = {}

    def set_both(self, key: int, due_at_ms: int) -> None:
        self.deadlines.insert(self.alarms[key], due_at_ms)
        self.due[key] = due_at_ms

    def remove_both(self, key: int) -> None:
        self.deadlines.remove(self.alarms[key])
        self.due.pop(key, None)

    def armed(self) -> list[Alarm[int]]:
        return [alarm for alarm in self.alarms if alarm.armed_at_ms != NEVER_AT_MS]

    def take(self, got: tuple[int, Alarm[int]]) -> None:
        due_at_ms, alarm = got
        assert due_at_ms == min(self.due.values()) <= self.now_ms
        assert self.due.pop(alarm.key) == due_at_ms

    @rule(key=KEYS, span_ms=SPANS_MS)
    def set_ahead(self, key: int, span_ms: int) -> None:
        self.set_both(key, self.now_ms + span_ms)

    @rule(key=KEYS, span_ms=SPANS_MS)
    def set_in_the_past(self, key: int, span_ms: int) -> None:
        self.set_both(key, max(0, self.now_ms - span_ms))

    @rule(key=KEYS, other=KEYS, offset=st.integers(-1, 1))
    def set_beside_another(self, key: int, other: int, offset: int) -> None:
        if other in self.due:
            self.set_both(key, max(0, self.due[other] + offset))

    @rule(key=KEYS, by_ms=st.one_of(SPANS_MS, SPANS_MS.map(lambda span_ms: -span_ms)))
    def move(self, key: int, by_ms: int) -> None:
        if key in self.due:
            self.set_both(key, max(0, self.due[key] + by_ms))

    @rule(key=KEYS, by_ms=SPANS_MS)
    def the_owner_writes_a_later_deadline(self, key: int, by_ms: int) -> None:
        alarm = self.alarms[key]
        if alarm.armed_at_ms != NEVER_AT_MS:
            self.due[key] = self.due.get(key, alarm.armed_at_ms) + by_ms
            alarm.due_at_ms = self.due[key]

    @rule(key=KEYS)
    def the_owner_takes_the_deadline_back(self, key: int) -> None:
        if self.due.pop(key, None) is not None:
            self.alarms[key].due_at_ms = NEVER_AT_MS

    @rule(key=KEYS)
    def remove(self, key: int) -> None:
        self.remove_both(key)

    @rule(key=KEYS, there_ms=SPANS_MS, back_ms=SPANS_MS, times=st.integers(1, 5))
    def go_to_and_fro(self, key: int, there_ms: int, back_ms: int, times: int) -> None:
        for _ in range(times):
            self.set_both(key, self.now_ms + there_ms)
            self.remove_both(key)
            self.set_both(key, self.now_ms + back_ms)

    @rule(span_ms=SPANS_MS, again=st.integers(0, 20))
    def advance(self, span_ms: int, again: int) -> None:
        self.now_ms += span_ms
        for taken, got in enumerate(self.deadlines.advance(self.now_ms)):
            self.take(got)
            if taken < again:
                self.set_both(got[1].key, got[0] + 1 + span_ms // 3)
        assert min(self.due.values(), default=NEVER_AT_MS) > self.now_ms

    @rule()
    def advance_to_the_next_wake(self) -> None:
        wake_at_ms = self.deadlines.next_deadline()
        if wake_at_ms is not None:
            self.advance(max(0, wake_at_ms - self.now_ms), again=0)

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
        for taken, got in enumerate(self.deadlines.advance(self.now_ms), start=1):
            self.take(got)
            sets, key, offset_ms = next(pending, (False, got[1].key, 0))
            if sets:
                self.set_both(key, max(0, got[0] + offset_ms))
            else:
                self.remove_both(key)
            if taken == stop_after:
                break

    @rule()
    def a_century_passes(self) -> None:
        self.advance(100 * 31_557_600_000, again=0)
        while self.due:  # what an owner had written beyond
            self.advance(100 * 31_557_600_000, again=0)
        assert len(self.deadlines) == self.deadlines._stale == held(self.deadlines) == 0

    @invariant()
    def both_hold_the_same(self) -> None:
        if not hasattr(self, "deadlines"):
            return
        assert len(self.deadlines) == len(self.armed())
        assert self.due.keys() <= {alarm.key for alarm in self.armed()}
        for alarm in self.armed():
            assert alarm.due_at_ms == self.due.get(alarm.key, NEVER_AT_MS)
            assert alarm.armed_at_ms <= alarm.due_at_ms

    @invariant()
    def every_entry_is_accounted_for(self) -> None:
        if not hasattr(self, "deadlines"):
            return
        deadlines = self.deadlines
        assert held(deadlines) == len(self.armed()) + deadlines._stale
        assert held(deadlines) <= 4 * (12 + wheel._STALE_MAX)
        assert deadlines._narrow_occupied == sum(
            1 << index for index, slot in enumerate(deadlines._narrow) if slot
        )
        occupied: dict[int, int] = {}
        for number in deadlines._wide:
            window, index = divmod(number, 1 << SHIFTS[2] - SHIFTS[1])
            occupied[window] = occupied.get(window, 0) | 1 << index
        assert deadlines._far._occupied == occupied
        assert deadlines._far._windows == sum(1 << window for window in occupied)

    @invariant()
    def the_wake_is_never_late(self) -> None:
        if not hasattr(self, "deadlines"):
            return
        wake_at_ms = self.deadlines.next_deadline()  # which may disarm what was taken back
        assert (wake_at_ms is None) == (not self.armed())
        if wake_at_ms is not None:
            assert wake_at_ms <= min(self.due.values(), default=NEVER_AT_MS)


def held(deadlines: Deadlines[Alarm[int]]) -> int:
    above = [*deadlines._narrow, *deadlines._wide.values(), deadlines._opening]
    return sum(map(len, above)) + len(deadlines._near)


class TestDeadlinesAgainstTwin(DeadlinesAgainstTwin.TestCase):
    settings = settings(max_examples=150, stateful_step_count=40)


class TestDeadlinesThatAreSweptAlways(DeadlinesAgainstTwin.TestCase):
    """With no stale copies to spare, a dozen alarms are enough to be swept time and again."""

    settings = settings(max_examples=100, stateful_step_count=40)

    @pytest.fixture(autouse=True)
    def _none_to_spare(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(wheel, "_STALE_MAX", 0)


class TestDeadlinesThatAreOpenedAhead(DeadlinesAgainstTwin.TestCase):
    """With one copy a part, a dozen alarms are enough for slots that are opened ahead."""

    settings = settings(max_examples=150, stateful_step_count=40)

    @pytest.fixture(autouse=True)
    def _one_a_part(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in (wheel, far):
            monkeypatch.setattr(module, "PART", 1)


def test_what_was_armed_once_fires_in_order_of_instant_and_then_of_arming() -> None:
    deadlines = Deadlines[Alarm[int]](1_760_000_000_000)
    dues = [1_760_000_000_000 + number * 7_919 % 400 * 2_621_443 for number in range(3_000)]
    for number, due_at_ms in enumerate(dues):
        deadlines.insert(Alarm(number), due_at_ms)
    got = [(due_at_ms, alarm.key) for due_at_ms, alarm in deadlines.advance(max(dues))]
    assert got == sorted((due_at_ms, number) for number, due_at_ms in enumerate(dues))
