"""Which conditions an input that is no event may make true, or cease to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.inputs import (
    DeliveryReported,
    EnrollmentForwarded,
    HistoryFound,
    LetterRevived,
    TriggerReceived,
    UserScored,
    UsersMerged,
)
from engine.core.plan import NOTHING

if TYPE_CHECKING:
    from engine.core.conditions.wakes import Wakes
    from engine.core.inputs import UserInput
    from engine.core.plan import Plan


def wakes_of(plan: Plan, happened: UserInput) -> Wakes:
    """What it wakes, of a plan. O(1)."""
    match happened:
        case DeliveryReported():
            return plan.on_traits if happened.gone else NOTHING
        case LetterRevived() | HistoryFound() | TriggerReceived() | EnrollmentForwarded():
            # What is found, nothing that is in force asks for yet.
            return NOTHING
        case UserScored():
            return plan.on_scores
        case UsersMerged():
            return plan.on_merges
        case _:
            return plan.on_traits
