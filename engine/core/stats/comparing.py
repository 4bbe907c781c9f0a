"""What an experiment says: each variant against the first, the holdout, and a plain verdict."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

import msgspec

from engine.core.stats.posteriors import chances_to_be_best
from engine.core.stats.sequences import (
    ALPHA,
    Arm,
    Interval,
    rate_difference,
    rate_interval,
    size_needed,
    worth_difference,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


class Compared(msgspec.Struct, frozen=True):
    """One variant.

    Attributes:
        rate: Of its goals, within an interval that stays valid.
        chance: That it is the best.
        against_first: How far its rate is above the first variant's; None for that one.
        needed: Enrollments still to come until that is told from none; None: not foreseeable.
    """

    variant: str
    arm: Arm
    rate: Interval
    chance: float
    against_first: Interval | None
    needed: int | None


class Comparison(msgspec.Struct, frozen=True):
    """All variants of a split, the first one the base.

    Attributes:
        winner: The variant that is surely better than the first, or the first where it surely is
            better than all others; "" while that is open.
        verdict: The same, in a sentence.
    """

    variants: tuple[Compared, ...]
    winner: str
    needed: int | None
    verdict: str


class Lift(msgspec.Struct, frozen=True):
    """What a campaign brought that would not have come by itself: against who was held out.

    Attributes:
        rate: How far the rate is above theirs.
        relative: That as a share of theirs; None where it is 0.
        goals: Goals that would not have been, of all who were not held out.
        value: What those are worth; None before there is enough to say.
        needed: As for variants.
    """

    rate: Interval
    relative: float | None
    goals: Interval
    value: Interval | None
    needed: int | None
    verdict: str


def compare(arms: Mapping[str, Arm], alpha: float = ALPHA) -> Comparison:
    """Compare variants; each of several gets its share of `alpha`. O(variants²)."""
    names = [*arms]
    base = arms[names[0]]
    differences = _differences(arms, alpha)
    chances = chances_to_be_best([*arms.values()])
    compared: list[Compared] = []
    for name, chance in zip(names, chances, strict=True):
        arm, against = arms[name], differences.get(name)
        needed = None if against is None else size_needed(arm, base, _share(arms, alpha))
        rate = rate_interval(arm, alpha)
        compared.append(Compared(name, arm, rate, chance, against, needed))
    winner = _winner(arms, differences)
    needed = 0 if winner else _needed(compared)
    verdict = _won(winner, names[0], differences) or _undecided(compared, needed)
    return Comparison(tuple(compared), winner, needed, verdict)


def decided(arms: Mapping[str, Arm], alpha: float = ALPHA) -> str:
    """The verdict of `compare` where there is a winner, else "". O(variants)."""
    differences = _differences(arms, alpha)
    return _won(_winner(arms, differences), next(iter(arms)), differences)


def lift(treated: Arm, held_out: Arm, alpha: float = ALPHA) -> Lift:
    """What the campaign brought, against those held out."""
    rate = rate_difference(treated, held_out, alpha)
    worth = worth_difference(treated, held_out, alpha)
    needed = size_needed(treated, held_out, alpha)
    return Lift(
        rate,
        rate.estimate / held_out.rate if held_out.rate else None,
        rate.times(treated.size),
        worth.times(treated.size) if isfinite(worth.low) else None,
        needed,
        decided_lift(treated, held_out, alpha) or _lift_undecided(treated, held_out, needed),
    )


def _share(arms: Mapping[str, Arm], alpha: float) -> float:
    return alpha / max(1, len(arms) - 1)


def _differences(arms: Mapping[str, Arm], alpha: float) -> dict[str, Interval]:
    """How far the rate of each but the first is above that one's."""
    (_, base), *others = arms.items()
    share = _share(arms, alpha)
    return {name: rate_difference(arm, base, share) for name, arm in others}


def _winner(arms: Mapping[str, Arm], differences: Mapping[str, Interval]) -> str:
    better = [name for name, difference in differences.items() if difference.is_above]
    if better:
        return max(better, key=lambda name: arms[name].rate)
    beaten = all(difference.is_below for difference in differences.values())
    return next(iter(arms)) if differences and beaten else ""


def _needed(compared: list[Compared]) -> int | None:
    """Enrollments until whoever leads has won: the first against all, another against the first."""
    leading = max(compared, key=lambda one: one.chance)
    if leading is not compared[0]:
        return leading.needed
    needed = [one.needed for one in compared[1:] if one.needed != 0]
    known = [count for count in needed if count is not None]
    return max(known) if known and len(known) == len(needed) else None


def _won(winner: str, first: str, differences: Mapping[str, Interval]) -> str:
    if not winner:
        return ""
    if winner == first:
        return f"{winner} is best: every other variant reaches its goal less often, by all looks"
    return (
        f"{winner} is better than {first}: by {told_points(differences[winner])} "
        "points of its goal rate, and that holds however often it is looked at"
    )


def _undecided(compared: list[Compared], needed: int | None) -> str:
    if len(compared) == 1:
        return "there is one variant alone: nothing to compare it with"
    leading = max(compared, key=lambda one: one.chance)
    told = f"no winner yet: {leading.variant} leads"
    return f"{told}, best with a chance of {min(leading.chance, 0.99):.0%}{_still(needed)}"


def decided_lift(treated: Arm, held_out: Arm, alpha: float = ALPHA) -> str:
    """The verdict of `lift` where the campaign surely works, or harms; else "". O(1)."""
    rate = rate_difference(treated, held_out, alpha)
    if rate.is_above:
        brought = f"{rate.times(treated.size).estimate:,.0f}"
        return f"it works: {told_points(rate)} points above who was held out, {brought} more goals"
    if rate.is_below:
        return f"it harms: {told_points(rate)} points below who was held out"
    return ""


def _lift_undecided(treated: Arm, held_out: Arm, needed: int | None) -> str:
    if not held_out.size or not treated.size:
        return "nobody is held out yet: what the campaign brings cannot be told"
    return f"not told from no effect yet{_still(needed)}"


def told_points(interval: Interval) -> str:
    """A difference of rates as points of a hundred, `3.2 (0.8 to 5.6)`."""
    low, high = sorted((abs(interval.low), abs(interval.high)))
    return f"{abs(interval.estimate) * 100:.1f} ({low * 100:.1f} to {high * 100:.1f})"


def _still(needed: int | None) -> str:
    if needed is None:
        return "; it is not foreseeable when that is decided"
    return f"; about {needed:,} more enrollments, if it stays so"
