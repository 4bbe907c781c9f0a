"""Traps of conditions over time, each with an answer that was worked out by hand.

What is compared are the instants at which a user comes in, in milliseconds since `START`. Each
trap is put to the oracle and to the engine: who shares a mistake with the other is found out here.
"""

from __future__ import annotations

from typing import Any

from tests.conditions.functions import Calendar, Idle, Reckoned, Since
from tests.conditions.scripts import HOUR, count, did, happening, rises, told_of, total
from tests.conditions.trees import Both, Compared, Either, Literal, No, Read

# A user's first input


def test_a_first_event_that_nobody_names_makes_true_what_is_absent() -> None:
    assert rises(No(did("X")), happening(3, "other")) == [3]
    assert rises(count("X", "<", 2), happening(3, "other")) == [3]


def test_an_identify_is_a_first_input_too() -> None:
    assert rises(No(did("X")), told_of(3, n=1), happening(5, "other")) == [3]


def test_what_is_always_true_is_entered_once() -> None:
    assert rises(count("X", ">=", 0), happening(0, "A"), happening(5, "A")) == [0]


# Idle


def test_any_activity_moves_idle_named_or_not() -> None:
    script = (happening(0, "other"), happening(7, "another"))
    assert rises(Idle(5), *script) == [5, 12]
    assert rises(No(Idle(5)), *script) == [0, 7]


def test_identify_is_no_activity() -> None:
    assert rises(Idle(5), happening(0, "other"), told_of(3, n=1)) == [5]


def test_who_has_done_nothing_is_not_idle() -> None:
    assert rises(Idle(5), told_of(0, n=1)) == []
    assert rises(No(Idle(5)), told_of(0, n=1), happening(3, "A"), happening(9, "A")) == [0, 9]


def test_a_late_event_does_not_move_idle_back() -> None:
    assert rises(Idle(5), happening(4, "A"), happening(6, "B", t=1)) == [9]


def test_a_late_first_event_may_find_its_user_idle_already() -> None:
    assert rises(Idle(5), happening(10, "A", t=1)) == [10]


def test_an_event_at_the_very_instant_of_idleness_comes_after_it() -> None:
    assert rises(Idle(5), happening(0, "A"), happening(5, "A")) == [5, 10]


# Windows


def test_what_lies_at_t_leaves_at_exactly_t_and_the_window() -> None:
    assert rises(No(did("A", 10)), happening(0, "A")) == [10]
    assert rises(No(did("A", 10)), happening(0, "A"), happening(10, "A")) == [10, 20]


def test_fewer_than_n_waits_for_the_nth_newest_to_leave() -> None:
    script = (happening(0, "A"), happening(3, "A"), happening(5, "A"))
    assert rises(count("A", "<", 2), *script) == [0, 13]


def test_exactly_n_has_two_instants() -> None:
    script = tuple(happening(at, "A") for at in (0, 3, 20, 21, 22))
    assert rises(count("A", "==", 1), *script) == [0, 10, 20, 31]


def test_events_of_one_instant_are_changes_one_by_one() -> None:
    script = (happening(5, "A"), happening(5, "A"))
    assert rises(count("A", "==", 1), *script) == [5]
    assert rises(count("A", ">=", 2), *script) == [5]
    assert rises(count("A", "==", 1), *script, happening(5, "A"), after=5) == [5]


def test_an_event_that_falls_out_as_another_comes_in_makes_an_edge() -> None:
    assert rises(did("A", 10), happening(0, "A"), happening(10, "A")) == [0, 10]
    assert rises(count("A", ">=", 1), happening(0, "A"), happening(9, "A")) == [0]


def test_a_sum_rises_by_time_when_a_negative_value_falls_out() -> None:
    script = (
        happening(0, "A", {"n": 1}),
        happening(2, "A", {"n": -3}),
        happening(4, "A", {"n": 1}),
    )
    assert rises(total(">", 0), *script) == [0, 12]


