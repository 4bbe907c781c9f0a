"""What a plan that is to come into force asks of the past, and the one in force did not keep.

Before it comes into force, what it asks for is kept beside what is kept already (`Plan.widened`),
and what happened earlier is found again (`found`): the `Gap` is what there is to find. What only
events do that end a campaign is not in it: of those the newest is kept for what comes late.
Sessions are made anew of what users did, and messages that went out are in the records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from engine.core.collections import form_of, waiting_name
from engine.core.conditions.needs import both
from engine.core.past.sessions import SESSION_EVENTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.core.collections import Collection
    from engine.core.history import Kept
    from engine.core.plan import Plan


class Gap(msgspec.Struct, frozen=True):
    """What is to be found of everybody's past.

    Attributes:
        names: Of events whose history does not go back, or does not say enough.
        emitted: Of those, what campaigns make: no archive has it.
        collections: Names of collections, as the widened plan has them.
        models: Whose scores nothing asked for.
        sessions: Whether sessions are to be made of all that users did.
        session_gap_ms: That of the coming plan.
        sessions_kept: Whether the plan before had the user's own at hand.
        session_events: Of those that are made of sessions, what the plan before kept.
        sends: Channels and campaigns of messages that went out.
        places: Channels of those that count under the caps.
    """

    names: frozenset[str] = frozenset()
    collections: frozenset[str] = frozenset()
    models: frozenset[str] = frozenset()
    sessions: bool = False
    session_gap_ms: int = 0
    sessions_kept: bool = False
    session_events: frozenset[str] = frozenset()
    sends: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()
    emitted: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        """Whether there is anything to find."""
        found = (self.names, self.collections, self.models, self.sessions, self.sends, self.places)
        return any(found)


def gap(before: Plan, plan: Plan) -> Gap:
    """What `plan` asks of the past beyond what is kept for `before`. O(names + collections)."""
    gathered = before.collections
    names = _lacking(before.asked, plan.asked)  # what is kept besides was never looked for
    kept_sessions = before.keeps_sessions or not plan.keeps_sessions
    return Gap(
        names=names,
        collections=frozenset(
            name_beside(gathered, one)
            for name, one in plan.collections.items()
            if name not in gathered or _beside(gathered[name], one) != gathered[name]
        ),
        models=plan.models - before.models,
        sessions=not kept_sessions or not names.isdisjoint(SESSION_EVENTS),
        session_gap_ms=plan.policy.session_gap_ms,
        sessions_kept=before.keeps_sessions,
        session_events=SESSION_EVENTS & before.kept.keys(),
        sends=_lacking(before.kept_sends, plan.kept_sends),
        emitted=names & before.emits,
        places=_lacking(before.kept_places, plan.kept_places),
    )


def _lacking(held: Mapping[str, Kept], asked: Mapping[str, Kept]) -> frozenset[str]:
    return frozenset(
        name for name, kept in asked.items() if name not in held or not _is_enough(held[name], kept)
    )


def widen(kept: Mapping[str, Kept], coming: Mapping[str, Kept]) -> dict[str, Kept]:
    """What is enough for both plans."""
    wide = dict(kept)
    for name, one in coming.items():
        wide[name] = both(wide[name], one) if name in wide else one
    return wide


def widen_collections(
    own: Mapping[str, Collection], coming: Mapping[str, Collection]
) -> dict[str, Collection]:
    """Those of both plans. One that is kept otherwise by each is there twice (`name_beside`)."""
    wide = dict(own)
    for one in coming.values():
        name = name_beside(own, one)
        if name in own:
            wide[name] = _beside(own[name], one)
        else:
            wide[name] = msgspec.structs.replace(one, name=name)
    return wide


def name_beside(own: Mapping[str, Collection], coming: Collection) -> str:
    """The name of a coming plan's collection while the plan before is in force.

    Its own, unless that plan has another one of this name: then one that nothing can ask for.
    """
    name = coming.name
    if name not in own or form_of(own[name]) == form_of(coming):
        return name
    return waiting_name(coming)


def _beside(own: Collection, coming: Collection) -> Collection:
    """One collection that has what either asks of it; they are of one form."""
    if form_of(own) != form_of(coming):
        return coming
    items_max = max(own.items_max, coming.items_max)
    keeps_properties = own.keeps_properties or coming.keeps_properties
    if (items_max, keeps_properties) == (own.items_max, own.keeps_properties):
        return own
    return msgspec.structs.replace(own, items_max=items_max, keeps_properties=keeps_properties)


def _is_enough(held: Kept, asked: Kept) -> bool:
    """Whether what is kept is all that is asked for."""
    wide = both(held, asked)
    return (wide.most, wide.window_ms, wide.properties, wide.total, wide.first) == (
        held.most,
        held.window_ms,
        held.properties,
        held.total,
        held.first,
    )
