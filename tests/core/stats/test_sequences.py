"""Held against simulation: seeded experiments, looked at each day, as people do."""

from __future__ import annotations

from bisect import bisect
from functools import cache
from itertools import accumulate
from math import comb, inf
from random import Random  # noqa: TID251 - seeded, the same experiments each time

import pytest

from engine.core.stats.comparing import compare, lift
from engine.core.stats.sequences import (
    ALPHA,
    Arm,
    between,
    rate_difference,
    rate_interval,
    size_needed,
    worth_difference,
)

RUNS = 2_000
DAYS = 30


@cache
def distribution(size: int, rate: float) -> list[float]:
    """That there are so many goals at the most."""
    chances = [
        comb(size, goals) * rate**goals * (1 - rate) ** (size - goals) for goals in range(size)
    ]
    return [*accumulate(chances)]


def counts(random: Random, size: int, rate: float) -> int:
    """Goals of so many: a binomial draw."""
    return bisect(distribution(size, rate), random.random())


def looked_at_daily(
    random: Random, rates: tuple[float, ...], a_day: int, *, held_out: int = 0
) -> list[list[Arm]]:
    """Arms of one experiment as they stood each day; the first of fewer, if some are held out."""
    arms = [Arm() for _ in rates]
    sizes = [held_out or a_day, *(a_day for _ in rates[1:])]
    days = []
    for _ in range(DAYS):
        arms = [
            arm + Arm(size, counts(random, size, rate))
            for arm, rate, size in zip(arms, rates, sizes, strict=True)
        ]
        days.append(arms)
    return days


@pytest.mark.parametrize(
    ("rate", "a_day", "held_out"),
    [(0.05, 200, 0), (0.3, 15, 0), (0.01, 60, 0), (0.02, 190, 10), (0.05, 90, 10), (0.3, 49, 1)],
)
def test_who_looks_daily_is_told_of_a_difference_that_is_none_in_at_most_one_of_twenty(
    rate: float, a_day: int, held_out: int
) -> None:
    random = Random(f"{rate} {a_day}")
    wrong = 0
    for _ in range(RUNS):
        days = looked_at_daily(random, (rate, rate), a_day, held_out=held_out)
        told = [rate_difference(arm, base) for base, arm in days]
        wrong += any(one.is_above or one.is_below for one in told)
    assert wrong <= ALPHA * RUNS


def test_a_bandit_of_two_that_are_alike_is_decided_in_at_most_one_of_twenty() -> None:
    random = Random("bandit")
    wrong = 0
    for _ in range(RUNS):
        arms, share, is_told = [Arm(), Arm()], 0.5, False
        for _ in range(DAYS):
            first = round(200 * share)
            sizes = (first, 200 - first)
            arms = [
                arm + Arm(n, counts(random, n, 0.05)) for arm, n in zip(arms, sizes, strict=True)
            ]
            base, arm = arms
            known = rate_difference(arm, base)
            is_told = is_told or known.is_above or known.is_below
            share = min(max(chance_of_first(random, base, arm), 0.01), 0.99)
        wrong += is_told
    assert wrong <= ALPHA * RUNS


def chance_of_first(random: Random, base: Arm, arm: Arm, draws: int = 40) -> float:
    """How often the first comes out best, as a bandit draws it."""

    def drawn(one: Arm) -> float:
        return random.betavariate(1 + one.goals, 1 + one.size - one.goals)

    return sum(drawn(base) > drawn(arm) for _ in range(draws)) / draws


