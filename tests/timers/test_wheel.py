from __future__ import annotations

import pytest

from engine.timers import DUE_AT_MS_MAX, NEVER_AT_MS, Alarm, Deadlines
from engine.timers.far import PART, SHIFTS

START_AT_MS = 1_760_000_000_123
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
YEAR_MS = 31_557_600_000


class Named:
    """Deadlines by name, each of its own alarm."""

    def __init__(self, now_ms: int = START_AT_MS) -> None:
        self.deadlines = Deadlines[Alarm[str]](now_ms)
        self.alarms: dict[str, Alarm[str]] = {}

    def set(self, name: str, due_at_ms: int) -> Alarm[str]:
        alarm = self.alarms.setdefault(name, Alarm(name))
        self.deadlines.insert(alarm, due_at_ms)
        return alarm

    def remove(self, name: str) -> None:
        self.deadlines.remove(self.alarms[name])

    def fired(self, now_ms: int) -> list[tuple[int, str]]:
        return [(due_at_ms, alarm.key) for due_at_ms, alarm in self.deadlines.advance(now_ms)]

    def names(self, now_ms: int) -> list[str]:
        return [name for _, name in self.fired(now_ms)]


def entries_held(deadlines: Deadlines[Alarm[str]]) -> int:
    """Count every reference to an alarm that the wheel keeps, live or stale."""
    above = [*deadlines._narrow, *deadlines._wide.values(), deadlines._opening]
    return sum(map(len, above)) + len(deadlines._near)


# Exactness


def test_an_alarm_fires_at_its_instant_and_not_a_millisecond_before() -> None:
    named = Named()
    named.set("a", START_AT_MS + 7_200_000)
    assert named.fired(START_AT_MS + 7_199_999) == []
    assert named.fired(START_AT_MS + 7_200_000) == [(START_AT_MS + 7_200_000, "a")]
    assert named.fired(START_AT_MS + 7_200_001) == []


def test_an_alarm_that_fires_is_armed_no_more_and_its_deadline_left_to_its_owner() -> None:
    named = Named()
    alarm = named.set("a", START_AT_MS)
    for _ in named.deadlines.advance(START_AT_MS):
        assert (alarm.due_at_ms, alarm.armed_at_ms) == (START_AT_MS, NEVER_AT_MS)
        assert len(named.deadlines) == 0


def test_an_instant_that_has_passed_fires_at_once() -> None:
    named = Named()
    named.set("long ago", 0)
    named.set("now", START_AT_MS)
    assert named.deadlines.next_deadline() == 0
    assert named.fired(START_AT_MS) == [(0, "long ago"), (START_AT_MS, "now")]


@pytest.mark.parametrize("shift", SHIFTS)
@pytest.mark.parametrize("aligned", [True, False])
def test_at_each_boundary_of_a_level_alarms_are_exact_one_before_on_and_one_after(
    shift: int, aligned: bool
) -> None:
    start_at_ms = START_AT_MS >> shift << shift if aligned else START_AT_MS
    boundary_at_ms = (start_at_ms >> shift) + 1 << shift
    named = Named(start_at_ms)
    dues = {f"{offset:+d}": boundary_at_ms + offset for offset in (1, 0, -1)}
    for name, due_at_ms in dues.items():
        named.set(name, due_at_ms)
    assert named.fired(boundary_at_ms - 2) == []
    for name in ("-1", "+0", "+1"):
        assert named.fired(dues[name]) == [(dues[name], name)]


@pytest.mark.parametrize("shift", SHIFTS)
@pytest.mark.parametrize("offset", [-1, 0, 1])
def test_a_distance_of_each_width_is_exact(shift: int, offset: int) -> None:
    named = Named()
    due_at_ms = START_AT_MS + (1 << shift) + offset
    named.set("a", due_at_ms)
    assert named.fired(due_at_ms - 1) == []
    assert named.fired(due_at_ms) == [(due_at_ms, "a")]


@pytest.mark.parametrize("shift", SHIFTS)
def test_the_hand_may_stand_on_either_side_of_a_boundary_when_an_alarm_is_removed(
    shift: int,
) -> None:
    boundary_at_ms = (START_AT_MS >> shift) + 1 << shift
    due_at_ms = boundary_at_ms + (1 << shift)
    for hand_at_ms in (boundary_at_ms - 1, boundary_at_ms, boundary_at_ms + 1):
        named = Named()
        named.set("a", due_at_ms)
        named.set("b", due_at_ms)
        assert named.fired(hand_at_ms) == []
        named.remove("a")
        assert named.fired(due_at_ms - 1) == []
        assert named.fired(boundary_at_ms + (2 << shift)) == [(due_at_ms, "b")]
        assert named.deadlines.next_deadline() is None


