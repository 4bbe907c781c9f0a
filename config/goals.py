"""`goal`: what a campaign is for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from config.conditions import condition, forbid_variant, number
from config.schema import GOAL
from engine.core.goals import WITHIN_MS, Goal

if TYPE_CHECKING:
    from config.source import Fields

_HINT: Final = "write `goal:` and under it `event: NAME`"


def read_goal(fields: Fields) -> Goal | None:
    """A campaign's goal; None where there is none, or it is at fault."""
    goal = fields.map("goal", GOAL, _HINT)
    if goal is None:
        return None
    goal.required("event", "an event's name")
    when, value = condition(goal, "when"), number(goal, "value")
    forbid_variant(goal, "when", when)
    forbid_variant(goal, "value", value)
    within_ms = goal.duration_ms("within")
    if within_ms == 0:
        goal.fault("within", "is no time at all", "write a duration like 7d, or leave it out")
    events = goal.names("event", "an event's name")
    return Goal(events, when, WITHIN_MS if within_ms is None else within_ms, value)
