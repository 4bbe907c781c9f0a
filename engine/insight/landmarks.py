"""Users as they stood at one instant each, and whether they then came to the goal.

A landmark analysis (Anderson, Cain and Gelber 1983): whoever looks back from each goal finds that
most of everything goes before it, since those who came to it had more time to do things. Here each
user has one landmark, and those who came to the goal are looked at no more closely than the others.

The landmark is one of his events other than the goal, drawn by a hash of his id: it depends on
nothing that comes later but that he was there. What he did by then is held against what he did
within the time after it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Container
from typing import TYPE_CHECKING, Final

import msgspec
from xxhash import xxh3_64_intdigest as hash_of

from engine.core.instants import to_datetime

if TYPE_CHECKING:
    from array import array

    from engine.insight.trails import Trail, Trails

PATH_LENGTH: Final = 3
"""Events of a path; the same one several times in a row counts as one."""

EARLIER: Final = "earlier"
"""The week of those who were known before the archive begins."""

UNKNOWN: Final = ""
"""The cohort of those of whom the trait is not known."""


class Standing(msgspec.Struct, gc=False):
    """One user at his landmark.

    Attributes:
        counts: By window, how often he had done what: numbers of names.
        reached: Whether he came to the goal in time after it.
        cohort: Week of first being seen, as `2026-W03`, or a trait's value.
        path: The last events by then; of those who came to the goal, those before that.
    """

    counts: tuple[Counter[int], ...]
    reached: bool
    cohort: str
    path: tuple[int, ...]


class Question(msgspec.Struct, frozen=True):
    """What is looked for.

    Attributes:
        goal: The number of the goal's name.
        windows_ms: For how long before the landmark things are counted, ascending.
        within_ms: For how long after it the goal counts.
        from_ms: The first instant of a landmark.
        until_ms: The last of which anything is known.
        earlier: Who was known before the archive begins.
        by_trait: Whether cohorts are those of a trait.
    """

    goal: int
    windows_ms: tuple[int, ...]
    within_ms: int
    from_ms: int
    until_ms: int
    earlier: Container[str] = ()
    by_trait: bool = False


def standings(trails: Trails, question: Question) -> list[Standing]:
    """Everybody who did something but the goal in the time for landmarks. O(events)."""
    found: list[Standing] = []
    for user_id, trail in trails:
        standing = _standing(user_id, trail, question)
        if standing is None:
            continue
        if question.by_trait:
            standing.cohort = trails.traits.get(user_id, UNKNOWN)
        elif user_id in question.earlier:
            standing.cohort = EARLIER
        else:
            year, week, _ = to_datetime(trail.instants[0]).isocalendar()
            standing.cohort = f"{year}-W{week:02d}"
        found.append(standing)
    return found


def _standing(user_id: str, trail: Trail, question: Question) -> Standing | None:
    instants, names, goal = trail.instants, trail.names, question.goal
    last_ms = question.until_ms - question.within_ms
    fit = [
        at
        for at in range(len(instants))
        if names[at] != goal and question.from_ms <= instants[at] <= last_ms
    ]
    if not fit:
        return None
    at = fit[hash_of(user_id.encode("utf-8", "surrogatepass"), seed=1) % len(fit)]
    landmark_ms = instants[at]
    end = bisect_right(instants, landmark_ms)
    counts = []
    for window_ms in question.windows_ms:
        begin = bisect_right(instants, landmark_ms - window_ms)
        counts.append(Counter(names[begin:end]))
    after = bisect_right(instants, landmark_ms + question.within_ms)
    goal_at = next((place for place in range(end, after) if names[place] == goal), None)
    path = _path(names, end if goal_at is None else goal_at)
    return Standing(tuple(counts), goal_at is not None, "", path)


def _path(names: array[int], end: int) -> tuple[int, ...]:
    """The last different events before a place, the oldest first."""
    path: list[int] = []
    while end and len(path) < PATH_LENGTH:
        end -= 1
        if not path or names[end] != path[-1]:
            path.append(names[end])
    return tuple(reversed(path))