def test_the_last_instant_that_fits_is_exact() -> None:
    named = Named(0)
    named.set("last", DUE_AT_MS_MAX)
    assert named.fired(DUE_AT_MS_MAX - 1) == []
    assert named.fired(DUE_AT_MS_MAX) == [(DUE_AT_MS_MAX, "last")]


@pytest.mark.parametrize("due_at_ms", [-1, DUE_AT_MS_MAX + 1])
def test_an_instant_out_of_range_is_a_programmers_error_that_changes_nothing(
    due_at_ms: int,
) -> None:
    named = Named()
    idle = Alarm("idle")
    alarm = named.set("a", START_AT_MS + 5)
    for refused in (alarm, idle):
        with pytest.raises(AssertionError):
            named.deadlines.insert(refused, due_at_ms)
    assert (alarm.due_at_ms, idle.due_at_ms) == (START_AT_MS + 5, NEVER_AT_MS)
    assert named.fired(START_AT_MS + YEAR_MS) == [(START_AT_MS + 5, "a")]


def test_a_clock_set_back_makes_nothing_early_and_loses_nothing() -> None:
    named = Named()
    named.set("far", START_AT_MS + DAY_MS)
    assert named.fired(START_AT_MS + HOUR_MS) == []
    named.set("soon", START_AT_MS + 1_000)
    assert named.fired(START_AT_MS + 999) == []
    assert named.deadlines.next_deadline() == START_AT_MS + 1_000
    assert named.fired(START_AT_MS + 1_000) == [(START_AT_MS + 1_000, "soon")]
    assert named.fired(START_AT_MS + DAY_MS) == [(START_AT_MS + DAY_MS, "far")]


def test_a_burst_after_a_long_sleep_comes_out_complete_and_in_order() -> None:
    named = Named()
    dues = [START_AT_MS + number * number * 7_919 % (30 * YEAR_MS) for number in range(5_000)]
    for number, due_at_ms in enumerate(dues):
        named.set(f"{number:04}", due_at_ms)
    expected = sorted((due_at_ms, f"{number:04}") for number, due_at_ms in enumerate(dues))
    assert named.fired(START_AT_MS + 30 * YEAR_MS) == expected
    assert len(named.deadlines) == 0


# Order at one instant


def test_equal_instants_fire_in_order_of_arming_though_armed_from_different_levels() -> None:
    due_at_ms = START_AT_MS + 60 * DAY_MS
    expected = ["from afar", "a month before", "ten minutes before", "a moment before", "at last"]
    named = Named()
    for name, at_ms in zip(
        expected,
        [START_AT_MS, due_at_ms - 30 * DAY_MS, due_at_ms - 600_000, due_at_ms - 1, due_at_ms - 1],
        strict=True,
    ):
        assert named.fired(at_ms) == []
        named.set(name, due_at_ms)
    assert named.names(due_at_ms) == expected


def test_a_postponed_alarm_has_the_place_of_the_time_it_was_looked_at() -> None:
    due_at_ms = START_AT_MS + 2 * DAY_MS
    named = Named()
    named.set("postponed", START_AT_MS + DAY_MS)
    named.set("postponed", due_at_ms)
    named.set("armed before the look", due_at_ms)
    assert named.fired(START_AT_MS + DAY_MS) == []
    named.set("armed after the look", due_at_ms)
    expected = ["armed before the look", "postponed", "armed after the look"]
    assert named.names(due_at_ms) == expected


@pytest.mark.parametrize("distance_ms", [0, 1, 20_000, DAY_MS])
def test_an_alarm_that_is_set_again_at_its_own_instant_keeps_its_place(distance_ms: int) -> None:
    named = Named()
    for name in ("a", "b", "a"):
        named.set(name, START_AT_MS + distance_ms)
    assert named.names(START_AT_MS + distance_ms) == ["a", "b"]


