from __future__ import annotations

from random import Random  # noqa: TID251 - seeded, the same draws each time

import pytest

from engine.core.stats.posteriors import chances_to_be_best
from engine.core.stats.sequences import Arm


@pytest.mark.parametrize(
    "arms",
    [
        [Arm(100, 10), Arm(100, 20)],
        [Arm(20, 0), Arm(20, 1), Arm(25, 3)],
        [Arm(50_000, 1_000), Arm(50_000, 1_050)],
        [Arm(0, 0), Arm(10, 10)],
    ],
)
def test_the_chances_are_those_that_draws_come_to(arms: list[Arm]) -> None:
    random = Random(11)
    best = [0] * len(arms)
    for _ in range(20_000):
        drawn = [random.betavariate(1 + arm.goals, 1 + arm.size - arm.goals) for arm in arms]
        best[drawn.index(max(drawn))] += 1
    chances = chances_to_be_best(arms)
    assert sum(chances) == pytest.approx(1)
    assert chances == pytest.approx([count / 20_000 for count in best], abs=0.015)


def test_arms_that_are_alike_have_equal_chances() -> None:
    assert chances_to_be_best([Arm(70, 7)] * 3) == pytest.approx([1 / 3] * 3)
    assert chances_to_be_best([Arm()] * 2) == pytest.approx([0.5] * 2)
    assert chances_to_be_best([]) == []


def test_more_goals_than_enrollments_are_taken_for_all_of_them() -> None:
    assert chances_to_be_best([Arm(3, 5), Arm(3, 0)])[0] > 0.9
