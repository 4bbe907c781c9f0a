"""What the archive's events tell: funnels, and what goes before a goal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from engine.core.instants import format_instant
from engine.insight.discover import Discovered
from engine.insight.discover import discover as look_for
from engine.insight.funnel import Stage
from engine.insight.funnel import funnel as count_funnel
from engine.insight.suggestion import suggestion
from engine.insight.trails import Trails
from engine.sim.archived import Archived

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.core.state import User
    from engine.runtime.errands import DiscoverErrand, FunnelErrand

    Told = Callable[[int, int], None]

WEEK: Final = "week"
"""The cohorts that are no trait's."""

_DID: Final = frozenset({"event", "noticed", "imported_event", "answered"})
_VALUE_MAX: Final = 100


class FunnelTold(msgspec.Struct, kw_only=True):
    """As `engine.insight.funnel.Funnel`, and what it was asked of."""

    from_at: str
    until: str
    within_ms: int
    users: int
    share: float
    stages: list[Stage]
    median_ms: int | None


class DiscoverTold(msgspec.Struct, kw_only=True):
    """What was found.

    Attributes:
        cohort: What cohorts are by.
        found: The findings.
        suggestion: The best thing to wait for as a campaign, YAML; "" where there is none.
        correction: How chances were corrected for having looked so often.
    """

    from_at: str
    until: str
    cohort: str
    found: Discovered
    suggestion: str
    correction: str = "Benjamini-Hochberg, false discovery rate 5 %"


class _Line(msgspec.Struct):
    """Of an input, what is looked at here."""

    type: str
    user_id: str = ""
    name: str = ""
    occurred_at_ms: int = 0
    merged_id: str = ""
    traits: msgspec.Raw = msgspec.Raw(b"{}")


_decode_lines = msgspec.json.Decoder(_Line).decode_lines
_decode_traits = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def funnel(errand: FunnelErrand, told: Told) -> FunnelTold:
    """Count a funnel. Raises StoreError, NoArchive."""
    archive = errand.archive
    trails = Trails(errand.events)
    with Archived(archive, told) as archived:
        for user in archived.users():
            _join_aliases(trails, user)
        for _, inputs in archived.rows():
            _note(trails, inputs, archive.until_ms)
    counted = count_funnel(trails, errand.events, errand.within_ms, archive.from_ms)
    return FunnelTold(
        from_at=format_instant(archive.from_ms),
        until=format_instant(archive.until_ms),
        within_ms=errand.within_ms,
        users=counted.users,
        share=counted.share,
        stages=counted.stages,
        median_ms=counted.median_ms,
    )


def discover(errand: DiscoverErrand, told: Told) -> DiscoverTold:
    """Look for what goes before a goal. Raises StoreError, NoArchive."""
    archive, goal = errand.archive, errand.goal
    trait = "" if errand.cohort == WEEK else errand.cohort
    trails, earlier = Trails(), set[str]()
    with Archived(archive, told) as archived:
        for user in archived.users():
            earlier.add(user.user_id)
            _join_aliases(trails, user)
            if trait and trait in user.traits:
                trails.say(user.user_id, _value(msgspec.json.encode(user.traits[trait])))
        for _, inputs in archived.rows(1):
            _note(trails, inputs, archive.until_ms, trait)
    trails.keep(errand.users_max)
    found = look_for(
        trails,
        goal,
        within_ms=errand.within_ms,
        from_ms=archive.from_ms,
        until_ms=archive.until_ms,
        earlier=earlier,
        by_trait=bool(trait),
    )
    best = next((one for one in found.findings if one.lift > 1), None)
    return DiscoverTold(
        from_at=format_instant(archive.from_ms),
        until=format_instant(archive.until_ms),
        cohort=errand.cohort,
        found=found,
        suggestion=suggestion(best, goal, found.within) if best is not None else "",
    )


def _join_aliases(trails: Trails, user: User) -> None:
    for alias in user.aliases:
        trails.join(user.user_id, alias)


def _note(trails: Trails, inputs: bytes, until_ms: int, trait: str = "") -> None:
    """Have the events of a journal row in the trails, and what a trait is said to be."""
    for line in _decode_lines(inputs):
        if line.type in _DID:
            # What a machine did to a message bears no name.
            if line.name and line.occurred_at_ms <= until_ms:
                trails.add(line.user_id, line.name, line.occurred_at_ms)
            continue
        if line.type == "merge":
            trails.join(line.user_id, line.merged_id)
        if trait and trait.encode() in bytes(line.traits):
            said = _decode_traits(line.traits).get(trait)
            if said is not None:
                trails.say(line.user_id, _value(bytes(said)))


def _value(said: bytes) -> str:
    """A trait's value as text: a string without its quotes."""
    value = msgspec.json.decode(said)
    return (value if isinstance(value, str) else said.decode())[:_VALUE_MAX]
