"""Some hundred worlds: no promise is broken, every fault is met, and a seed is a world."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from engine.sim.world.__main__ import TOLD_EVERY_NS, Progress, Tally, run_seeds
from engine.sim.world.scenario import FAULTS, Scenario, draw
from engine.sim.world.world import Outcome, run

SEEDS = 300
TOGETHER = 50
STATES_MIN = 1_000

TRACES = """
import sys
from engine.sim.world.scenario import draw
from engine.sim.world.world import Outcome, run
print([run(draw(seed)).trace for seed in range(8)])
"""


@cache
def outcomes_from(first: int) -> list[Outcome]:
    """Of so many seeds, run once whoever asks."""
    return run_seeds(range(first, first + TOGETHER))


@pytest.mark.parametrize("first", range(0, SEEDS, TOGETHER))
def test_no_promise_is_broken(first: int) -> None:
    outcomes = outcomes_from(first)
    broken = [(one.scenario.seed, one.seen) for one in outcomes if one.promise]
    assert broken == [], f"python -m engine.sim.world --seed {broken[0][0]}"


def test_nobody_is_written_to_who_was_erased_between_the_last_question_and_the_hand_over() -> None:
    faults = (
        "crash", "long_downtime", "stall", "disk_error", "late", "future", "plan_changed",
        "user_erased", "merged", "aliased",
    )  # fmt: skip
    outcome = run(
        Scenario(seed=7_003_808, faults=faults, users=12, events=8, lives=3, unsafe_ms=4_991)
    )
    assert outcome.promise == "", outcome.seen


def test_every_fault_is_met_and_many_states_are_seen() -> None:
    tally = Tally()
    for first in range(0, SEEDS // 2, TOGETHER):
        tally.add(outcomes_from(first))
    assert tally.faults.keys() >= FAULTS.keys()
    assert len(tally.states) >= STATES_MIN
    assert tally.lives > 2 * tally.worlds


def test_a_log_file_is_told_at_once_and_now_and_then_how_far_it_has_come(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now_ns = 0
    progress, tally = Progress(20, lambda: now_ns), Tally()
    for now_ns in (0, 1, TOLD_EVERY_NS - 1, TOLD_EVERY_NS):
        tally.add([Outcome(scenario=Scenario(seed=0), states={now_ns})])
        progress.tell(tally)
    assert capsys.readouterr().err.splitlines() == [
        "1/20 worlds, 1 distinct states, 0 broken promises",
        "4/20 worlds, 4 distinct states, 0 broken promises",
    ]


def test_every_fault_is_in_the_reference() -> None:
    page = (Path(__file__).parents[3] / "docs/reference/soak.md").read_text()
    told = [line for line in page.splitlines() if line.startswith("| `")]
    assert [f"| `{kind}` | {what} |" for kind, what in FAULTS.items()] == told[-len(FAULTS) :]


def test_a_world_without_faults_has_one_life_and_takes_everything() -> None:
    outcome = run(Scenario(seed=7, faults=()))
    assert (outcome.promise, outcome.lives, outcome.faults) == ("", 1, {})
    assert outcome.inputs > outcome.scenario.events


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_that_is_switched_off_does_not_happen(kind: str) -> None:
    reached: Counter[str] = Counter()
    for seed in range(3):
        others = tuple(other for other in FAULTS if other != kind)
        reached.update(run(Scenario(seed=seed, faults=others)).faults)
    assert kind not in reached


def test_the_same_seed_is_the_same_world_in_any_process() -> None:
    def traces(hash_seed: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", TRACES],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    here = [run(draw(seed)).trace for seed in range(8)]
    assert len(set(here)) == 8
    assert traces("1") == traces("2") == f"{here}\n"
