from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from engine.core import cel

NOW = datetime(2026, 3, 29, 0, 59, 59, 123_456, tzinfo=UTC)


def _value(text: str, **bindings: object) -> object:
    return cel.compile(text).evaluate({"now": NOW, **bindings})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("now.getFullYear()", 2026),
        ("now.getMonth()", 2),
        ("now.getDate()", 29),
        ("now.getDayOfMonth()", 28),
        ("now.getDayOfWeek()", 0),
        ("now.getDayOfYear()", 87),
        ("now.getHours()", 0),
        ("now.getMinutes()", 59),
        ("now.getSeconds()", 59),
        ("now.getMilliseconds()", 123),
        ("now.getHours('Europe/Paris')", 1),
        ("(now + duration('1s')).getHours('Europe/Paris')", 3),
        ("now.getDate('America/New_York')", 28),
        ("now.getHours('+05:30')", 6),
        ("now.getHours('-02:00')", 22),
        ("duration('-90m').getHours()", -1),
        ("duration('1.5s').getMilliseconds()", 500),
    ],
)
def test_a_getter_tells_its_part_in_the_zone_asked(text: str, value: int) -> None:
    assert _value(text) == value


def test_the_zone_may_come_from_the_user() -> None:
    assert _value("now.getHours(user.timezone)", user={"timezone": "Asia/Tokyo"}) == 9


@pytest.mark.parametrize(
    "zone", ["", "Nowhere", "../etc/passwd", "/etc", "Europe", "+25:00", "+01:99", "x" * 300]
)
def test_an_unknown_zone_is_an_error(zone: str) -> None:
    with pytest.raises(cel.CelError, match="no such time zone"):
        _value("now.getHours(zone)", zone=zone)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("timestamp('2026-01-31T08:00:00+01:00')", datetime(2026, 1, 31, 7, tzinfo=UTC)),
        ("timestamp('2026-01-31t08:00:00.5z')", datetime(2026, 1, 31, 8, 0, 0, 500_000, UTC)),
        ("timestamp(86400)", datetime(1970, 1, 2, tzinfo=UTC)),
        ("duration('1h30m')", timedelta(minutes=90)),
        ("duration('-1.5s')", timedelta(seconds=-1.5)),
        ("duration('7d')", timedelta(days=7)),
        ("duration('1us999ns')", timedelta(microseconds=1)),
        ("duration('.5m1.s')", timedelta(seconds=31)),
        ("duration('0')", timedelta()),
        ("now - timestamp(0) == duration(string(now - timestamp(0)))", True),
        ("timestamp(string(now)) == now", True),
        ("string(duration('-1500ms'))", "-1.500s"),
        ("int(timestamp('1969-12-31T23:59:59.5Z'))", -1),
    ],
)
def test_text_and_numbers_become_moments_and_back(text: str, value: object) -> None:
    assert _value(text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *(("timestamp", text) for text in ["", "2026-01-31", "2026-02-30T00:00:00Z"]),
        *(("timestamp", text) for text in ["2026-01-31T08:00:00", "0000-01-01T00:00:00Z"]),
        *(("timestamp", text) for text in ["9999-12-31T23:59:59-01:00", "now", "1767225600"]),
        *(("duration", text) for text in ["", "1", "h", "1x", "1h 30m", "--1s", ".s", "1e3s"]),
        *(("duration", text) for text in ["300y", "999999999999999d", "320000000000s"]),
    ],
)
def test_what_is_no_moment_is_an_error(kind: str, text: str) -> None:
    with pytest.raises(cel.CelError):
        _value(f"{kind}(written)", written=text)


def test_a_timestamp_in_another_zone_is_the_same_instant() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=9)))
    assert _value("now == there && now.getHours() == there.getHours()", there=there) is True


def test_what_leaves_the_calendar_is_an_error() -> None:
    for text in ("now + span", "now - span", "span + span", "timestamp(n)"):
        with pytest.raises(cel.CelError, match="out of range"):
            _value(text, span=timedelta(days=3_000_000), n=2**62)