def test_what_is_true_can_fall_and_rise_again_by_time_alone() -> None:
    script = (
        happening(0, "A", {"n": 5}),
        happening(1, "A", {"n": -5}),
        happening(2, "A", {"n": 2}),
    )
    assert rises(total(">", 0), *script) == [0, 2, 11]
    assert rises(Either((did("A", 5), Idle(8))), happening(0, "A")) == [0, 8]


def test_different_values_can_become_fewer_by_time_alone() -> None:
    one_value = Compared(Reckoned("distinct", "A", "n", 10), "==", Literal(1))
    script = (happening(0, "A", {"n": 1}), happening(4, "A", {"n": 2}))
    assert rises(one_value, *script) == [0, 10]
    assert rises(one_value, happening(0, "A", {"n": 1}), happening(4, "A", {"n": 1.0})) == [0]


def test_values_stay_with_their_events_when_old_ones_go_and_late_ones_come() -> None:
    script = (
        happening(0, "A", {"n": 1}), happening(3, "A", {"n": 10}), happening(6, "A", {"n": 100}),
        happening(8, "A", {"n": 1000}, t=4),
    )  # fmt: skip
    assert rises(total("==", 1100, 5), *script) == [8]
    assert rises(total("==", 100, 5), *script) == [8, 9]
    assert rises(total("==", 110, 5), *script) == [6]


def test_values_stay_with_their_events_where_some_say_nothing() -> None:
    script = (
        happening(0, "A", {"n": 1}), happening(1, "A"), happening(2, "A", {"n": "x"}),
        happening(3, "A", {"n": 7}), happening(4, "A", t=0), happening(5, "A", {"n": 2}, t=2),
    )  # fmt: skip
    assert rises(total("==", 9, 5), *script) == [5]
    assert rises(total("==", 7, 5), *script) == [5, 7]


# Late events


def test_a_late_event_counts_where_it_happened_and_enters_when_it_is_known() -> None:
    script = (happening(0, "A"), happening(6, "A", t=2))
    assert rises(count("A", ">=", 2), *script) == [6]
    assert rises(No(count("A", ">=", 2)), *script) == [0, 10]


def test_a_late_event_that_has_left_the_window_already_changes_nothing() -> None:
    assert rises(count("A", ">=", 2), happening(20, "A"), happening(21, "A", t=11)) == []
    assert rises(count("A", ">=", 2), happening(20, "A"), happening(20, "A", t=11)) == [20]


def test_a_late_event_is_not_the_last_one() -> None:
    script = (happening(0, "A"), happening(4, "A", t=0), happening(9, "other"))
    assert rises(Since("A", ">=", 5), *script) == [5]


# Since


def test_since_what_never_happened_is_neither_long_nor_short_nor_not_long() -> None:
    script = (happening(0, "A"), told_of(3, n=1))
    assert rises(Since("X", ">=", 5), *script) == []
    assert rises(Since("X", "<", 5), *script) == []
    assert rises(No(Since("X", ">=", 5)), *script) == []
    assert rises(Either((Since("X", ">=", 5), did("A"))), *script) == [0]
    assert rises(Both((No(Since("X", "<", 5)), did("A"))), *script) == []


def test_more_than_a_duration_is_a_millisecond_later() -> None:
    assert rises(Since("A", ">=", 10), happening(0, "A")) == [10]
    assert rises(Since("A", ">", 10), happening(0, "A")) == [11]
    assert rises(No(Since("A", "<=", 10)), happening(0, "A")) == [11]
    assert rises(Since("A", "==", 10), happening(0, "A")) == [10]
    assert rises(Since("A", "!=", 10), happening(0, "A")) == [0, 11]


# What was passed over must come back


