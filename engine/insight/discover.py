"""Which event, how often and within what time, goes before a goal.

Each event that enough users did is tried with each count and window: whoever had done it at least
so often by his landmark (`landmarks`), held against who had not. What is tried is chosen by how
many did it, never by what came of them, and all that was tried counts in the correction for having
looked so often (Benjamini and Hochberg): of what is told, 5 % are expected to be nothing, and where
nothing goes before the goal, nothing is told in 95 of 100 cases or more.

That one thing goes before another does not make it its cause: a campaign that brings it about is to
be tried with a holdout.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec

from engine.core.durations import UNITS_MS, format_duration
from engine.insight.landmarks import Question, Standing, standings
from engine.insight.rates import adjusted, chance, difference, ratio, wilson

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from engine.insight.trails import Trails

COUNTS: Final = (1, 2, 3, 5, 10)
WINDOWS_MS: Final = tuple(UNITS_MS["d"] * days for days in (1, 3, 7, 14))
EVENTS_MAX: Final = 40
"""Names that are tried: those that most users did."""

SUPPORT_MIN: Final = 20
"""Users who did it, and who did not, or it is not tried."""

LEVEL: Final = 0.05
FINDINGS_MAX: Final = 20
COHORTS_MAX: Final = 8
PATHS_MAX: Final = 10


class Group(msgspec.Struct):
    """How many users, and how many of them came to the goal.

    Attributes:
        interval: The 95 % interval of the rate (Wilson).
    """

    users: int
    reached: int
    rate: float
    interval: tuple[float, float]


class OfCohort(msgspec.Struct):
    """A finding within one cohort."""

    cohort: str
    did: Group
    did_not: Group
    lift: float
    lift_interval: tuple[float, float]


class Finding(msgspec.Struct):
    """One thing that goes before the goal, or keeps from it (`lift` below 1).

    Attributes:
        event, count, window: Done at least so often within this time.
        did, did_not: Those who had, and those who had not.
        lift: How many times as often they came to the goal.
        lift_interval: Its 95 % interval, on the logarithmic scale.
        difference, difference_interval: One rate less the other (Newcombe).
        chance: How probable as much is where there is nothing (Fisher's exact test).
        chance_adjusted: The same after all that was tried (Benjamini and Hochberg): 0.05 at most.
        cohorts: The same, cohort by cohort.
    """

    event: str
    count: int
    window: str
    did: Group
    did_not: Group
    lift: float
    lift_interval: tuple[float, float]
    difference: float
    difference_interval: tuple[float, float]
    chance: float
    chance_adjusted: float
    cohorts: list[OfCohort] = []


class Path(msgspec.Struct):
    """Events one after the other, the last before the goal, or before the landmark.

    Attributes:
        reached: Who took it and came to the goal.
        others: Who took it and did not.
    """

    events: list[str]
    reached: int
    others: int


class Discovered(msgspec.Struct):
    """The answer.

    Attributes:
        users: How many were looked at, those who did anything but the goal.
        share: Which share of all users that is a sample of.
        reached: How many of them came to the goal within the time.
        tried: How many combinations were.
        findings: The strongest of each event, the strongest first.
        paths: Of those who came to the goal, the most frequent.
        paths_else: Of those who did not.
    """

    goal: str
    within: str
    users: int
    share: float
    reached: int
    tried: int
    findings: list[Finding]
    paths: list[Path]
    paths_else: list[Path]


class _Tried(msgspec.Struct, gc=False):
    """One combination: number of the event's name, count, place of the window, and what came."""

    name: int
    count: int
    window: int
    did: int
    hits: int
    helps: bool
    chance: float
    strength: float


def discover(
    trails: Trails,
    goal: str,
    *,
    within_ms: int,
    from_ms: int,
    until_ms: int,
    earlier: Container[str] = (),
    by_trait: bool = False,
) -> Discovered:
    """Look for what goes before a goal. O(events + combinations * users)."""
    number = trails.number_of(goal)
    asked = Question(
        -1 if number is None else number,
        WINDOWS_MS,
        within_ms,
        from_ms,
        until_ms,
        earlier,
        by_trait,
    )
    found = standings(trails, asked)
    reached = sum(one.reached for one in found)
    names = trails.names
    tried = _try_all(found, names, asked.goal, reached)
    told = adjusted([one.chance for one in tried])
    findings: dict[int, Finding] = {}
    for one, after in sorted(
        zip(tried, told, strict=True),
        # Where all did either of two things, the one that goes before the goal is told first.
        key=lambda each: (-round(each[0].strength, 6), not each[0].helps, names[each[0].name]),
    ):
        if after <= LEVEL and one.name not in findings and len(findings) < FINDINGS_MAX:
            findings[one.name] = _finding(one, after, found, reached, names)
    ways = Counter(one.path for one in found if one.reached)
    ways_else = Counter(one.path for one in found if not one.reached)
    return Discovered(
        goal=goal,
        within=format_duration(within_ms),
        users=len(found),
        share=trails.share,
        reached=reached,
        tried=len(tried),
        findings=list(findings.values()),
        paths=_paths(ways, ways, ways_else, names),
        paths_else=_paths(ways_else, ways, ways_else, names),
    )


def _try_all(
    found: Sequence[Standing], names: Sequence[str], goal: int, reached: int
) -> list[_Tried]:
    """Every combination that enough users did and did not, shorter windows and counts first."""
    tried: list[_Tried] = []
    for window in range(len(WINDOWS_MS)):
        did: Counter[tuple[int, int]] = Counter()
        hits: Counter[tuple[int, int]] = Counter()
        for one in found:
            for name, times in one.counts[window].items():
                done = [(name, count) for count in COUNTS if count <= times]
                did.update(done)
                if one.reached:
                    hits.update(done)
        most = sorted(
            (-users, names[name], name) for (name, count), users in did.items() if count == 1
        )
        for name in [name for *_, name in most if name != goal][:EVENTS_MAX]:
            for count in COUNTS:
                users = did[name, count]
                if SUPPORT_MIN <= users <= len(found) - SUPPORT_MIN:
                    tried.append(
                        _trial((name, count, window), users, hits[name, count], found, reached)
                    )
    return tried


def _trial(
    what: tuple[int, int, int], users: int, hits: int, found: Sequence[Standing], reached: int
) -> _Tried:
    others, others_hits = len(found) - users, reached - hits
    strength = _strength(hits, users, others_hits, others)
    helps = hits * others > others_hits * users
    found_chance = chance(hits, users, others_hits, others)
    return _Tried(*what, users, hits, helps, found_chance, strength)


def _strength(hits: int, users: int, hits_else: int, users_else: int) -> float:
    """The log-likelihood ratio (G, Woolf 1957): chances so small that they are 0 differ in it."""
    total, all_hits = users + users_else, hits + hits_else
    cells = (
        (hits, users * all_hits),
        (users - hits, users * (total - all_hits)),
        (hits_else, users_else * all_hits),
        (users_else - hits_else, users_else * (total - all_hits)),
    )
    return 2 * math.fsum(seen * math.log(seen * total / due) for seen, due in cells if seen)


def _finding(
    one: _Tried, after: float, found: Sequence[Standing], reached: int, names: Sequence[str]
) -> Finding:
    did, did_not = _group(one.did, one.hits), _group(len(found) - one.did, reached - one.hits)
    lift, low, high = ratio(did.reached, did.users, did_not.reached, did_not.users)
    return Finding(
        event=names[one.name],
        count=one.count,
        window=format_duration(WINDOWS_MS[one.window]),
        did=did,
        did_not=did_not,
        lift=lift,
        lift_interval=(low, high),
        difference=did.rate - did_not.rate,
        difference_interval=difference(did.reached, did.users, did_not.reached, did_not.users),
        chance=one.chance,
        chance_adjusted=after,
        cohorts=_cohorts(one, found),
    )


def _cohorts(tried: _Tried, found: Sequence[Standing]) -> list[OfCohort]:
    """The largest cohorts, in order of their names."""
    sizes = Counter(one.cohort for one in found)
    largest = sorted(sizes, key=lambda cohort: (-sizes[cohort], cohort))[:COHORTS_MAX]
    counts: Counter[tuple[str, bool, bool]] = Counter()
    for one in found:
        has_done = one.counts[tried.window].get(tried.name, 0) >= tried.count
        counts[one.cohort, has_done, one.reached] += 1
    told = []
    for cohort in sorted(largest):
        did, did_not = (
            _group(counts[cohort, so, True] + counts[cohort, so, False], counts[cohort, so, True])
            for so in (True, False)
        )
        lift, low, high = ratio(did.reached, did.users, did_not.reached, did_not.users)
        told.append(OfCohort(cohort, did, did_not, lift, (low, high)))
    return told


def _group(users: int, reached: int) -> Group:
    return Group(users, reached, reached / users if users else 0.0, wilson(reached, users))


def _paths(
    chosen: Counter[tuple[int, ...]],
    ways: Counter[tuple[int, ...]],
    ways_else: Counter[tuple[int, ...]],
    names: Sequence[str],
) -> list[Path]:
    named = {tuple(names[at] for at in path): path for path in chosen}
    most = sorted(named, key=lambda events: (-chosen[named[events]], events))[:PATHS_MAX]
    return [Path([*events], ways[named[events]], ways_else[named[events]]) for events in most]
