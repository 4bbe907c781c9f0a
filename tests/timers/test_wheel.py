from __future__ import annotations

import pytest

from engine.timers import DUE_AT_MS_MAX, Wheel
from engine.timers.wheel import LEVEL_SHIFTS

START_AT_MS = 1_760_000_000_123
DAY_MS = 86_400_000
YEAR_MS = 31_557_600_000


def fired(wheel: Wheel[str], now_ms: int) -> list[tuple[int, str]]:
    return list(wheel.advance(now_ms))


def test_an_entry_fires_at_its_instant_and_not_a_millisecond_before() -> None:
    wheel = Wheel[str](START_AT_MS)
    wheel.insert("a", START_AT_MS + 7_200_000)
    assert fired(wheel, START_AT_MS + 7_199_999) == []
    assert fired(wheel, START_AT_MS + 7_200_000) == [(START_AT_MS + 7_200_000, "a")]
    assert fired(wheel, START_AT_MS + 7_200_001) == []


def test_an_instant_that_has_passed_fires_at_once() -> None:
    wheel = Wheel[str](START_AT_MS)
    wheel.insert("long ago", 0)
    wheel.insert("now", START_AT_MS)
    assert wheel.next_deadline() == 0
    assert fired(wheel, START_AT_MS) == [(0, "long ago"), (START_AT_MS, "now")]


@pytest.mark.parametrize("shift", LEVEL_SHIFTS)
@pytest.mark.parametrize("aligned", [True, False])
def test_at_each_boundary_of_a_level_entries_are_exact_one_before_on_and_one_after(
    shift: int, aligned: bool
) -> None:
    start_at_ms = START_AT_MS >> shift << shift if aligned else START_AT_MS
    boundary_at_ms = (start_at_ms >> shift) + 1 << shift
    wheel = Wheel[str](start_at_ms)
    dues = {f"{offset:+d}": boundary_at_ms + offset for offset in (1, 0, -1)}
    for key, due_at_ms in dues.items():
        wheel.insert(key, due_at_ms)
    assert fired(wheel, boundary_at_ms - 2) == []
    for key in ("-1", "+0", "+1"):
        assert fired(wheel, dues[key]) == [(dues[key], key)]


@pytest.mark.parametrize("shift", LEVEL_SHIFTS)
@pytest.mark.parametrize("offset", [-1, 0, 1])
def test_a_distance_of_each_level_width_is_exact(shift: int, offset: int) -> None:
    wheel = Wheel[str](START_AT_MS)
    due_at_ms = START_AT_MS + (1 << shift) + offset
    wheel.insert("a", due_at_ms)
    assert fired(wheel, due_at_ms - 1) == []
    assert fired(wheel, due_at_ms) == [(due_at_ms, "a")]


@pytest.mark.parametrize("shift", LEVEL_SHIFTS)
def test_the_hand_may_stand_on_either_side_of_a_boundary_when_an_entry_is_removed(
    shift: int,
) -> None:
    boundary_at_ms = (START_AT_MS >> shift) + 1 << shift
    for hand_at_ms in (boundary_at_ms - 1, boundary_at_ms, boundary_at_ms + 1):
        wheel = Wheel[str](START_AT_MS)
        wheel.insert("a", boundary_at_ms + (1 << shift))
        wheel.insert("b", boundary_at_ms + (1 << shift))
        assert fired(wheel, hand_at_ms) == []
        assert wheel.remove("a") == boundary_at_ms + (1 << shift)
        assert fired(wheel, boundary_at_ms + (2 << shift)) == [(boundary_at_ms + (1 << shift), "b")]
        assert wheel.next_deadline() is None


def test_the_last_instant_that_fits_is_exact_and_a_later_one_is_a_programmers_error() -> None:
    wheel = Wheel[str](0)
    wheel.insert("last", DUE_AT_MS_MAX)
    with pytest.raises(AssertionError):
        wheel.insert("beyond", DUE_AT_MS_MAX + 1)
    with pytest.raises(AssertionError):
        wheel.insert("before the epoch", -1)
    assert fired(wheel, DUE_AT_MS_MAX - 1) == []
    assert fired(wheel, DUE_AT_MS_MAX) == [(DUE_AT_MS_MAX, "last")]


def test_equal_instants_fire_in_order_of_insertion_though_inserted_into_different_levels() -> None:
    due_at_ms = START_AT_MS + 60 * DAY_MS
    wheel = Wheel[str](START_AT_MS)
    wheel.insert("from afar", due_at_ms)
    assert fired(wheel, due_at_ms - 30 * DAY_MS) == []
    wheel.insert("a month before", due_at_ms)
    assert fired(wheel, due_at_ms - 600_000) == []
    wheel.insert("ten minutes before", due_at_ms)
    assert fired(wheel, due_at_ms - 1) == []
    wheel.insert("a moment before", due_at_ms)
    wheel.insert("at last", due_at_ms)
    keys = [key for _, key in fired(wheel, due_at_ms)]
    expected = ["from afar", "a month before", "ten minutes before", "a moment before", "at last"]
    assert keys == expected


