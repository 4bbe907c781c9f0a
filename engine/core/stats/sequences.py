"""Intervals that stay valid however often, and whenever, somebody looks.

A usual interval holds at one size that was fixed beforehand; who looks each day, and stops once
there is a winner, finds one far too often. A *confidence sequence* holds at all sizes at once: the
chance that it ever leaves the truth out is `alpha` at the most.

Of a rate it is exact: the mixture of likelihoods with a Beta prior is a martingale under the truth,
and by Ville's inequality stays below 1/alpha for ever (Robbins, "Statistical methods related to the
law of the iterated logarithm", 1970; Howard, Ramdas, McAuliffe & Sekhon, "Time-uniform,
nonparametric, nonasymptotic confidence sequences", Annals of Statistics, 2021).

Of a difference, and of means, it is the normal mixture that mixture sequential ratio tests (mSPRT)
have made usual (Johari, Koomen, Pekelis & Walsh, "Always Valid Inference: Continuous Monitoring of
A/B Tests", Operations Research, 2022), with an estimated variance (Waudby-Smith, Arbour, Sinha,
Kennedy & Ramdas, "Time-uniform central limit theory and asymptotic confidence sequences", Annals of
Statistics, 2024). It needs some size: before anything is decided each arm is to have had the chance
of `EXPECTED_MIN` goals. Else it would be sure far too soon where few are held out, none of whom has
had the chance of one.
"""

from __future__ import annotations

from math import inf, lgamma, log, sqrt
from typing import Final

import msgspec

ALPHA: Final = 0.05
"""The chance, over all looks, that a sequence ever leaves the truth out."""

TIGHTEST_AT: Final = 4_000
"""The size at which differences are told most narrowly: enrollments of both arms together. It is
fixed: one that followed the data would make the sequence void."""

EXPECTED_MIN: Final = 10
"""Goals, and enrollments without one, that are expected of each arm, by the rate of all together,
before a difference is decided. With less the smaller arm's own spread is not known well enough: of
experiments without a difference and with a twentieth held out, one in 14 was decided with none, one
in 22 with 5, one in 40 with 10 (a look at every goal)."""

_STEPS: Final = 40
"""Halvings of an interval's end: exact to twelve digits."""


class Interval(msgspec.Struct, frozen=True):
    """What is known of a number: the estimate, and what it lies between."""

    estimate: float
    low: float
    high: float

    @property
    def is_above(self) -> bool:
        """Whether it is surely more than nothing."""
        return self.low > 0

    @property
    def is_below(self) -> bool:
        """Whether it is surely less than nothing."""
        return self.high < 0

    def times(self, factor: float) -> Interval:
        """Of that many (0 or more) of it."""
        return Interval(self.estimate * factor, self.low * factor, self.high * factor)


class Arm(msgspec.Struct, frozen=True):
    """What was counted of one arm of an experiment.

    Attributes:
        size: Enrollments.
        goals: How many of them reached their goal, `size` at the most.
        value: What those were worth together.
        square: The sum of the squares of what each was worth.
    """

    size: int = 0
    goals: int = 0
    value: float = 0.0
    square: float = 0.0

    @property
    def is_told(self) -> bool:
        """Whether it can be compared: there is somebody in it, and no goal of who is not.

        Where a split's step gets another id, its goals go on and who went by is counted anew.
        """
        return 0 < self.size >= self.goals

    @property
    def rate(self) -> float:
        """The share that reached the goal; 0 of nobody."""
        return min(self.goals, self.size) / self.size if self.size else 0.0

    @property
    def worth(self) -> float:
        """What an enrollment was worth, on average."""
        return self.value / self.size if self.size else 0.0

    @property
    def rate_variance(self) -> float:
        """Of the estimated rate. A success and a failure more: rates of 0 and 1 are not certain."""
        smooth = (min(self.goals, self.size) + 1) / (self.size + 2)
        return smooth * (1 - smooth) / max(self.size, 1)

    @property
    def worth_variance(self) -> float:
        """Of what an enrollment is worth on average, estimated."""
        if self.size < 2:  # noqa: PLR2004 - one says nothing of how they differ
            return 0.0
        return max(self.square - self.value**2 / self.size, 0.0) / (self.size - 1) / self.size

    def __add__(self, other: Arm) -> Arm:
        return Arm(
            self.size + other.size,
            self.goals + other.goals,
            self.value + other.value,
            self.square + other.square,
        )


NOTHING_KNOWN: Final = Interval(0.0, -inf, inf)


