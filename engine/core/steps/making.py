"""Steps that make something: traits of the user, and events of the engine's own."""

from __future__ import annotations

from datetime import timedelta
from math import isfinite
from typing import TYPE_CHECKING, Any

import msgspec

from engine.core.cel import CelError, TypeValue
from engine.core.effects import ConditionFailed
from engine.core.following import announce, before, follow, goes_round
from engine.core.inputs import EventReceived
from engine.core.people.traits import tell

if TYPE_CHECKING:
    from engine.core.steps.kinds import Emit, Given, Set
    from engine.core.turn import Turn

_encode = msgspec.json.Encoder().encode


def set_traits(turn: Turn, campaign_id: str, step: Set) -> None:
    """Give the user's traits other values, at once; what follows has its turn later.

    A value that cannot be had leaves its trait alone, and is counted; so is what the user has no
    room for, of which the consent alone is taken (`tell`). Refused (`loop`) where too
    much has changed already, at this instant or by the enrollments that led to this one.
    """
    said = _values(turn, campaign_id, step.traits)
    user, plan = turn.user, turn.plan
    if not said:
        return
    if plan.on_traits and goes_round(turn):
        turn.refuse(campaign_id, "loop")
        return
    was_true = before(turn, plan.on_traits)
    if tell(user, msgspec.Raw(_encode(said))):
        turn.effects.append(ConditionFailed(campaign_id))  # its consent was taken all the same
    user.identified_at_ms = max(user.identified_at_ms, turn.now_ms)
    follow(turn, plan.on_traits, was_true)


def emit(turn: Turn, campaign_id: str, step: Emit) -> None:
    """Have an event of the engine's own follow. A property that cannot be had is left out."""
    said = _values(turn, campaign_id, step.properties)
    at_ms, raw = turn.at_ms, msgspec.Raw(_encode(said))
    event = EventReceived(turn.user.user_id, step.event, at_ms, at_ms, raw, at_ms=at_ms)
    announce(turn, event, campaign_id)


def _values(turn: Turn, campaign_id: str, given: tuple[Given, ...]) -> dict[str, Any]:
    """What is given, as JSON; each failure is counted."""
    said: dict[str, Any] = {}
    for one in given:
        if one.program is None:
            said[one.name] = one.value
            continue
        try:
            said[one.name] = _as_json(one.program.evaluate(turn.bindings(one.program)))
        except CelError:
            turn.effects.append(ConditionFailed(campaign_id))
    return said


def _as_json(value: object) -> msgspec.Raw:
    """A value of an expression as JSON: an instant is a text. Raises CelError for what has none."""
    if isinstance(value, timedelta | TypeValue) or (
        isinstance(value, float) and not isfinite(value)
    ):
        raise CelError("JSON has no such value")
    try:
        return msgspec.Raw(_encode(value))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise CelError(f"JSON has no such value: {error}") from error