def test_a_usual_interval_would_be_wrong_far_more_often() -> None:
    random = Random(1)
    wrong = 0
    for _ in range(RUNS // 4):
        days = looked_at_daily(random, (0.1, 0.1), 100)
        for base, arm in days:
            off = 1.96 * (arm.rate_variance + base.rate_variance) ** 0.5
            if abs(arm.rate - base.rate) > off:
                wrong += 1
                break
    assert wrong > 3 * ALPHA * RUNS // 4


def test_no_variant_of_three_that_are_alike_wins_too_often() -> None:
    random = Random(3)
    wrong = 0
    for _ in range(RUNS // 20):
        for base, one, two in looked_at_daily(random, (0.1, 0.1, 0.1), 80)[9::10]:
            if compare({"a": base, "b": one, "c": two}).winner:
                wrong += 1
                break
    assert wrong <= ALPHA * RUNS // 20


@pytest.mark.parametrize("rate", [0.02, 0.2, 0.9])
def test_the_interval_of_a_rate_holds_it_on_all_days_at_once(rate: float) -> None:
    random = Random(f"{rate}")
    missed = 0
    for _ in range(RUNS // 4):
        days = looked_at_daily(random, (rate,), 40)
        known = [rate_interval(arm) for (arm,) in days]
        missed += not all(one.low <= rate <= one.high for one in known)
    assert missed <= ALPHA * RUNS // 4


def test_the_interval_of_a_difference_holds_it_on_all_days_at_once() -> None:
    random = Random(5)
    missed = 0
    for _ in range(RUNS // 4):
        days = looked_at_daily(random, (0.10, 0.13), 100)
        known = [rate_difference(arm, base) for base, arm in days]
        missed += not all(one.low <= 0.03 <= one.high for one in known)
    assert missed <= ALPHA * RUNS // 4


def test_the_lift_over_who_was_held_out_is_the_one_that_was_planted() -> None:
    random = Random(6)
    found, told, missed = [], 0, 0
    for _ in range(200):
        treated = Arm(9_000, sum(counts(random, 900, 0.12) for _ in range(10)))
        out = Arm(1_000, counts(random, 1_000, 0.08))
        known = lift(treated, out)
        found.append(known.rate.estimate)
        told += known.rate.is_above
        missed += not known.rate.low <= 0.04 <= known.rate.high
        assert known.goals.estimate == pytest.approx(9_000 * known.rate.estimate)
    assert sum(found) / len(found) == pytest.approx(0.04, abs=0.002)
    assert told > 150
    assert missed <= ALPHA * 200


@pytest.mark.parametrize("held_out", [100, 10, 3])
def test_what_goals_are_worth_is_told_of_a_difference_that_is_none_as_seldom(held_out: int) -> None:
    random = Random(8)
    wrong = 0
    for _ in range(RUNS // 8):
        arms = [Arm(), Arm()]
        is_told = False
        for _ in range(DAYS // 3):
            for place, size in enumerate((held_out, 100)):
                goals = counts(random, size, 0.1)
                worths = [random.expovariate(1 / 40) for _ in range(goals)]
                more = Arm(size, goals, sum(worths), sum(worth**2 for worth in worths))
                arms[place] = arms[place] + more
            known = worth_difference(arms[1], arms[0])
            is_told = is_told or known.is_above or known.is_below
        wrong += is_told
    assert wrong <= ALPHA * RUNS // 8


def test_what_a_holdout_of_a_tenth_would_have_been_worth_is_told_in_time() -> None:
    random = Random(9)
    told = 0
    for _ in range(40):
        worths = [[random.expovariate(1 / 40) for _ in range(goals)] for goals in (80, 1_300)]
        out, treated = (
            Arm(size, len(each), sum(each), sum(worth**2 for worth in each))
            for size, each in zip((1_000, 9_000), worths, strict=True)
        )
        known = lift(treated, out)
        told += known.value is not None and known.value.is_above
    assert told > 30


def test_before_each_arm_had_the_chance_of_ten_goals_nothing_is_decided() -> None:
    treated, few, more = Arm(9_500, 190), Arm(480, 0), Arm(530, 0)
    assert rate_difference(treated, few).low == 0.0
    assert rate_difference(treated, more).is_above
    assert worth_difference(Arm(9_500, 190, 1e4, 1e6), few).low == -inf
    assert worth_difference(Arm(9_500, 190, 1e4, 1e6), Arm(600, 0)).low > -inf


def test_who_has_no_goal_yet_is_taken_to_be_as_spread_as_all() -> None:
    treated, out = Arm(9_500, 190, 1e4, 1e6), Arm(530, 0)
    known = worth_difference(treated, out)
    assert known.estimate == treated.worth
    assert known.low < 0 < known.high


def test_of_several_that_are_better_the_best_one_wins() -> None:
    arms = {"a": Arm(1_000, 100), "b": Arm(1_000, 200), "c": Arm(1_000, 300), "d": Arm(1_000, 250)}
    assert compare(arms).winner == "c"


def test_the_more_variants_there_are_the_more_it_takes_to_win() -> None:
    base, better = Arm(1_000, 100), Arm(1_000, 150)
    assert compare({"a": base, "b": better}).winner == "b"
    more = dict.fromkeys("cdefghij", base)
    assert compare({"a": base, "b": better, **more}).winner == ""


def test_who_reached_a_goal_of_nobody_is_not_known() -> None:
    nobody = rate_interval(Arm())
    assert (nobody.low, nobody.high) == (0.0, 1.0)
    assert rate_difference(Arm(), Arm(10, 2)).low == -inf
    assert size_needed(Arm(), Arm(10, 2)) is None


def test_an_arm_with_goals_of_who_is_not_counted_in_it_is_compared_with_nobody() -> None:
    renamed, base = Arm(3, 50, 900.0, 20_000.0), Arm(400, 40, 800.0, 20_000.0)
    assert (rate_interval(renamed).estimate, rate_interval(renamed).high) == (1.0, 1.0)
    for one, other in ((renamed, base), (base, renamed)):
        assert rate_difference(one, other).low == worth_difference(one, other).low == -inf
        assert size_needed(one, other) is None
        assert compare({"a": one, "b": other}).winner == ""
        assert not lift(one, other).rate.is_above


@pytest.mark.parametrize("arm", [Arm(1, 0), Arm(1, 1), Arm(500, 0), Arm(500, 500), Arm(7, 3)])
def test_a_rate_lies_within_its_interval(arm: Arm) -> None:
    known = rate_interval(arm)
    assert 0 <= known.low <= known.estimate <= known.high <= 1
    narrower = rate_interval(Arm(arm.size * 100, arm.goals * 100))
    assert narrower.high - narrower.low < known.high - known.low


def test_with_as_many_as_are_needed_the_difference_is_told() -> None:
    arm, base = Arm(1_000, 120), Arm(1_000, 100)
    needed = size_needed(arm, base)
    assert needed is not None
    assert needed > 0
    times = 1 + needed / 2_000

    def grown(one: Arm, by: float) -> Arm:
        return Arm(round(one.size * by), round(one.goals * by))

    assert rate_difference(grown(arm, times * 1.01), grown(base, times * 1.01)).is_above
    assert not rate_difference(grown(arm, times * 0.97), grown(base, times * 0.97)).is_above
    assert size_needed(grown(arm, times * 1.01), grown(base, times * 1.01)) == 0


def test_a_difference_of_next_to_nothing_is_not_foreseen() -> None:
    assert size_needed(Arm(1_000, 100), Arm(1_000, 100)) is None


def test_an_interval_narrows_with_the_variance() -> None:
    wide, narrow = between(0.0, 0.01, 100), between(0.0, 0.0001, 100)
    assert wide.high == pytest.approx(10 * narrow.high)