@pytest.mark.parametrize("distance_ms", [0, 20_000, DAY_MS])
def test_a_copy_that_is_met_twice_in_a_slot_fires_once(distance_ms: int) -> None:
    due_at_ms = START_AT_MS + distance_ms
    named = Named()
    for _ in range(3):
        named.set("a", due_at_ms)
        named.remove("a")
        named.set("a", due_at_ms + 1)
        named.set("a", due_at_ms)
    named.set("b", due_at_ms)
    assert sorted(named.fired(due_at_ms + HOUR_MS)) == [(due_at_ms, "a"), (due_at_ms, "b")]
    assert len(named.deadlines) == named.deadlines._stale == entries_held(named.deadlines) == 0


def test_an_alarm_that_fires_and_is_set_to_the_same_instant_fires_once_for_each_setting() -> None:
    slot_at_ms = (START_AT_MS >> SHIFTS[0]) + 5 << SHIFTS[0]
    named = Named()
    for _ in range(2):
        named.set("a", slot_at_ms + 7)
        named.set("a", slot_at_ms + 3)
        named.remove("a")
    named.set("a", slot_at_ms + 7)
    times = 0
    for due_at_ms, alarm in named.deadlines.advance(slot_at_ms + 100):
        assert due_at_ms == slot_at_ms + 7
        times += 1
        if times < 3:
            named.deadlines.insert(alarm, due_at_ms)
    assert times == 3


def test_an_alarm_of_the_opened_slot_that_is_set_to_and_fro_keeps_one_place_only() -> None:
    slot_at_ms = (START_AT_MS >> SHIFTS[0]) + 5 << SHIFTS[0]
    named = Named()
    for name in ("a", "b", "c"):
        named.set(name, slot_at_ms + 100)
    assert named.fired(slot_at_ms) == []
    named.set("a", slot_at_ms + 50)
    named.set("a", slot_at_ms + 200)
    named.remove("b")
    named.set("b", slot_at_ms + 150)
    expected = [(slot_at_ms + 100, "c"), (slot_at_ms + 150, "b"), (slot_at_ms + 200, "a")]
    assert named.fired(slot_at_ms + 200) == expected


# Moves


def test_a_deadline_that_only_moves_later_is_held_once_and_fires_where_it_ends() -> None:
    named = Named()
    alarm = named.set("ann", START_AT_MS + HOUR_MS)
    for minute in range(1, 60):
        named.set("ann", START_AT_MS + HOUR_MS + minute * 60_000)
        assert alarm.armed_at_ms == START_AT_MS + HOUR_MS
    assert entries_held(named.deadlines) == 1
    last_at_ms = START_AT_MS + HOUR_MS + 59 * 60_000
    assert named.fired(START_AT_MS + HOUR_MS) == []
    assert alarm.armed_at_ms == last_at_ms
    assert named.fired(last_at_ms - 1) == []
    assert named.fired(last_at_ms) == [(last_at_ms, "ann")]


def test_a_postponed_deadline_is_looked_at_once_where_its_slot_spreads() -> None:
    named = Named()
    alarm = named.set("ann", START_AT_MS + DAY_MS)
    named.set("ann", START_AT_MS + 9 * DAY_MS)
    assert named.fired(START_AT_MS + DAY_MS >> SHIFTS[1] << SHIFTS[1]) == []
    assert alarm.armed_at_ms == START_AT_MS + 9 * DAY_MS
    assert named.deadlines.slots_opened == 1


@pytest.mark.parametrize("wait_ms", [1_000, 60_000, HOUR_MS])
def test_an_owner_may_write_a_later_deadline_himself(wait_ms: int) -> None:
    named = Named()
    alarm = named.set("ann", START_AT_MS + wait_ms)
    alarm.due_at_ms = START_AT_MS + 2 * wait_ms
    assert named.fired(START_AT_MS + 2 * wait_ms - 1) == []
    assert named.fired(START_AT_MS + 2 * wait_ms) == [(START_AT_MS + 2 * wait_ms, "ann")]


def test_a_deadline_that_moves_earlier_than_armed_is_armed_there() -> None:
    named = Named()
    alarm = named.set("ann", START_AT_MS + HOUR_MS)
    named.set("ann", START_AT_MS + 5)
    assert alarm.armed_at_ms == START_AT_MS + 5
    assert named.fired(START_AT_MS + 5) == [(START_AT_MS + 5, "ann")]
    assert named.fired(START_AT_MS + 2 * HOUR_MS) == []


