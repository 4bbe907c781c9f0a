"""What of an event is kept of its user: when he was active, collections, history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core import history
from engine.core.collections import collect

if TYPE_CHECKING:
    from engine.core.inputs import EventReceived
    from engine.core.plan import Reactions
    from engine.core.state import User


def keep(user: User, event: EventReceived, reactions: Reactions, *, made: bool = False) -> None:
    """Have an event in all that is kept of its user; one that is `made` is nothing that he did."""
    if not made:
        user.last_seen_at_ms = max(user.last_seen_at_ms, event.occurred_at_ms)
    if reactions.gathers:
        collect(user, event, reactions.gathers)
    if reactions.kept is not None:
        note(user, event, reactions)


def note(user: User, event: EventReceived, reactions: Reactions) -> None:
    """Have an event in its user's history."""
    kept = reactions.kept
    assert kept is not None, "asked for by whoever calls"
    history.insert(user, reactions.name, event.occurred_at_ms, kept, event.at_ms, event.properties)
