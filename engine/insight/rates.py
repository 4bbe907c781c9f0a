"""Rates of two groups held against each other: intervals, and what is left after many looks."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIDENCE: Final = 0.95
_Z: Final = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
_HALF: Final = 0.5


def wilson(hits: int, tries: int) -> tuple[float, float]:
    """The 95 % interval of a rate (Wilson 1927): it holds its level where hits are few, too.

    (0.0, 1.0) where nothing was tried.
    """
    if not tries:
        return 0.0, 1.0
    rate, square = hits / tries, _Z * _Z
    middle = (rate + square / (2 * tries)) / (1 + square / tries)
    reach = rate * (1 - rate) / tries + square / (4 * tries * tries)
    width = _Z * math.sqrt(reach) / (1 + square / tries)
    return max(0.0, middle - width), min(1.0, middle + width)


def difference(hits: int, tries: int, hits_else: int, tries_else: int) -> tuple[float, float]:
    """The 95 % interval of one rate less another, of different people.

    Newcombe's hybrid score interval (Newcombe 1998, method 10): the two Wilson intervals, squared
    and added up. (-1.0, 1.0) where either was not tried.
    """
    if not tries or not tries_else:
        return -1.0, 1.0
    rate, rate_else = hits / tries, hits_else / tries_else
    (low, high), (low_else, high_else) = wilson(hits, tries), wilson(hits_else, tries_else)
    least = math.hypot(rate - low, high_else - rate_else)
    most = math.hypot(high - rate, rate_else - low_else)
    return rate - rate_else - least, rate - rate_else + most


def ratio(hits: int, tries: int, hits_else: int, tries_else: int) -> tuple[float, float, float]:
    """How many times as often, with its 95 % interval, on the logarithmic scale (Katz 1978).

    Half a hit, and half a miss, is added on both sides (Walter 1975), so that none is no infinity.
    """
    a, n = hits + _HALF, tries + 2 * _HALF
    b, m = hits_else + _HALF, tries_else + 2 * _HALF
    told = math.log(a / n) - math.log(b / m)
    spread = _Z * math.sqrt(max(0.0, 1 / a - 1 / n + 1 / b - 1 / m))
    return math.exp(told), math.exp(told - spread), math.exp(told + spread)


def chance(hits: int, tries: int, hits_else: int, tries_else: int) -> float:
    """How probable as large a difference is where there is none, either way.

    Fisher's exact test: all tables of these margins that are no more probable than this one.
    O(hits of both).
    """
    total, n, m = hits + hits_else, tries, tries_else
    low, high = max(0, total - m), min(total, n)
    whole = _choose(n + m, total)
    found = _choose(n, hits) + _choose(m, total - hits) - whole
    ways = (_choose(n, place) + _choose(m, total - place) - whole for place in range(low, high + 1))
    # As rounded as they are, equal tables must count as equal.
    return min(1.0, math.fsum(math.exp(one) for one in ways if one <= found + 1e-9))


def adjusted(chances: Sequence[float]) -> list[float]:
    """What each of many is after all have been looked at: Benjamini and Hochberg 1995.

    Of those at 0.05 or less, no more than 5 % are expected to be nothing. O(n log n).
    """
    order = sorted(range(len(chances)), key=chances.__getitem__, reverse=True)
    told, least = [1.0] * len(chances), 1.0
    for place, at in enumerate(order):
        least = min(least, chances[at] * len(chances) / (len(chances) - place))
        told[at] = least
    return told


def _choose(n: int, k: int) -> float:
    """The logarithm of how many ways there are."""
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
