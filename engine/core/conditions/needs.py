"""What of users' past the conditions of a plan can ask for: nothing else is kept.

Each call of a history function says by itself what it needs: `count(…, "24h") >= 3` the three
newest of a day, `since(…)` the newest, `sum(…, "total", "30d")` the totals of thirty days. What all
calls on one name need together is kept of it, the newest one whatever the windows say.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from engine.core.cel import fields_read
from engine.core.cel.checked import Asked, Constant, Field, Has, Operate, parts
from engine.core.history import Kept
from engine.core.steps.kinds import WaitEvent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from engine.core.cel import Program
    from engine.core.goals import Goal
    from engine.core.plan import Campaign

EVENTS_MAX = 1_000
"""Events of one name kept of a user at the most, unless the shop says otherwise."""

AWAITED_MAX = 10
"""Events of a name kept of a user, the newest, because a step or a goal waits for one that fits."""

_COMPARISONS = frozenset({"<", "<=", ">", ">=", "==", "!="})
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_SUMMED = frozenset({"sum", "avg", "min", "max", "distinct"})
_NEWEST = Kept(1, 0)


def needs(programs: Iterable[Program], events_max: int = EVENTS_MAX) -> dict[str, Kept]:
    """What to keep of each event name, for these conditions. O(size of the trees)."""
    return _needs(programs, events_max, of_sends=False)


def sends_needed(programs: Iterable[Program], events_max: int = EVENTS_MAX) -> dict[str, Kept]:
    """What to keep of the messages sent by each channel and campaign. O(size of the trees)."""
    return _needs(programs, events_max, of_sends=True)


def _needs(programs: Iterable[Program], events_max: int, *, of_sends: bool) -> dict[str, Kept]:
    kept: dict[str, Kept] = {}
    for program in programs:
        for asked, around in _asked(program.tree, None):
            one = _need(asked, around, events_max)
            if one is not None and (asked.function == "received") is of_sends:
                kept[asked.name] = both(kept.get(asked.name, one), one)
    return kept


def with_newest(
    asked: Mapping[str, Kept], campaigns: Iterable[Campaign], late_ms: int
) -> dict[str, Kept]:
    """What is asked of events, and the newest of those that end a campaign or are waited for.

    Against exits an entry that comes late is held. Else it is for a merge, in which an enrollment
    meets what another user has done, up to `late_ms` behind the window of its goal. O(steps).
    """
    kept = dict(asked)
    for campaign in campaigns:
        named = [(name, _NEWEST) for name in campaign.exit_events]
        if (goal := campaign.goal) is not None:
            named += [(name, _aimed_at(goal, late_ms)) for name in goal.events]
        for step in campaign.steps:
            if isinstance(step, WaitEvent):
                named += [(name, _awaited(step)) for name in step.events]
        for name, one in named:
            kept[name] = both(kept[name], one) if name in kept else one
    return kept


def _aimed_at(goal: Goal, late_ms: int) -> Kept:
    """The newest may be too late for the window, or not be it."""
    read: frozenset[str] | None = frozenset()
    for program in filter(None, (goal.when, goal.value)):
        fields = fields_read(program.tree, "event")
        read = None if read is None or fields is None else read | fields
    return Kept(AWAITED_MAX, goal.within_ms + late_ms, read)


def _awaited(step: WaitEvent) -> Kept:
    """More than the newest where it is asked about: an older one may be it."""
    if step.when is None:
        return _NEWEST
    return Kept(AWAITED_MAX, step.at_most_ms, fields_read(step.when.tree, "event"))


def both(one: Kept, other: Kept) -> Kept:
    """What is enough for either."""
    windows = (one.window_ms, other.window_ms)
    properties = (
        None
        if one.properties is None or other.properties is None
        else one.properties | other.properties
    )
    return Kept(
        max(one.most, other.most),
        None if None in windows else max(window for window in windows if window is not None),
        properties,
        total=one.total or other.total,
        first=one.first or other.first,
    )


def asked_by(program: Program) -> Iterator[Asked]:
    """Every call of a history function in a condition."""
    return (asked for asked, _ in _asked(program.tree, None))


def unsure(program: Program, events_max: int = EVENTS_MAX) -> Iterator[Asked]:
    """The calls whose answer is another one once older events had to go, by their number alone.

    A window that ever holds more than `events_max` events of a name is not among them.
    """
    for asked, around in _asked(program.tree, None):
        told_apart = _told_apart(asked, around)
        reads_all = asked.predicate is not None or asked.function in _SUMMED
        if reads_all if asked.window_ms is None else told_apart > events_max:
            yield asked


def _asked(part: object, around: object) -> Iterator[tuple[Asked, object]]:
    """Every call of a history function in a tree, with the node right around it."""
    if isinstance(part, Asked):
        yield part, around
    else:
        for inner in parts(part):
            yield from _asked(inner, part)


def _need(  # noqa: PLR0911 - one return a family of functions
    asked: Asked, around: object, events_max: int
) -> Kept | None:
    match asked.function:
        case "count" | "received" if asked.predicate is None:
            if asked.window_ms is None:
                return Kept(1, 0, total=True)
            most = _told_apart(asked, around) or events_max
            return Kept(min(most, events_max), asked.window_ms)
        case "did" if asked.predicate is None:
            return _NEWEST
        case "count" | "did":
            assert asked.predicate is not None, "the others are told above"
            read = fields_read(asked.predicate, asked.level)
            return Kept(events_max, asked.window_ms, read)
        case "since":
            return _NEWEST
        case "last" | "first":
            read = frozenset({around.name}) if isinstance(around, Field | Has) else None
            return Kept(1, 0, read, first=asked.function == "first")
        case function if function in _SUMMED:
            return Kept(events_max, asked.window_ms, frozenset({asked.field}))
        case _:
            return None  # asks for nothing that is in a history


def _told_apart(asked: Asked, around: object) -> int:
    """How many events, 1 or more, a comparison of a count tells from fewer; 0 for any other use."""
    if asked.function not in {"count", "received"} or not isinstance(around, Operate):
        return 0
    operator, (left, *others) = around.operator, around.operands
    if operator not in _COMPARISONS:
        return 0
    if left is not asked:
        operator, others = _MIRRORED.get(operator, operator), [left]
    (other,) = others
    if not isinstance(other, Constant) or not isinstance(other.value, int | float):
        return 0
    number = math.ceil(max(0, min(other.value, 2**53)))
    return max(1, number if operator in {">=", "<"} else number + 1)