def test_a_deadline_that_moves_later_and_part_of_the_way_back_is_exact() -> None:
    named = Named()
    for hours in (1, 3, 2):
        alarm = named.set("ann", START_AT_MS + hours * HOUR_MS)
        assert alarm.armed_at_ms == START_AT_MS + HOUR_MS
    assert named.fired(START_AT_MS + 2 * HOUR_MS - 1) == []
    assert named.fired(START_AT_MS + 2 * HOUR_MS) == [(START_AT_MS + 2 * HOUR_MS, "ann")]


def test_a_removed_deadline_is_gone_and_can_be_set_again() -> None:
    named = Named()
    alarm = named.set("ann", START_AT_MS + HOUR_MS)
    for _ in range(2):
        named.remove("ann")
        assert alarm.due_at_ms == alarm.armed_at_ms == NEVER_AT_MS
        assert len(named.deadlines) == 0
        assert named.deadlines.next_deadline() is None
    named.set("ann", START_AT_MS + 3 * HOUR_MS)
    assert len(named.deadlines) == 1
    assert named.fired(START_AT_MS + 3 * HOUR_MS) == [(START_AT_MS + 3 * HOUR_MS, "ann")]


def test_a_postponed_deadline_that_is_overdue_after_a_sleep_comes_out_in_its_place() -> None:
    named = Named()
    named.set("ann", START_AT_MS + 1_000)
    named.set("bob", START_AT_MS + 2_000)
    named.set("ann", START_AT_MS + 3_000)
    expected = [(START_AT_MS + 2_000, "bob"), (START_AT_MS + 3_000, "ann")]
    assert named.fired(START_AT_MS + HOUR_MS) == expected


# The consumer of `advance`