@pytest.mark.parametrize("distance_ms", [0, 1, 20_000, DAY_MS])
def test_an_entry_armed_anew_at_its_own_instant_goes_to_the_end(distance_ms: int) -> None:
    wheel = Wheel[str](START_AT_MS)
    for key in ("a", "b", "c"):
        wheel.insert(key, START_AT_MS + distance_ms)
    wheel.insert("a", START_AT_MS + distance_ms)
    assert [key for _, key in fired(wheel, START_AT_MS + distance_ms)] == ["b", "c", "a"]


def test_an_entry_of_the_opened_slot_that_is_armed_to_and_fro_keeps_one_place_only() -> None:
    slot_at_ms = (START_AT_MS >> 14) + 5 << 14
    wheel = Wheel[str](START_AT_MS)
    for key in ("a", "b", "c"):
        wheel.insert(key, slot_at_ms + 100)
    assert fired(wheel, slot_at_ms) == []
    wheel.insert("a", slot_at_ms + 50)
    wheel.insert("a", slot_at_ms + 100)
    wheel.remove("b")
    wheel.insert("b", slot_at_ms + 100)
    assert [key for _, key in fired(wheel, slot_at_ms + 100)] == ["c", "a", "b"]
    assert len(wheel) == 0


def test_remove_tells_the_instant_and_of_an_absent_key_none() -> None:
    wheel = Wheel[str](START_AT_MS)
    wheel.insert("near", START_AT_MS)
    wheel.insert("far", START_AT_MS + YEAR_MS)
    assert wheel.due_of("near") == START_AT_MS
    assert wheel.due_of("far") == START_AT_MS + YEAR_MS
    assert wheel.remove("near") == START_AT_MS
    assert wheel.remove("far") == START_AT_MS + YEAR_MS
    assert wheel.remove("far") is None
    assert wheel.due_of("far") is None
    assert "far" not in wheel
    assert wheel.next_deadline() is None


def test_the_consumer_may_insert_what_is_already_due_and_it_takes_its_place() -> None:
    wheel = Wheel[str](START_AT_MS)
    for minute in (1, 2, 3):
        wheel.insert(f"minute {minute}", START_AT_MS + minute * 60_000)
    seen = []
    for due_at_ms, key in wheel.advance(START_AT_MS + DAY_MS):
        seen.append((due_at_ms - START_AT_MS, key))
        if key == "minute 1":
            wheel.insert("again", due_at_ms + 60_000)
            wheel.insert("earlier", due_at_ms - 5)
            wheel.remove("minute 3")
    expected = [(60_000, "minute 1"), (59_995, "earlier"), (120_000, "minute 2")]
    assert seen == [*expected, (120_000, "again")]


def test_what_the_consumer_inserts_goes_between_the_entries_of_the_opened_slot() -> None:
    slot_at_ms = (START_AT_MS >> 14) + 5 << 14
    wheel = Wheel[str](START_AT_MS)
    for key, offset_ms in (("first", 10), ("last", 30)):
        wheel.insert(key, slot_at_ms + offset_ms)
    keys = []
    for _, key in wheel.advance(slot_at_ms + 1_000):
        keys.append(key)
        if key == "first":
            wheel.insert("between", slot_at_ms + 20)
            wheel.insert("not yet", slot_at_ms + 1_001)
    assert keys == ["first", "between", "last"]
    assert wheel.next_deadline() == slot_at_ms + 1_001


def test_a_consumer_that_stops_loses_nothing() -> None:
    wheel = Wheel[str](START_AT_MS)
    for number in range(100):
        wheel.insert(f"{number}", START_AT_MS + number * 1_000)
    seen = []
    while len(wheel):
        for taken, (_, key) in enumerate(wheel.advance(START_AT_MS + DAY_MS)):
            seen.append(key)
            if taken == 6:
                break
    assert seen == [f"{number}" for number in range(100)]


def test_a_consumer_may_advance_the_wheel_himself() -> None:
    wheel = Wheel[str](START_AT_MS)
    for number in range(6):
        wheel.insert(f"{number}", START_AT_MS + number * 20_000)
    outer = wheel.advance(START_AT_MS + DAY_MS)
    inner = wheel.advance(START_AT_MS + DAY_MS)
    keys = [next(outer)[1], next(inner)[1], next(inner)[1], next(outer)[1]]
    keys += [key for _, key in inner]
    assert keys == ["0", "1", "2", "3", "4", "5"]
    assert list(outer) == []


def test_a_clock_set_back_makes_nothing_early_and_loses_nothing() -> None:
    wheel = Wheel[str](START_AT_MS)
    wheel.insert("far", START_AT_MS + DAY_MS)
    assert fired(wheel, START_AT_MS + 3_600_000) == []
    wheel.insert("soon", START_AT_MS + 1_000)
    assert fired(wheel, START_AT_MS + 999) == []
    assert wheel.next_deadline() == START_AT_MS + 1_000
    assert fired(wheel, START_AT_MS + 1_000) == [(START_AT_MS + 1_000, "soon")]
    assert fired(wheel, START_AT_MS + DAY_MS) == [(START_AT_MS + DAY_MS, "far")]


