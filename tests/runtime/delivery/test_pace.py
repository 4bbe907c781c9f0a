"""How fast attempts follow one another."""

from __future__ import annotations

import pytest

from engine.runtime.delivery.pace import SLACK_S, Pace


def instants(rate: float, count: int, late_s: float = 0.0) -> list[float]:
    """When attempts begin that are wanted all at once, each begun so late."""
    pace, now_s = Pace(rate), 100.0
    begun = []
    for _ in range(count):
        wait_s = pace.wait_s(now_s)
        now_s += wait_s + (late_s if wait_s else 0)
        pace.spend(now_s)
        begun.append(now_s)
    return begun


def test_without_a_rate_nothing_is_waited_for():
    assert instants(0, 100) == [100.0] * 100


@pytest.mark.parametrize("rate", [0.5, 1, 20, 999])
def test_no_second_has_more_than_the_rate_and_one(rate: float):
    begun = instants(rate, 300)
    for place, at_s in enumerate(begun):
        within = [one for one in begun[place:] if one < at_s + 1]
        assert len(within) <= rate * (1 + SLACK_S) + 1
    assert begun[-1] - begun[0] == pytest.approx(299 / rate, abs=SLACK_S + 0.001)


def test_a_busy_loop_costs_no_throughput():
    late = instants(20, 200, late_s=0.004)
    assert late[-1] - late[0] == pytest.approx(199 / 20, abs=SLACK_S)


def test_after_a_rest_only_the_slack_is_made_up_for():
    pace = Pace(100)
    for at_s in (0.0, 50.0):
        pace.spend(at_s)
    assert pace.wait_s(50.0) == pytest.approx(1 / 100 - SLACK_S)
    pace.spend(50.0)
    assert pace.wait_s(50.0) == pytest.approx(2 / 100 - SLACK_S)