def test_an_instant_that_was_passed_over_comes_back_with_any_event() -> None:
    idle_after = Both((Idle(5), did("B")))
    assert rises(idle_after, happening(0, "A"), happening(7, "B")) == [12]
    vip = Both((No(did("A", 10)), Compared(Read("user", "n"), "==", Literal(1))))
    assert rises(vip, happening(0, "A"), told_of(12, n=1)) == [12]
    assert rises(vip, happening(0, "A"), told_of(5, n=1)) == [10]
    assert rises(vip, told_of(0, n=1), happening(2, "A"), told_of(3, n=2), told_of(30, n=1)) == [
        0, 30,
    ]  # fmt: skip


# The calendar (START is 2026-01-01T00:00:00Z, a Thursday)


def local(getter: str, by: str, number: int, zone: str) -> Calendar:
    return Calendar(getter, by, number, zone)


def days(day: int, *hours: float) -> Any:
    """Candidate instants: every quarter of an hour about the days asked for."""
    return [1_767_225_600_000 + day * 24 * HOUR + int(hour * HOUR) for hour in hours]


QUARTERS = [quarter / 4 for quarter in range(4 * 24 * 4)]


def test_an_hour_that_comes_twice_is_one() -> None:
    # 2026-10-25 is day 297; summer time ends in Berlin at 01:00Z.
    begin = 297 * 24 * HOUR
    found = rises(
        local("getHours", "==", 2, "Europe/Berlin"), happening(begin - HOUR, "A"),
        after=30 * HOUR, instants=days(296, *QUARTERS),
    )  # fmt: skip
    assert found == [begin, begin + 25 * HOUR]


def test_an_hour_that_is_left_out_never_comes() -> None:
    # 2026-03-29 is day 87; summer time begins in Berlin at 01:00Z.
    begin = 87 * 24 * HOUR
    script = (happening(begin - 2 * HOUR, "A"),)
    more: Any = {"after": 30 * HOUR, "instants": days(86, *QUARTERS)}
    assert rises(local("getHours", "==", 2, "Europe/Berlin"), *script, **more) == [
        begin + 24 * HOUR
    ]
    assert rises(local("getHours", ">=", 2, "Europe/Berlin"), *script, **more) == [
        begin - 2 * HOUR, begin + HOUR, begin + 24 * HOUR,
    ]  # fmt: skip


def test_half_an_hour_that_comes_twice_is_an_hour() -> None:
    # On Lord Howe 02:00 becomes 01:30 at 2026-04-04T15:00Z, day 93.
    begin = 93 * 24 * HOUR + 14 * HOUR
    found = rises(
        local("getMinutes", ">=", 30, "Australia/Lord_Howe"), happening(begin, "A"),
        after=4 * HOUR, instants=days(93, *QUARTERS),
    )  # fmt: skip
    assert found == [begin + HOUR // 2, begin + 2 * HOUR, begin + 3 * HOUR, begin + 4 * HOUR]


def test_another_zone_is_another_time_of_day() -> None:
    script = (
        told_of(0, timezone="Europe/Berlin"), happening(HOUR, "A"),
        told_of(2 * HOUR, timezone="Asia/Kathmandu"), told_of(3 * HOUR, timezone="Nowhere"),
        told_of(30 * HOUR, timezone="Asia/Kathmandu"),
    )  # fmt: skip
    more: Any = {"after": 24 * HOUR, "instants": days(0, *QUARTERS)}
    found = rises(local("getHours", "==", 7, "user.timezone"), *script, **more)
    assert found == [2 * HOUR, 49 * HOUR + HOUR // 4]


# A condition inside of a value


def test_what_is_compared_with_a_condition_changes_as_that_does() -> None:
    same = Compared(Read("user", "vip"), "==", Since("A", ">", 5))
    assert rises(same, told_of(0, vip=True), happening(3, "A")) == [9]
    assert rises(same, told_of(0, vip=False), happening(3, "A")) == [3]
    other = Compared(Since("A", ">", 5), "!=", Read("user", "vip"))
    assert rises(other, told_of(0, vip=False), happening(3, "A"), happening(8, "A")) == [14]
    assert rises(other, told_of(0, vip=1), happening(3, "A")) == [3]
