"""Campaigns that start each other in a circle, by what their steps make of the user.

One starts another where a step of it emits an event that the other is entered by, or which can make
the condition true that it is entered by, or sets a trait that this condition reads (its segments'
conditions among it). Whether it ever does so may hang on values that nobody knows beforehand: a
circle is a warning and no fault, and at one instant the engine bounds it (`loop`).
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from engine.core.cel import fields_read
from engine.core.conditions.condition import segments_asked
from engine.core.plan import Campaign
from engine.core.steps.kinds import Emit, Set

if TYPE_CHECKING:
    from collections.abc import Iterable

    from config.faults import Findings
    from engine.core.conditions.condition import Condition

_HINT: Final = (
    "at one instant it ends after a hundred (`loop`), over time it does not: take one of them out "
    "of it, or give one `reentry: never`"
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
    """What a step makes that may enter campaigns, by which `_entered` knows them."""

    key: tuple[str, str]
    line: int
    told: str


_ANY_TRAIT: Final = ("any trait", "")


def warn_of_circles(
    placed: Iterable[Placed], segments: Mapping[str, Condition], findings: Findings
) -> None:
    """Warn of campaigns that start each other, each told in one circle.

    O(steps + entries) for each campaign that may start another.
    """
    by_id = {one.campaign.id: one for one in placed if one.campaign.status != "archived"}
    entered = _entered(by_id, segments)
    ways = {name: _ways(one, entered) for name, one in by_id.items()}
    told: set[str] = set()
    for start in sorted(name for name in by_id if ways[name]):
        circle = [] if start in told else _circle(start, ways, entered)
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


def _entered(
    by_id: Mapping[str, Placed], segments: Mapping[str, Condition]
) -> dict[tuple[str, str], list[str]]:
    """The campaigns that an event, or a trait that gets another value, may enter."""
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


def _ways(placed: Placed, entered: Mapping[tuple[str, str], list[str]]) -> list[_Way]:
    """What a campaign makes that may enter one."""
    ways = []
    for step in placed.campaign.steps:
        line = placed.step_lines.get(step.id, placed.line)
        if isinstance(step, Emit):
            ways.append(_Way(("event", step.event), line, f'emits "{step.event}"'))
        elif isinstance(step, Set):
            for given in step.traits:
                told = f"sets {given.name}"
                ways += [_Way(key, line, told) for key in (("trait", given.name), _ANY_TRAIT)]
    return [way for way in ways if way.key in entered]


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


def _circle(
    start: str,
    ways: Mapping[str, list[_Way]],
    entered: Mapping[tuple[str, str], list[str]],
) -> list[tuple[str, _Way]]:
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
            for to in entered[way.key]:
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
