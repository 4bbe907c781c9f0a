"""Boundaries of the calendar, against asking at every step of a coarse and a fine walk."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.calendar import BOUNDARIES, next_boundary_ms
from engine.core.cel import compile as compile_cel
from engine.core.instants import to_datetime

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
