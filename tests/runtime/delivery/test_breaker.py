"""A provider's breaker, state by state."""

from __future__ import annotations

from engine.runtime.delivery.breaker import FAILURES_MAX, PAUSE_MS, PAUSE_MS_MAX, Breaker

DAY = 86_400_000


def fail(breaker: Breaker, now_ms: int, after_ms: int | None = None) -> bool:
    return breaker.failed("down", now_ms, after_ms=after_ms, jitter=0.0)


def opened(now_ms: int = 1_000) -> Breaker:
    breaker = Breaker()
    for _ in range(FAILURES_MAX):
        assert breaker.admits(now_ms)
        breaker.begin()
        fail(breaker, now_ms)
    assert breaker.state(now_ms) == "open"
    return breaker


def probe(breaker: Breaker) -> int:
    """Begin the probe as soon as it is admitted; when that is."""
    now_ms = breaker.until_ms
    assert not breaker.admits(now_ms - 1)
    assert breaker.state(now_ms) == "half_open"
    assert breaker.admits(now_ms)
    breaker.begin()
    return now_ms


def test_it_opens_after_so_many_failures_in_a_row_and_not_before():
    breaker = Breaker()
    told = [fail(breaker, 1_000 + n) for n in range(FAILURES_MAX)]
    assert told == [False] * (FAILURES_MAX - 1) + [True]
    assert (breaker.failing_since_ms, breaker.reason) == (1_000, "down")
    assert not breaker.admits(1_000 + FAILURES_MAX)


def test_an_answer_in_between_begins_the_count_anew():
    breaker = Breaker()
    for _ in range(10):
        for _ in range(FAILURES_MAX - 1):
            assert not fail(breaker, 1_000)
        assert breaker.answered() is False
    assert breaker.admits(1_000)


def test_one_probe_goes_once_the_pause_is_over_and_no_second_beside_it():
    breaker = opened()
    now_ms = probe(breaker)
    assert not breaker.admits(now_ms + DAY)


def test_an_answered_probe_closes_it():
    breaker = opened()
    now_ms = probe(breaker)
    assert breaker.answered() is True
    assert breaker.state(now_ms) == "closed"
    assert breaker.failing_since_ms == 0


def test_each_failed_probe_doubles_the_pause_up_to_a_bound():
    breaker = opened()
    pauses = []
    for _ in range(12):
        now_ms = probe(breaker)
        assert fail(breaker, now_ms)
        pauses.append(breaker.until_ms - now_ms)
    assert pauses[:3] == [PAUSE_MS, 2 * PAUSE_MS, 4 * PAUSE_MS]
    assert pauses[-1] == PAUSE_MS_MAX // 2  # with no jitter, half of the ceiling
    assert breaker.failing_since_ms == 1_000


def test_what_the_provider_asks_for_is_the_least_that_is_waited():
    breaker = opened()
    now_ms = probe(breaker)
    fail(breaker, now_ms, after_ms=3_600_000)
    assert breaker.until_ms == now_ms + 3_600_000


def test_a_probe_that_came_to_no_end_leaves_room_for_another():
    breaker = opened()
    now_ms = probe(breaker)
    breaker.let_go()
    assert breaker.admits(now_ms)


def test_one_that_was_under_way_as_it_opened_makes_the_pause_no_longer():
    breaker = opened()
    until_ms = breaker.until_ms
    assert not fail(breaker, 1_500)
    assert breaker.until_ms == until_ms
