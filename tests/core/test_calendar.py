"""Boundaries of the calendar, against asking at every step of a coarse and a fine walk."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.calendar import BOUNDARIES, EVERY_DAY, next_boundary_ms, next_local_ms
from engine.core.cel import compile as compile_cel
from engine.core.instants import to_datetime

MINUTE = 60_000
HOUR = 3_600_000
ZONES = ("UTC", "Europe/Paris", "Australia/Lord_Howe", "America/St_Johns", "+05:45", "Asia/Tehran")


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def part(getter: str, at_ms: int, zone: str) -> object:
    return compile_cel(f'now.{getter}("{zone}")').evaluate({"now": to_datetime(at_ms)})


@given(
    getter=st.sampled_from(sorted(BOUNDARIES)),
    zone=st.sampled_from(ZONES),
    now_ms=st.integers(ms("1990-01-01"), ms("2037-12-31")),
    shares=st.lists(st.floats(0, 1), max_size=8),
)
def test_until_the_boundary_no_part_changes(
    getter: str, zone: str, now_ms: int, shares: list[float]
) -> None:
    until_ms = next_boundary_ms(getter, now_ms, zone)
    assert until_ms is not None
    assert until_ms > now_ms
    here = part(getter, now_ms, zone)
    between = [now_ms + int(share * (until_ms - 1 - now_ms)) for share in shares]
    assert all(part(getter, at_ms, zone) == here for at_ms in (*between, until_ms - 1))


@pytest.mark.parametrize(
    ("getter", "zone", "now", "expected"),
    [
        ("getHours", "UTC", "2026-03-01T10:20:30", "2026-03-01T11:00"),
        ("getMonth", "UTC", "2026-12-05T00:00", "2027-01-01T00:00"),
        ("getFullYear", "+02:00", "2026-12-05T00:00", "2026-12-31T22:00"),
        # 01:00 UTC: the clocks of Paris go from 02:00 to 03:00, and that day has 23 hours.
        ("getHours", "Europe/Paris", "2026-03-29T00:30", "2026-03-29T01:00"),
        ("getDayOfWeek", "Europe/Paris", "2026-03-29T01:00", "2026-03-29T22:00"),
        # Half an hour forward at 02:00 local time, on Lord Howe Island.
        ("getHours", "Australia/Lord_Howe", "2026-10-03T15:10", "2026-10-03T15:30"),
    ],
)
def test_boundaries_in_a_zone(getter: str, zone: str, now: str, expected: str) -> None:
    assert next_boundary_ms(getter, ms(now), zone) == ms(expected)


def test_where_there_is_no_zone_or_no_year_left_there_is_no_boundary() -> None:
    assert next_boundary_ms("getHours", 0, "Mars/Olympus") is None
    assert next_boundary_ms("getFullYear", ms("9999-06-01"), "UTC") is None


@pytest.mark.parametrize("name", ["localtime", "posixrules"])
def test_where_this_machine_stands_is_no_time_zone(name: str) -> None:
    assert next_boundary_ms("getHours", 0, name) is None


CLOCKS = ("Europe/Paris", "America/New_York", "Australia/Lord_Howe", "America/St_Johns", "UTC")


def shown(zone: ZoneInfo, at_ms: int) -> datetime:
    return to_datetime(at_ms).astimezone(zone).replace(tzinfo=None)


def walked(zone: ZoneInfo, minute: int, days: frozenset[int], after_ms: int) -> int:
    """Minute for minute, until the clock shows it for the first time, or has leapt over it."""
    at_ms = after_ms - after_ms % MINUTE - 6 * HOUR
    before, seen, found_ms = shown(zone, at_ms), set[datetime](), 0
    while found_ms <= after_ms:
        at_ms += MINUTE
        local = shown(zone, at_ms)
        target = local.replace(hour=minute // 60, minute=minute % 60)
        if target.weekday() in days and local == target and local not in seen:
            found_ms = at_ms
        elif target.weekday() in days and before < target < local:
            # As if the clock had gone on as before.
            found_ms = at_ms + (target - before - timedelta(minutes=1)) // timedelta(milliseconds=1)
        seen.add(local)
        before = local
    return found_ms


@settings(max_examples=60)
@given(
    zone=st.sampled_from(CLOCKS),
    change=st.sampled_from(("2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01", "2026-04-05")),
    hours=st.integers(-30, 6),
    minute=st.one_of(st.integers(0, 1439), st.sampled_from((59, 60, 90, 119, 120, 150, 179, 180))),
    days=st.frozensets(st.sampled_from((5, 6, 0)), min_size=1),
    ms_more=st.integers(0, MINUTE - 1),
)
def test_the_next_local_time_is_found_as_by_walking(
    zone: str, change: str, hours: int, minute: int, days: frozenset[int], ms_more: int
) -> None:
    after_ms = ms(change) + hours * HOUR + ms_more
    own = ZoneInfo(zone)
    assert next_local_ms(own, minute, days, after_ms) == walked(own, minute, days, after_ms)


@pytest.mark.parametrize(
    ("zone", "minute", "after", "expected"),
    [
        ("Europe/Paris", 150, "2026-03-28T12:00", "2026-03-29T01:30"),  # 02:30 is 03:30
        ("Europe/Paris", 150, "2026-10-24T12:00", "2026-10-25T00:30"),  # the first 02:30
        ("Europe/Paris", 150, "2026-10-25T00:30", "2026-10-26T01:30"),  # and not the second
        ("America/New_York", 150, "2026-03-07T12:00", "2026-03-08T07:30"),
        ("America/New_York", 90, "2026-10-31T12:00", "2026-11-01T05:30"),
        ("Australia/Lord_Howe", 135, "2026-10-03T00:00", "2026-10-03T15:45"),  # a leap of 30 min
        ("America/St_Johns", 1110, "2026-06-01T00:00", "2026-06-01T21:00"),
        ("UTC", 1110, "2026-06-01T18:30", "2026-06-02T18:30"),  # always ahead
    ],
)
def test_the_next_local_time(zone: str, minute: int, after: str, expected: str) -> None:
    assert next_local_ms(ZoneInfo(zone), minute, EVERY_DAY, ms(after)) == ms(expected)


def test_behind_the_last_day_of_the_calendar_there_is_no_next_local_time() -> None:
    assert next_local_ms(ZoneInfo("UTC"), 0, EVERY_DAY, ms("9999-12-31T12:00")) is None
