"""How many users did one thing after the other, and how long it took them.

Of each user the furthest that any of his beginnings led to counts: he did the first event, then
each next one after the one before, within the time that is given. Where several ways lead as far,
the one that begins first is told. Kept for each stage of the way that is open is the newest event
that led to it: whoever is within time of an older one is within time of it, too.
"""

from __future__ import annotations

from statistics import median_low
from typing import TYPE_CHECKING

import msgspec

from engine.insight.rates import wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.insight.trails import Trail, Trails


class Stage(msgspec.Struct):
    """One event of a funnel.

    Attributes:
        event: Its name.
        users: Who came as far as this.
        of_first: Their share of those who began.
        of_before: Their share of those who came to the stage before.
        interval: The 95 % interval of that (Wilson).
        median_ms: How long it took half of them from the stage before; None for the first one.
    """

    event: str
    users: int = 0
    of_first: float = 0.0
    of_before: float = 0.0
    interval: tuple[float, float] = (0.0, 1.0)
    median_ms: int | None = None


class Funnel(msgspec.Struct):
    """The answer.

    Attributes:
        stages: In the order that was asked for.
        users: How many were looked at: those who did any of the events.
        share: Which share of all users that is a sample of.
        median_ms: How long the whole took half of those who came to its end.
    """

    stages: list[Stage]
    users: int
    share: float
    median_ms: int | None = None


def funnel(trails: Trails, events: Sequence[str], within_ms: int, from_ms: int = 0) -> Funnel:
    """Count who came how far, of those who begin at `from_ms` or later. O(events of everybody)."""
    numbers = [trails.number_of(event) for event in events]
    took: list[list[int]] = [[] for _ in events]
    whole: list[int] = []
    for _, trail in trails:
        way = furthest(trail, numbers, within_ms, from_ms)
        for place, at_ms in enumerate(way):
            took[place].append(at_ms - way[max(0, place - 1)])
        if len(way) == len(events):
            whole.append(way[-1] - way[0])
    stages = [Stage(event, len(times)) for event, times in zip(events, took, strict=True)]
    for place, stage in enumerate(stages):
        before = stages[max(0, place - 1)].users
        if before:
            stage.of_first = stage.users / stages[0].users
            stage.of_before = stage.users / before
            stage.interval = wilson(stage.users, before)
        if place and took[place]:
            stage.median_ms = median_low(took[place])
    return Funnel(stages, len(trails), trails.share, median_low(whole) if whole else None)


def furthest(
    trail: Trail, numbers: Sequence[int | None], within_ms: int, from_ms: int = 0
) -> tuple[int, ...]:
    """The instants of the furthest way of one user; () where he never began.

    O(events * stages).
    """
    open_ways: list[tuple[int, ...]] = [()] * len(numbers)
    best: tuple[int, ...] = ()
    places: dict[int, list[int]] = {}
    for place, number in enumerate(numbers):
        if number is not None:
            places.setdefault(number, []).insert(0, place)  # one event is one stage of a way
    for name, at_ms in zip(trail.names, trail.instants, strict=True):
        for place in places.get(name, ()):
            if not place:
                if at_ms < from_ms:
                    continue
                way: tuple[int, ...] = (at_ms,)
            else:
                before = open_ways[place - 1]
                if not before or at_ms - before[-1] > within_ms:
                    continue
                way = (*before, at_ms)
            open_ways[place] = way
            if len(way) > len(best):
                best = way
        if len(best) == len(numbers):
            break
    return best