def test_a_burst_after_a_long_sleep_comes_out_complete_and_in_order() -> None:
    wheel = Wheel[int](START_AT_MS)
    dues = [START_AT_MS + number * number * 7_919 % (30 * YEAR_MS) for number in range(5_000)]
    for key, due_at_ms in enumerate(dues):
        wheel.insert(key, due_at_ms)
    expected = sorted((due_at_ms, key) for key, due_at_ms in enumerate(dues))
    assert list(wheel.advance(START_AT_MS + 30 * YEAR_MS)) == expected
    assert len(wheel) == 0


@pytest.mark.parametrize("distance_ms", [1, DAY_MS, 30 * YEAR_MS])
def test_an_entry_is_reached_by_its_wakes_alone_and_idle_wakes_are_few(distance_ms: int) -> None:
    wheel = Wheel[str](START_AT_MS)
    due_at_ms = START_AT_MS + distance_ms
    wheel.insert("a", due_at_ms)
    wakes = []
    while len(wheel):
        wake_at_ms = wheel.next_deadline()
        assert wake_at_ms is not None
        wakes.append(wake_at_ms)
        got = fired(wheel, wake_at_ms)
        assert got == ([(due_at_ms, "a")] if wake_at_ms == due_at_ms else [])
    assert wakes == sorted(set(wakes))
    assert len(wakes) <= 1 + len(LEVEL_SHIFTS)


def test_empty_time_costs_nothing_and_each_occupied_slot_is_opened_once() -> None:
    wheel = Wheel[str](START_AT_MS)
    assert fired(wheel, START_AT_MS + 10 * YEAR_MS) == []
    assert wheel.slots_opened == 0
    now_ms = START_AT_MS + 10 * YEAR_MS
    wheel.insert("a", now_ms + 20 * YEAR_MS)
    assert fired(wheel, now_ms + 20 * YEAR_MS - DAY_MS) == []
    assert wheel.slots_opened <= 2
    assert len(fired(wheel, now_ms + 20 * YEAR_MS)) == 1
    assert wheel.slots_opened <= len(LEVEL_SHIFTS)


def test_the_hand_moves_through_empty_time_so_that_what_is_close_needs_no_cascade() -> None:
    wheel = Wheel[str](START_AT_MS)
    later_at_ms = START_AT_MS + 10 * YEAR_MS >> 20 << 20
    assert fired(wheel, later_at_ms) == []
    wheel.insert("a", later_at_ms + 60_000)
    assert fired(wheel, later_at_ms + 60_000) == [(later_at_ms + 60_000, "a")]
    assert wheel.slots_opened == 1


def test_a_thousand_entries_in_one_slot_open_no_more_slots_than_one_entry_does() -> None:
    opened = []
    for count in (1, 1_000):
        wheel = Wheel[int](START_AT_MS)
        for key in range(count):
            wheel.insert(key, START_AT_MS + 20 * DAY_MS)
        assert len(list(wheel.advance(START_AT_MS + 20 * DAY_MS))) == count
        opened.append(wheel.slots_opened)
    assert opened[0] == opened[1] > 0


def test_slots_that_were_emptied_by_removal_are_never_opened() -> None:
    wheel = Wheel[int](START_AT_MS)
    for key in range(1_000):
        wheel.insert(key, START_AT_MS + key * 3_600_000)
    for key in range(1_000):
        wheel.remove(key)
    assert wheel.next_deadline() is None
    assert list(wheel.advance(START_AT_MS + YEAR_MS)) == []
    assert wheel.slots_opened == 0


def entries_held(wheel: Wheel[str]) -> int:
    """Count every reference the wheel keeps to an entry, live or stale."""
    far = sum(len(slot) for slots in wheel._slots for slot in slots if slot is not None)
    return far + len(wheel._run) + len(wheel._late_heap) + len(wheel._due)


@pytest.mark.parametrize("distance_ms", [10, 30_000, DAY_MS, YEAR_MS])
def test_a_key_armed_anew_without_end_leaves_nothing_behind(distance_ms: int) -> None:
    wheel = Wheel[str](START_AT_MS)
    wheel.insert("other", START_AT_MS + distance_ms)
    for turn in range(20_000):
        wheel.insert("a", START_AT_MS + distance_ms + turn % 977 * (distance_ms >> 3))
    assert len(wheel) == 2
    assert entries_held(wheel) <= 4 + 2 * 2 + 64
    assert sum(occupied.bit_count() for occupied in wheel._occupied) <= 2


def test_entries_of_the_opened_slot_that_move_without_end_leave_nothing_behind() -> None:
    slot_at_ms = (START_AT_MS >> 14) + 5 << 14
    wheel = Wheel[str](START_AT_MS)
    wheel.insert("first", slot_at_ms)
    wheel.insert("a", slot_at_ms + 9_000)
    assert fired(wheel, slot_at_ms) == [(slot_at_ms, "first")]
    for turn in range(20_000):
        wheel.insert("a", slot_at_ms + 1 + turn % 9_000)
        if turn % 3 == 0:
            wheel.remove("a")
    assert entries_held(wheel) <= 70
