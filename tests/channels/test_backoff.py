from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.backoff import AFTER_MS_MAX, BASE_MS, CAP_MS, retry_delay_ms

ATTEMPTS = st.integers(1, 10_000)
JITTERS = st.floats(0, 1, exclude_max=True)
WISHES = st.none() | st.integers(0, 10**12)


@given(ATTEMPTS, WISHES, JITTERS)
def test_a_delay_is_bounded_below_and_above(
    attempt: int, after_ms: int | None, jitter: float
) -> None:
    delay_ms = retry_delay_ms(attempt, after_ms=after_ms, jitter=jitter)
    assert BASE_MS // 2 <= delay_ms <= AFTER_MS_MAX + CAP_MS // 2


@given(ATTEMPTS, JITTERS)
def test_a_later_attempt_waits_no_less_for_the_same_jitter(attempt: int, jitter: float) -> None:
    sooner = retry_delay_ms(attempt, after_ms=None, jitter=jitter)
    assert retry_delay_ms(attempt + 1, after_ms=None, jitter=jitter) >= sooner


@given(ATTEMPTS, st.integers(0, AFTER_MS_MAX), JITTERS)
def test_a_provider_waits_at_least_as_long_as_it_asked(
    attempt: int, after_ms: int, jitter: float
) -> None:
    assert retry_delay_ms(attempt, after_ms=after_ms, jitter=jitter) >= after_ms


@pytest.mark.parametrize(
    ("attempt", "jitter", "delay_ms"),
    [(1, 0.0, 500), (1, 0.5, 750), (2, 0.0, 1_000), (5, 0.0, 8_000), (11, 0.0, 450_000)],
)
def test_the_ceiling_doubles_and_half_of_it_is_jitter(
    attempt: int, jitter: float, delay_ms: int
) -> None:
    assert retry_delay_ms(attempt, after_ms=None, jitter=jitter) == delay_ms


def test_the_jitter_also_spreads_those_whom_a_provider_sent_away() -> None:
    early = retry_delay_ms(3, after_ms=60_000, jitter=0.0)
    late = retry_delay_ms(3, after_ms=60_000, jitter=0.99)
    assert (early, late) == (60_000, 61_980)