def rate_interval(arm: Arm, alpha: float = ALPHA) -> Interval:
    """The rate of an arm, within 0 and 1, for all sizes at once. O(1)."""
    size, goals = arm.size, min(arm.goals, arm.size)
    if not size:
        return Interval(0.0, 0.0, 1.0)
    # Prior Beta(1/2, 1/2): the mixture's likelihood against that of a rate p.
    mixed = _log_beta(goals + 0.5, size - goals + 0.5) - _log_beta(0.5, 0.5)
    bound = mixed + log(alpha)

    def is_within(rate: float) -> bool:
        return _log_likelihood(rate, goals, size) >= bound

    rate = goals / size
    return Interval(rate, _edge(rate, 0.0, is_within), _edge(rate, 1.0, is_within))


def radius(variance: float, size: int, alpha: float = ALPHA) -> float:
    """How far an estimate may be off, at all sizes at once; infinite for nobody. O(1).

    Args:
        variance: Of the estimate, not of one observation.
        size: Observations that it is made from.
        alpha: The chance that it is ever further off.
    """
    if not size:
        return inf
    tuned = -2 * log(alpha)
    rho = (tuned + log(tuned + 1)) / TIGHTEST_AT
    grown = size * rho + 1
    return sqrt(variance * grown / (size * rho) * log(grown / alpha**2))


def between(estimate: float, variance: float, size: int, alpha: float = ALPHA) -> Interval:
    """An estimate that is about normal, as `radius`."""
    off = radius(variance, size, alpha)
    return Interval(estimate, estimate - off, estimate + off)


def rate_difference(arm: Arm, base: Arm, alpha: float = ALPHA) -> Interval:
    """By how much the rate of `arm` is above that of `base`; nothing known unless `is_told`."""
    if not (arm.is_told and base.is_told):
        return NOTHING_KNOWN
    variance = arm.rate_variance + base.rate_variance
    known = between(arm.rate - base.rate, variance, arm.size + base.size, alpha)
    known = Interval(known.estimate, max(known.low, -1.0), min(known.high, 1.0))
    return known if is_enough(arm, base) else undecided(known)


def is_enough(*arms: Arm) -> bool:
    """Whether enough is expected of each of them for a difference to be decided. O(arms)."""
    size, goals = sum(arm.size for arm in arms), sum(arm.goals for arm in arms)
    rarer = min(goals, size - goals)
    return min(arm.size for arm in arms) * rarer >= EXPECTED_MIN * size


def undecided(known: Interval) -> Interval:
    """The same, and none among what it may be."""
    return Interval(known.estimate, min(known.low, 0.0), max(known.high, 0.0))


def worth_difference(arm: Arm, base: Arm, alpha: float = ALPHA) -> Interval:
    """By how much an enrollment of `arm` is worth more than one of `base`.

    What goals are worth is skewed: a few of them, or none yet, tell too small a spread. So the
    spread of an arm is that of both together, where its own is less.
    """
    both = arm + base
    smaller = min(arm.size, base.size)
    if not (arm.is_told and base.is_told) or smaller * both.goals < EXPECTED_MIN * both.size:
        return NOTHING_KNOWN
    each = both.worth_variance * both.size
    variance = sum(max(one.worth_variance, each / one.size) for one in (arm, base))
    return between(arm.worth - base.worth, variance, both.size, alpha)


def size_needed(arm: Arm, base: Arm, alpha: float = ALPHA, most: int = 10_000_000) -> int | None:
    """Enrollments that are still to come until the difference is told from none, if it stays so.

    0 where it is already; None where not even `most` are enough, or one of them is not `is_told`.
    """
    if not (arm.is_told and base.is_told):
        return None
    known = rate_difference(arm, base, alpha)
    if known.is_above or known.is_below:
        return 0
    size, difference = arm.size + base.size, abs(known.estimate)
    variance = arm.rate_variance + base.rate_variance

    def is_told(times: float) -> bool:
        grown = [Arm(round(one.size * times), round(one.goals * times)) for one in (arm, base)]
        return (
            is_enough(*grown) and radius(variance / times, round(size * times), alpha) < difference
        )

    low, high = 1.0, 2.0
    while not is_told(high):
        low, high = high, high * 2
        if high * size > most:
            return None
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if is_told(middle) else (middle, high)
    return max(1, round(size * (high - 1)))


def _edge(inside: float, end: float, is_within: object) -> float:
    """The last place towards `end` that is within."""
    assert callable(is_within)
    if is_within(end):
        return end
    for _ in range(_STEPS):
        middle = (inside + end) / 2
        inside, end = (middle, end) if is_within(middle) else (inside, middle)
    return inside


def _log_likelihood(rate: float, goals: int, size: int) -> float:
    if (rate <= 0 and goals) or (rate >= 1 and goals < size):
        return -inf
    of_goals = goals * log(rate) if goals else 0.0
    return of_goals + ((size - goals) * log(1 - rate) if goals < size else 0.0)


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)
