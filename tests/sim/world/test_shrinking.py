from __future__ import annotations

from typing import TYPE_CHECKING

from engine.sim.world.scenario import FAULTS, Scenario, draw
from engine.sim.world.shrinking import shrink
from engine.sim.world.world import Outcome, run
from tests.sim.world.mutations import message_ids_are_forgotten

if TYPE_CHECKING:
    import pytest


def test_what_does_not_matter_is_left_out() -> None:
    def fails(scenario: Scenario) -> Outcome:
        bad = {"crash", "late"} <= set(scenario.faults) and scenario.events >= 5
        return Outcome(scenario=scenario, promise="it holds" if bad else "")

    first = fails(Scenario(seed=3, users=6, events=32))
    assert shrink(first, fails).scenario == Scenario(
        seed=3, faults=("crash", "late"), users=1, events=5, lives=1, unsafe_ms=1
    )


def test_another_promise_is_another_matter() -> None:
    def fails(scenario: Scenario) -> Outcome:
        return Outcome(scenario=scenario, promise="a" if len(scenario.faults) > 9 else "b")

    found = shrink(fails(Scenario(seed=3)), fails)
    assert found.promise == "a"
    assert len(found.scenario.faults) == 10


def test_a_real_failure_shrinks_and_is_the_same_again(monkeypatch: pytest.MonkeyPatch) -> None:
    message_ids_are_forgotten(monkeypatch)
    failed = next(outcome for seed in range(50) if (outcome := run(draw(seed))).promise)
    smallest = shrink(failed, runs_max=60)
    assert smallest.promise == failed.promise
    assert len(smallest.scenario.faults) < len(FAULTS) // 3
    again = run(smallest.scenario)
    assert (again.seen, again.trace) == (smallest.seen, smallest.trace)
