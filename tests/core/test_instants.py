from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.instants import (
    INSTANT_MAX_MS,
    format_instant,
    parse_instant_ms,
    to_datetime,
)


@pytest.mark.parametrize(
    ("value", "ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.001Z", 1),
        ("1970-01-01T00:00:00.0019999Z", 1),
        ("1970-01-01T00:00:01", 1_000),
        ("1970-01-01", 0),
        ("1970-01-01T02:00:00+02:00", 0),
        ("1969-12-31T19:00:00.5-05:00", 500),
        (" 1970-01-01T00:00:00Z ", 0),
        ("2026-01-01T00:30:00.000Z", 1_767_227_400_000),
        ("9999-12-31T23:59:59.999Z", INSTANT_MAX_MS),
        (0, 0),
        (1_767_227_400_000, 1_767_227_400_000),
        (1.9, 1),
        ("1767227400000", 1_767_227_400_000),
        (INSTANT_MAX_MS, INSTANT_MAX_MS),
    ],
)
def test_every_form_of_an_instant_is_read_to_the_millisecond(value: Any, ms: int) -> None:
    assert parse_instant_ms(value) == ms


@pytest.mark.parametrize(
    "value",
    [
        None, True, False, [], {}, "", "soon", "2026-13-01T00:00:00Z", "2026-02-30", -1, -0.5e12,
        "1969-12-31T23:59:59.999Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
        INSTANT_MAX_MS + 1, float("nan"), float("inf"), 10**400, "1" * 400, "\u0661", "-5",
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_what_would_be_right(value: Any) -> None:
    with pytest.raises(ValueError, match="is no instant; give ISO 8601"):
        parse_instant_ms(value)


@given(st.integers(0, INSTANT_MAX_MS))
def test_an_instant_reads_back_as_it_was_written(at_ms: int) -> None:
    text = format_instant(at_ms)
    assert parse_instant_ms(text) == at_ms
    assert len(text) == 24
    assert parse_instant_ms(to_datetime(at_ms).isoformat()) == at_ms


@given(st.integers(0, INSTANT_MAX_MS - 1))
def test_texts_sort_as_their_instants_do(at_ms: int) -> None:
    assert format_instant(at_ms) < format_instant(at_ms + 1)
