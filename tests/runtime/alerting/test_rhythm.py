from __future__ import annotations

import random  # noqa: TID251 - seeded, for counts

import pytest

from engine.runtime.alerting.rhythm import HOUR_MS, WEEK_H, Unusual, goes_on, judge

NOW_H = 5 * WEEK_H
NOW_MS = NOW_H * HOUR_MS + HOUR_MS // 2


def weeks(count: int, *, quiet: range = range(0)) -> dict[int, int]:
    """So many in each hour of five weeks, but for hours of the week that are quiet."""
    return {hour: count for hour in range(NOW_H) if hour % WEEK_H not in quiet}


def test_a_campaign_that_goes_on_as_ever_is_not_unusual():
    assert judge(weeks(30), 0, NOW_MS) is None


def test_a_busy_campaign_that_stops_is_silent_within_the_hour():
    counts = weeks(30) | {NOW_H - 1: 0}
    assert judge(counts, 0, NOW_MS) == Unusual("silent", 0, 1, 30, 4)


def test_one_with_little_to_do_is_silent_once_it_missed_enough_of_it():
    counts = weeks(4)
    for missed in range(1, 6):
        counts[NOW_H - missed] = 0
        assert judge(counts, 0, NOW_MS) is None
    counts[NOW_H - 6] = 0
    assert judge(counts, 0, NOW_MS) == Unusual("silent", 0, 6, 24, 4)


def test_what_is_always_quiet_at_this_hour_of_the_week_is_not_silent():
    night = range(WEEK_H - 5, WEEK_H)
    assert judge(weeks(30, quiet=night), 0, NOW_MS) is None


def test_the_first_of_this_hour_end_a_silence():
    counts = weeks(30) | {NOW_H - 1: 0, NOW_H: 4}
    assert judge(counts, 0, NOW_MS) is None


@pytest.mark.parametrize("hours", [1, 5, 30, WEEK_H + 3, 3 * WEEK_H, 9 * WEEK_H])
def test_a_silence_is_no_measure_of_itself_however_long_it_lasts(hours: int):
    """A week on, the week before was as silent: that is not how it always is."""
    counts, now_ms = weeks(30), (NOW_H + hours) * HOUR_MS
    assert not goes_on(counts, 0, NOW_MS, now_ms)
    some = counts | {NOW_H + hours - 1: min(hours, 24)}  # a thirtieth
    assert goes_on(some, 0, NOW_MS, now_ms) is (hours > 5 * WEEK_H)
    assert goes_on(counts | {NOW_H + hours: 30 * min(hours, 24)}, 0, NOW_MS, now_ms)


def test_what_came_before_a_silence_does_not_end_it_at_night():
    """At nine it fell silent; at three, when little happens, six hours reach back behind nine."""
    counts = weeks(200, quiet=range(3, 8)) | {NOW_H + 1: 100, NOW_H + 2: 0}
    now_ms = (NOW_H + 6) * HOUR_MS
    assert judge(counts, 0, now_ms) is None
    assert not goes_on(counts, 0, (NOW_H + 3) * HOUR_MS, now_ms)


@pytest.mark.parametrize("since_hour", [NOW_H - 2 * WEEK_H, NOW_H - 3 * WEEK_H])
def test_without_three_weeks_nobody_is_judged(since_hour: int):
    counts = {hour: n for hour, n in weeks(30).items() if hour >= since_hour}
    counts |= {NOW_H - 1: 0, NOW_H: 100_000}
    assert judge(counts, since_hour, NOW_MS) is None


def test_many_times_more_than_ever_at_this_hour_is_a_burst_before_the_hour_is_over():
    assert judge(weeks(30) | {NOW_H: 139}, 0, NOW_MS) is None
    assert judge(weeks(30) | {NOW_H: 140}, 0, NOW_MS) == Unusual("burst", 140, 1, 30, 4)


def test_a_sale_of_the_weeks_before_is_no_measure_for_silence():
    counts = weeks(30)
    for hour in range(NOW_H - 2 * WEEK_H - 30, NOW_H - 2 * WEEK_H + 2):
        counts[hour] = 3_000
    assert judge(counts, 0, NOW_MS) is None


def test_an_hour_that_the_clocks_moved_makes_nobody_silent():
    summer = weeks(0) | {
        week * WEEK_H - 1: 200 for week in range(1, 5)
    }  # what came at nine comes an hour later, by UTC, from this week on
    assert judge(summer, 0, NOW_MS) is None


@pytest.mark.parametrize("rate", [3, 25, 400])
def test_chance_alone_alarms_nobody_in_a_year(rate: int):
    """Counts of a constant rate, and one look an hour."""
    drawn = random.Random(rate)
    hours = 52 * WEEK_H
    counts = {hour: sum(drawn.random() < 0.5 for _ in range(2 * rate)) for hour in range(hours + 1)}
    found = [
        judge({k: counts[k] for k in range(max(0, at - 5 * WEEK_H), at)}, 0, at * HOUR_MS)
        for at in range(4 * WEEK_H, hours, 13)
    ]
    assert [one for one in found if one] == []
