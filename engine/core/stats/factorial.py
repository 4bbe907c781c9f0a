"""Crossed splits: what each variant does by itself, and what two do together.

Enrollments that went by several splits stand in a *cell* of one variant of each. The main effect of
a variant is how far it is above the first one of its split, on average over the cells of the other
splits, each as heavy; the interaction of two variants is how much more they do together than both
main effects come to (Yates, "The design and analysis of factorial experiments", 1937). A
combination of independent rates has the sum of their variances, and an interval as differences have
(`sequences`).
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import msgspec

from engine.core.stats.sequences import (
    ALPHA,
    NOTHING_KNOWN,
    Arm,
    Interval,
    between,
    is_enough,
    undecided,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Cells = Mapping[tuple[str, ...], Arm]
    """By the variants of the splits, in their order."""


class Effect(msgspec.Struct, frozen=True):
    """What variants do to the rate, against the first ones of their splits.

    Attributes:
        variants: (split, variant): one for a main effect, two for an interaction.
    """

    variants: tuple[tuple[str, str], ...]
    effect: Interval


def effects_of(
    splits: Sequence[tuple[str, Sequence[str]]], cells: Cells, alpha: float = ALPHA
) -> list[Effect]:
    """Main effects, then the interactions of two. O(cells * pairs of variants)."""
    found: list[Effect] = []
    for place, (name, (first, *others)) in enumerate(splits):
        for variant in others:
            weights = _contrast(cells, {place: (variant, first)})
            found.append(Effect(((name, variant),), _known(cells, weights, alpha)))
    for (one, (name, (first, *others))), (two, (second, (base, *rest))) in combinations(
        list(enumerate(splits)), 2
    ):
        for variant in others:
            for other in rest:
                weights = _contrast(cells, {one: (variant, first), two: (other, base)})
                names = ((name, variant), (second, other))
                found.append(Effect(names, _known(cells, weights, alpha)))
    return found


def _contrast(
    cells: Cells,
    compared: Mapping[int, tuple[str, str]],
) -> dict[tuple[str, ...], float]:
    """The weight of each cell, averaged over strata that have somebody in all cells compared."""
    strata: dict[tuple[str, ...], dict[tuple[str, ...], float]] = {}
    for cell in cells:
        sign = 1.0
        for place, (variant, base) in compared.items():
            sign *= 1.0 if cell[place] == variant else -1.0 if cell[place] == base else 0.0
        if sign:
            rest = tuple(v for place, v in enumerate(cell) if place not in compared)
            strata.setdefault(rest, {})[cell] = sign
    full = [
        signs
        for signs in strata.values()
        if len(signs) == 1 << len(compared) and all(cells[cell].is_told for cell in signs)
    ]
    return {cell: sign / len(full) for signs in full for cell, sign in signs.items()}


def _known(cells: Cells, weights: Mapping[tuple[str, ...], float], alpha: float) -> Interval:
    if not weights:
        return NOTHING_KNOWN
    arms = [(cells[cell], weight) for cell, weight in weights.items()]
    estimate = sum(weight * arm.rate for arm, weight in arms)
    variance = sum(weight**2 * arm.rate_variance for arm, weight in arms)
    size = sum(arm.size for arm, _ in arms)
    known = between(estimate, variance, size, alpha)
    return known if is_enough(*(arm for arm, _ in arms)) else undecided(known)