def test_the_consumer_may_set_the_next_deadline_while_one_fires() -> None:
    named = Named()
    ann = named.set("ann", START_AT_MS)
    offsets_ms = []
    for due_at_ms, alarm in named.deadlines.advance(START_AT_MS + HOUR_MS):
        offsets_ms.append(due_at_ms - START_AT_MS)
        named.deadlines.insert(alarm, due_at_ms + HOUR_MS // 4)
    assert offsets_ms == [0, 900_000, 1_800_000, 2_700_000, 3_600_000]
    assert ann.due_at_ms == START_AT_MS + HOUR_MS + 900_000


def test_the_consumer_may_insert_what_is_already_due_and_it_takes_its_place() -> None:
    named = Named()
    for minute in (1, 2, 3):
        named.set(f"minute {minute}", START_AT_MS + minute * 60_000)
    seen = []
    for due_at_ms, alarm in named.deadlines.advance(START_AT_MS + DAY_MS):
        seen.append((due_at_ms - START_AT_MS, alarm.key))
        if alarm.key == "minute 1":
            named.set("again", due_at_ms + 60_000)
            named.set("earlier", due_at_ms - 5)
            named.remove("minute 3")
    expected = [(60_000, "minute 1"), (59_995, "earlier"), (120_000, "minute 2")]
    assert seen == [*expected, (120_000, "again")]


def test_what_the_consumer_inserts_goes_between_those_of_the_opened_slot() -> None:
    slot_at_ms = (START_AT_MS >> SHIFTS[0]) + 5 << SHIFTS[0]
    named = Named()
    named.set("first", slot_at_ms + 10)
    named.set("last", slot_at_ms + 30)
    names = []
    for _, alarm in named.deadlines.advance(slot_at_ms + 1_000):
        names.append(alarm.key)
        if alarm.key == "first":
            named.set("between", slot_at_ms + 20)
            named.set("not yet", slot_at_ms + 1_001)
    assert names == ["first", "between", "last"]
    assert named.deadlines.next_deadline() == slot_at_ms + 1_001


def test_a_consumer_that_stops_loses_nothing() -> None:
    named = Named()
    for number in range(100):
        named.set(f"{number}", START_AT_MS + number * 1_000)
    seen = []
    while len(named.deadlines):
        for taken, (_, alarm) in enumerate(named.deadlines.advance(START_AT_MS + DAY_MS)):
            seen.append(alarm.key)
            if taken == 6:
                break
    assert seen == [f"{number}" for number in range(100)]


def test_a_consumer_may_advance_the_deadlines_himself() -> None:
    named = Named()
    for number in range(6):
        named.set(f"{number}", START_AT_MS + number * 20_000)
    outer = named.deadlines.advance(START_AT_MS + DAY_MS)
    inner = named.deadlines.advance(START_AT_MS + DAY_MS)
    names = [next(outer)[1].key, next(inner)[1].key, next(inner)[1].key, next(outer)[1].key]
    names += [alarm.key for _, alarm in inner]
    assert names == ["0", "1", "2", "3", "4", "5"]
    assert list(outer) == []


def test_the_consumer_may_cause_a_sweep_of_the_slot_that_is_firing() -> None:
    slot_at_ms = (START_AT_MS >> SHIFTS[0]) + 5 << SHIFTS[0]
    named = Named()
    for number in range(10):
        named.set(f"{number}", slot_at_ms + number)
    names = []
    for due_at_ms, alarm in named.deadlines.advance(slot_at_ms + 100):
        names.append(alarm.key)
        for turn in range(1_000):
            named.set("restless", slot_at_ms + 90 - turn % 9)
            named.remove("restless")
        assert entries_held(named.deadlines) < 150
        assert due_at_ms == slot_at_ms + int(alarm.key)
    assert names == [f"{number}" for number in range(10)]


# Counted work


@pytest.mark.parametrize("distance_ms", [1, DAY_MS, 30 * YEAR_MS])
def test_an_alarm_is_reached_by_its_wakes_alone_and_idle_wakes_are_few(distance_ms: int) -> None:
    named = Named()
    due_at_ms = START_AT_MS + distance_ms
    named.set("a", due_at_ms)
    wakes = []
    while len(named.deadlines):
        wake_at_ms = named.deadlines.next_deadline()
        assert wake_at_ms is not None
        wakes.append(wake_at_ms)
        got = named.fired(wake_at_ms)
        assert got == ([(due_at_ms, "a")] if wake_at_ms == due_at_ms else [])
    assert wakes == sorted(set(wakes))
    assert len(wakes) <= 3


@pytest.mark.parametrize("wait_ms", [1_000, 60_000, DAY_MS])
def test_any_number_of_postponements_adds_wakes_of_one_look_only(wait_ms: int) -> None:
    named = Named()
    for times in range(1, 1_000):
        named.set("a", START_AT_MS + wait_ms + times)
    named.set("a", START_AT_MS + 10 * wait_ms)
    wakes = 0
    while len(named.deadlines):
        wake_at_ms = named.deadlines.next_deadline()
        assert wake_at_ms is not None
        named.fired(wake_at_ms)
        wakes += 1
    assert wakes <= 6


def test_empty_time_costs_nothing_and_each_occupied_slot_is_opened_once() -> None:
    named = Named()
    assert named.fired(START_AT_MS + 10 * YEAR_MS) == []
    assert named.deadlines.slots_opened == 0
    now_ms = START_AT_MS + 10 * YEAR_MS
    named.set("a", now_ms + 20 * YEAR_MS)
    assert named.fired(now_ms + 20 * YEAR_MS - DAY_MS) == []
    assert named.deadlines.slots_opened == 0
    assert len(named.fired(now_ms + 20 * YEAR_MS)) == 1
    assert named.deadlines.slots_opened == 2


def test_the_hand_moves_through_empty_time_so_that_what_is_close_is_opened_once() -> None:
    named = Named()
    later_at_ms = START_AT_MS + 10 * YEAR_MS >> SHIFTS[1] << SHIFTS[1]
    assert named.fired(later_at_ms) == []
    named.set("a", later_at_ms + 60_000)
    assert named.fired(later_at_ms + 60_000) == [(later_at_ms + 60_000, "a")]
    assert named.deadlines.slots_opened == 1


def test_another_window_is_entered_without_touching_what_is_not_yet_near() -> None:
    window_at_ms = (START_AT_MS >> SHIFTS[2]) + 1 << SHIFTS[2]
    named = Named()
    for number in range(1_000):
        named.set(f"{number}", window_at_ms + DAY_MS + number * HOUR_MS)
    assert named.fired(window_at_ms + DAY_MS // 2) == []
    assert named.deadlines.slots_opened == 0
    assert len(named.fired(window_at_ms + DAY_MS + 1_000 * HOUR_MS)) == 1_000


def test_a_thousand_alarms_in_one_slot_open_no_more_slots_than_one_does() -> None:
    opened = []
    for count in (1, 1_000):
        named = Named()
        for number in range(count):
            named.set(f"{number}", START_AT_MS + 20 * DAY_MS)
        assert len(named.fired(START_AT_MS + 20 * DAY_MS)) == count
        opened.append(named.deadlines.slots_opened)
    assert opened == [2, 2]


def test_slots_that_hold_stale_copies_alone_are_few() -> None:
    named = Named()
    for number in range(1_000):
        named.set(f"{number}", START_AT_MS + number * HOUR_MS)
    for number in range(1_000):
        named.remove(f"{number}")
    assert named.deadlines.next_deadline() is None
    assert named.fired(START_AT_MS + YEAR_MS) == []
    assert named.deadlines.slots_opened <= 2 * 65
    assert entries_held(named.deadlines) == named.deadlines._stale == 0
    assert named.deadlines._far._windows == named.deadlines._narrow_occupied == 0


class Watched:
    """An alarm that counts how often any such is looked at."""

    looks = 0

    def __init__(self) -> None:
        self.due_at_ms = self._armed_at_ms = NEVER_AT_MS

    @property
    def armed_at_ms(self) -> int:
        Watched.looks += 1
        return self._armed_at_ms

    @armed_at_ms.setter
    def armed_at_ms(self, at_ms: int) -> None:
        self._armed_at_ms = at_ms


@pytest.mark.parametrize("spread_ms", [1, 16_000, 250_000])
@pytest.mark.parametrize("ahead_ms", [60_000, DAY_MS])
def test_of_very_many_in_a_slot_a_part_is_looked_at_in_one_go(
    ahead_ms: int, spread_ms: int
) -> None:
    deadlines = Deadlines[Watched](START_AT_MS >> SHIFTS[1] << SHIFTS[1])
    first_at_ms = (START_AT_MS >> SHIFTS[1] << SHIFTS[1]) + ahead_ms
    dues = sorted(first_at_ms + number * 7_919 % spread_ms for number in range(12 * PART))
    for due_at_ms in dues:
        deadlines.insert(Watched(), due_at_ms)
    fired = []
    most = 0
    while len(deadlines):
        Watched.looks = 0
        now_ms = deadlines.next_deadline()
        assert now_ms is not None
        for due_at_ms, _ in deadlines.advance(now_ms):
            assert due_at_ms == now_ms
            fired.append(due_at_ms)
            break
        most = max(most, Watched.looks)
    assert fired == dues
    assert most <= 5 * PART


@pytest.mark.parametrize("ahead_ms", [60_000, DAY_MS])
def test_who_sleeps_while_a_slot_of_very_many_is_opened_finds_them_all(ahead_ms: int) -> None:
    named = Named(START_AT_MS >> SHIFTS[1] << SHIFTS[1])
    due_at_ms = (START_AT_MS >> SHIFTS[1] << SHIFTS[1]) + ahead_ms
    for number in range(5 * PART):
        named.set(f"{number}", due_at_ms)
    wake_at_ms = named.deadlines.next_deadline()
    assert wake_at_ms is not None
    assert wake_at_ms < due_at_ms - ahead_ms % (1 << SHIFTS[0])
    assert named.fired(wake_at_ms) == []
    assert named.deadlines.slots_opened == 1
    named.set("just now", wake_at_ms + 1)
    named.set("0", wake_at_ms + 2)
    named.remove("1")
    assert named.names(wake_at_ms + 2) == ["just now", "0"]
    assert sorted(map(int, named.names(due_at_ms))) == list(range(2, 5 * PART))
    assert entries_held(named.deadlines) == named.deadlines._stale == 0


# Nothing stale stays behind


@pytest.mark.parametrize("distance_ms", [10, 30_000, DAY_MS, YEAR_MS])
@pytest.mark.parametrize("removed", [True, False])
def test_an_alarm_that_is_armed_anew_without_end_leaves_nothing_behind(
    distance_ms: int, removed: bool
) -> None:
    named = Named()
    named.set("other", START_AT_MS + distance_ms)
    for turn in range(20_000):
        if removed:
            named.set("a", START_AT_MS + distance_ms + turn % 977 * (distance_ms >> 3))
            named.remove("a")
        else:
            named.set("a", START_AT_MS + 2 * distance_ms + 20_000 - turn)
        assert entries_held(named.deadlines) <= 4 * (2 + 64)
    windows = {number >> SHIFTS[2] - SHIFTS[1] for number in named.deadlines._wide}
    assert named.deadlines._far._occupied.keys() == windows


def test_users_who_come_and_go_for_a_week_never_hold_more_than_four_copies_each() -> None:
    named = Named()
    users = [f"{number}" for number in range(300)]
    for turn in range(7 * 24):
        now_ms = START_AT_MS + turn * HOUR_MS
        # Each one seen waits half an hour; where that ends, another week begins.
        for name in users[turn % 7 :: 7]:
            named.set(name, now_ms + HOUR_MS // 2 + turn * 7_919 % 1_000)
        for _, alarm in named.deadlines.advance(now_ms + HOUR_MS - 1):
            named.deadlines.insert(alarm, now_ms + 7 * 24 * HOUR_MS)
        assert entries_held(named.deadlines) <= 4 * len(named.deadlines) + 64
        assert entries_held(named.deadlines) == len(named.deadlines) + named.deadlines._stale


def test_alarms_of_the_opened_slot_that_move_without_end_leave_nothing_behind() -> None:
    slot_at_ms = (START_AT_MS >> SHIFTS[0]) + 5 << SHIFTS[0]
    named = Named()
    named.set("first", slot_at_ms)
    named.set("a", slot_at_ms + 9_000)
    assert named.fired(slot_at_ms) == [(slot_at_ms, "first")]
    for turn in range(20_000):
        named.set("a", slot_at_ms + 1 + turn % 9_000)
        if turn % 3 == 0:
            named.remove("a")
        assert entries_held(named.deadlines) <= 4 * (2 + 64)


@pytest.mark.parametrize("distance_ms", [5, 60_000, DAY_MS])
def test_alarms_that_come_back_to_their_instant_are_held_a_few_times(distance_ms: int) -> None:
    due_at_ms = (START_AT_MS >> SHIFTS[1] << SHIFTS[1]) + distance_ms
    named = Named(START_AT_MS >> SHIFTS[1] << SHIFTS[1])
    for turn in range(20_000):
        name = f"{turn % 100}"
        named.set(name, due_at_ms)
        named.remove(name)
        named.set(name, due_at_ms)
        assert entries_held(named.deadlines) <= 4 * (100 + 64)
    assert len(named.fired(due_at_ms)) == 100


def test_a_sweep_of_the_opened_slot_leaves_out_what_has_gone_elsewhere() -> None:
    slot_at_ms = (START_AT_MS >> SHIFTS[0]) + 5 << SHIFTS[0]
    named = Named()
    for name in ("first", "goes far", "goes for good"):
        named.set(name, slot_at_ms)
    for _, alarm in named.deadlines.advance(slot_at_ms):
        assert alarm.key == "first"
        named.remove("goes for good")
        named.remove("goes far")
        named.set("goes far", slot_at_ms + DAY_MS)
        break
    for _ in range(1_000):
        named.set("restless", slot_at_ms + DAY_MS)
        named.remove("restless")
    assert named.deadlines._near.run == []
    named.set("between", slot_at_ms + HOUR_MS)
    assert named.fired(slot_at_ms + HOUR_MS) == [(slot_at_ms + HOUR_MS, "between")]
    assert named.fired(slot_at_ms + DAY_MS) == [(slot_at_ms + DAY_MS, "goes far")]


class CountingSweeps(Deadlines[Alarm[str]]):
    """Adds up what sweeping costs."""

    swept = 0

    def _sweep_next(self) -> int:
        cost = super()._sweep_next()
        self.swept += cost
        return cost


def test_sweeping_costs_a_few_entries_for_each_copy_left_stale() -> None:
    deadlines = CountingSweeps(START_AT_MS)
    alarms = [Alarm(f"{number}") for number in range(2_000)]
    for alarm in alarms:
        deadlines.insert(alarm, START_AT_MS + DAY_MS)
    moves = 20_000
    for turn in range(moves):
        alarm = alarms[turn * 7 % 2_000]
        deadlines.remove(alarm)
        deadlines.insert(alarm, START_AT_MS + DAY_MS + turn % 50 * 60_000)
    assert moves < deadlines.swept <= 5 * moves
    assert entries_held(deadlines) <= 4 * (2_000 + 64)
