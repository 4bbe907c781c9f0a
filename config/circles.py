"""Campaigns that start each other in a circle, by what their steps make of the user.

One starts another where a step of it emits an event that the other is entered by, or which can make
the condition true that it is entered by, or sets a trait that this condition reads (its segments'
conditions among it). Whether it ever does so may hang on values that nobody knows beforehand: a
circle is a warning and no fault, and the engine bounds it where it is fast (`loop`).
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from config.foregone import is_never
from engine.core.cel import fields_read
from engine.core.cel.checked import Asked, Constant, Field, Kind, Logic, Operate, Variable
from engine.core.conditions.condition import segments_asked
from engine.core.plan import Campaign
from engine.core.steps.kinds import Emit, Set

if TYPE_CHECKING:
    from collections.abc import Iterable

    from config.faults import Findings
    from engine.core.conditions.condition import Condition
    from engine.core.steps.kinds import Given

_HINT: Final = (
    "faster than once a minute it ends after a hundred (`loop`), slower it never does: take one of "
    "them out of it, or give one `reentry: never`"
)


class Placed(msgspec.Struct, frozen=True, eq=False):
    """A campaign and where it stands.

    Attributes:
        path: Its file.
        line: Of its id.
        step_lines: Of its steps, by their ids.
    """

    campaign: Campaign
    path: str
    line: int
    step_lines: Mapping[str, int]


class _Way(msgspec.Struct, frozen=True, eq=False):
    """What a step makes, and the campaigns that it may enter, which are the same for one `key`."""

    key: tuple[str, str]
    to: Sequence[str]
    line: int
    told: str


_ANY_TRAIT: Final = ("any trait", "")
_KINDS: Final = {bool: Kind.BOOL, int: Kind.INT, float: Kind.DOUBLE, str: Kind.STRING}


def warn_of_circles(
    placed: Iterable[Placed], segments: Mapping[str, Condition], findings: Findings
) -> None:
    """Warn of campaigns that start each other, each told in one circle.

    O(steps + entries) for each campaign that may start another.
    """
    by_id = {one.campaign.id: one for one in placed if one.campaign.status != "archived"}
    entered = _Entered(by_id, segments)
    ways = {name: _ways(one, entered) for name, one in by_id.items()}
    told: set[str] = set()
    for start in sorted(name for name in by_id if ways[name]):
        circle = [] if start in told else _circle(start, ways)
        if not circle:
            continue
        told.update(name for name, _ in circle)
        parts = [
            f"{name} {way.told} ({by_id[name].path}:{way.line}), which may enter {to}"
            for (name, way), (to, _) in zip(circle, [*circle[1:], circle[0]], strict=True)
        ]
        kind = "these campaigns start each other" if len(circle) > 1 else "this starts itself"
        line = circle[0][1].line
        findings.warn(by_id[start].path, line, f"{kind}: {'; '.join(parts)}", _HINT)


class _Entered:
    """Which campaigns an event, or a trait that gets another value, may enter."""

    def __init__(self, by_id: Mapping[str, Placed], segments: Mapping[str, Condition]) -> None:
        self._by_id, self._segments = by_id, segments
        self._by_key = _by_key(by_id, segments)

    def by_event(self, name: str, line: int) -> _Way:
        key = "event", name
        return _Way(key, self._by_key.get(key, ()), line, f'emits "{name}"')

    def by_trait(self, given: Given, line: int) -> _Way:
        """Of those that ask about it, the ones that may be true of its value."""
        key = f"trait {given.name}", "=" if given.program else repr(given.value)
        to = self._by_key.get(key)
        if to is None:
            names = (
                *self._by_key.get(("trait", given.name), ()),
                *self._by_key.get(_ANY_TRAIT, ()),
            )
            to = self._by_key[key] = [name for name in names if self._may_hold(name, given)]
        return _Way(key, to, line, f"sets {given.name}")

    def _may_hold(self, name: str, given: Given) -> bool:
        """Whether what enters a campaign may be true of a user who was given a trait."""
        edge = self._by_id[name].campaign.entry.edge
        kind = _KINDS.get(type(given.value))
        if given.program is not None or kind is None or edge is None:
            return True
        tree = edge.program.tree
        while isinstance(tree, Asked) and tree.function == "in_segment":
            tree = self._segments[tree.name].program.tree
        trait = Field(0, Variable(0, "user", Kind.MAP), given.name)
        has_it = Operate(0, "==", (trait, Constant(0, kind, given.value)), Kind.BOOL)
        return not is_never(Logic(0, "&&", (tree, has_it)))


def _by_key(
    by_id: Mapping[str, Placed], segments: Mapping[str, Condition]
) -> dict[tuple[str, str], list[str]]:
    entered: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, one in by_id.items():
        entry = one.campaign.entry
        if entry.reentry_ms is None and entry.per is None:
            continue  # whoever has been in it does not come in again: no circle goes on through it
        events = set(entry.events)
        if entry.edge is not None:
            events |= entry.edge.raised_by.events
        for event in sorted(events):
            entered["event", event].append(name)
        if entry.edge is not None and entry.edge.raised_by.traits:
            traits = _traits_read(entry.edge, segments)
            for key in [_ANY_TRAIT] if traits is None else [("trait", one) for one in traits]:
                entered[key].append(name)
    return entered


def _ways(placed: Placed, entered: _Entered) -> list[_Way]:
    """What a campaign makes that may enter one."""
    ways = []
    for step in placed.campaign.steps:
        line = placed.step_lines.get(step.id, placed.line)
        if isinstance(step, Emit):
            ways.append(entered.by_event(step.event, line))
        elif isinstance(step, Set):
            ways += [entered.by_trait(given, line) for given in step.traits]
    return [way for way in ways if way.to]


def _traits_read(edge: Condition, segments: Mapping[str, Condition]) -> list[str] | None:
    """The traits that a condition and its segments read; None: any."""
    read: set[str] = set()
    waiting, seen = [edge], set[str]()
    while waiting:
        tree = waiting.pop().program.tree
        fields = fields_read(tree, "user")
        if fields is None:
            return None
        read |= fields
        asked = [one for one in segments_asked(tree) if one not in seen]
        seen.update(asked)
        waiting += [segments[one] for one in asked]
    return sorted(read)


def _circle(start: str, ways: Mapping[str, list[_Way]]) -> list[tuple[str, _Way]]:
    """The shortest way from a campaign back to it, each with what it makes; empty: there is none.

    Breadth first; what may enter campaigns is followed once, whoever makes it.
    """
    came: dict[str, tuple[str, _Way]] = {}
    followed: set[tuple[str, str]] = set()
    queue = deque([start])
    while queue:
        name = queue.popleft()
        for way in ways[name]:
            if way.key in followed:
                continue
            followed.add(way.key)
            for to in way.to:
                if to not in came:
                    came[to] = (name, way)
                    queue.append(to)
        if start in came:
            break
    if start not in came:
        return []
    circle = [came[start]]
    while circle[-1][0] != start:
        circle.append(came[circle[-1][0]])
    return circle[::-1]
