from __future__ import annotations

from random import Random  # noqa: TID251 - seeded, the same people each time

import pytest

from engine.core.stats.factorial import effects_of
from engine.core.stats.sequences import ALPHA, Arm, radius

SPLITS = [("copy", ["a", "b"]), ("offer", ["none", "ten"])]


def test_main_effects_and_their_interaction_are_what_was_planted() -> None:
    cells = {
        ("a", "none"): Arm(40_000, 4_000),
        ("b", "none"): Arm(40_000, 4_800),
        ("a", "ten"): Arm(40_000, 5_200),
        ("b", "ten"): Arm(40_000, 8_000),
    }
    copy, offer, both = effects_of(SPLITS, cells)
    assert copy.variants == (("copy", "b"),)
    assert copy.effect.estimate == pytest.approx((0.02 + 0.07) / 2)
    assert offer.effect.estimate == pytest.approx((0.03 + 0.08) / 2)
    assert both.variants == (("copy", "b"), ("offer", "ten"))
    assert both.effect.estimate == pytest.approx(0.20 - 0.13 - 0.12 + 0.10)
    assert all(one.effect.is_above for one in (copy, offer, both))


def test_an_interaction_that_is_none_is_seldom_told_and_main_effects_mostly() -> None:
    random = Random(21)
    wrong = right = 0
    for _ in range(100):
        cells = {
            (copy, offer): Arm(
                2_000,
                sum(
                    random.random() < 0.1 + 0.05 * (copy == "b") + 0.02 * (offer == "ten")
                    for _ in range(2_000)
                ),
            )
            for copy in "ab"
            for offer in ("none", "ten")
        }
        copy, _, both = effects_of(SPLITS, cells)
        right += copy.effect.is_above
        wrong += both.effect.is_above or both.effect.is_below
    assert wrong <= ALPHA * 100
    assert right > 80


def test_an_effect_is_known_as_well_as_the_average_that_it_is() -> None:
    arm = Arm(2_000, 200)
    cells = {(copy, offer): arm for copy in "ab" for offer in ("none", "ten")}
    copy, _, both = effects_of(SPLITS, cells)
    assert copy.effect.high == pytest.approx(radius(arm.rate_variance, 8_000))
    assert both.effect.high == pytest.approx(radius(4 * arm.rate_variance, 8_000))


def test_before_each_cell_had_the_chance_of_ten_goals_nothing_is_decided() -> None:
    cells = {
        ("a", "none"): Arm(5_000, 500),
        ("a", "ten"): Arm(5_000, 500),
        ("b", "none"): Arm(95, 0),
        ("b", "ten"): Arm(95, 0),
    }
    assert not any(one.effect.is_below for one in effects_of(SPLITS, cells))
    cells |= {("b", "none"): Arm(400, 0), ("b", "ten"): Arm(400, 0)}
    assert effects_of(SPLITS, cells)[0].effect.is_below


def test_a_cell_without_anybody_leaves_the_rest_to_be_told() -> None:
    splits = [("copy", ["a", "b"]), ("offer", ["none", "ten", "half"])]
    cells = {
        ("a", "none"): Arm(1_000, 100),
        ("b", "none"): Arm(1_000, 200),
        ("a", "ten"): Arm(1_000, 100),
    }
    effects = {one.variants: one.effect for one in effects_of(splits, cells)}
    assert effects[("copy", "b"),].estimate == pytest.approx(0.1)
    assert effects[("copy", "b"), ("offer", "ten")].low < -1
