from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.templates.dates import format_date, instant_of

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        1_767_268_800_000,
        1_767_268_800,
        1_767_268_800.0,
        "1767268800000",
        " 1767268800 ",
        "2026-01-01T12:00:00Z",
        "2026-01-01T12:00:00.000Z",
        "2026-01-01T13:00:00+01:00",
        "2026-01-01 12:00",
        datetime(2026, 1, 1, 12),  # noqa: DTZ001 - what is without a zone is UTC
        NOON,
    ],
)
def test_an_instant_may_be_written_in_many_ways(value: object) -> None:
    assert instant_of(value) == NOON


@pytest.mark.parametrize(
    "value", [None, True, "", "soon", "--5", "-", [], {}, float("nan"), 10**30, "9" * 400]
)
def test_what_is_no_instant_is_none(value: object) -> None:
    assert instant_of(value) is None


def test_a_day_is_its_first_instant() -> None:
    assert instant_of("2026-01-01") == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "shown"),
    [("UTC", "12:00"), ("Europe/Paris", "13:00"), ("America/New_York", "07:00")],
)
def test_an_instant_is_shown_in_local_time(zone: str, shown: str) -> None:
    assert format_date(NOON, "%H:%M", zone) == shown


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "/etc/passwd", "a\0b"])
def test_an_unknown_zone_is_named(zone: str) -> None:
    with pytest.raises(ValueError, match="unknown time zone"):
        format_date(NOON, "%H", zone)


def test_what_is_no_instant_is_shown_as_it_is() -> None:
    assert format_date("soon", "%Y", "UTC") == "soon"
    assert format_date(None, "%Y", "UTC") == ""
    assert format_date("2026-01-01", "", "UTC") == "2026-01-01"


@given(st.text() | st.integers() | st.floats() | st.none() | st.booleans())
def test_any_value_is_an_instant_or_none(value: object) -> None:
    assert isinstance(instant_of(value), (datetime, type(None)))
