from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.durations import (
    DURATION_MS_MAX,
    UNITS_MS,
    DurationError,
    format_duration,
    parse_duration_ms,
)


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("500ms", 500),
        ("30s", 30_000),
        ("10m", 600_000),
        ("1h30m", 5_400_000),
        ("24h", 86_400_000),
        ("7d", 604_800_000),
        ("2w", 1_209_600_000),
        ("1m500ms", 60_500),
        ("1w2d3h4m5s6ms", 788_645_006),
        ("0s", 0),
        ("90m", 5_400_000),
        ("007s", 7_000),
    ],
)
def test_every_form_the_shop_may_write_is_read_to_the_millisecond(text: str, ms: int) -> None:
    assert parse_duration_ms(text) == ms


@pytest.mark.parametrize(
    "text",
    ["", "10", "m", "1.5h", "-1h", "30m1h", "1h1h", "1 h", " 1h", "1h\n", "1H", "5us", "\u0661s"],
)
def test_what_is_no_duration_is_refused_with_the_right_form(text: str) -> None:
    with pytest.raises(DurationError) as raised:
        parse_duration_ms(text)
    assert repr(text) in raised.value.message
    assert "1h30m" in raised.value.hint


def test_a_duration_past_the_longest_is_refused() -> None:
    days = DURATION_MS_MAX // UNITS_MS["d"]
    assert parse_duration_ms(f"{days}d") == DURATION_MS_MAX
    with pytest.raises(DurationError, match="too long"):
        parse_duration_ms(f"{days}d1ms")


def test_a_long_text_is_refused_without_being_quoted_whole() -> None:
    with pytest.raises(DurationError) as raised:
        parse_duration_ms("1" * 10_000 + "s")
    assert len(raised.value.message) < 200


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0s"),
        (1, "1ms"),
        (5_400_000, "1h30m"),
        (86_400_000, "1d"),
        (8 * 86_400_000, "8d"),
        (1_209_600_000, "2w"),
        (60_500, "1m500ms"),
    ],
)
def test_a_duration_is_written_in_its_shortest_usual_form(ms: int, text: str) -> None:
    assert format_duration(ms) == text


@given(st.integers(0, DURATION_MS_MAX))
def test_what_is_written_is_read_back_as_the_same(ms: int) -> None:
    assert parse_duration_ms(format_duration(ms)) == ms
