"""Exits: leave a campaign, and take back what it had not sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.effects import CancelMessage
from engine.core.state import drop, reckon
from engine.core.steps import END

if TYPE_CHECKING:
    from engine.core.plan import Reactions
    from engine.core.state import Enrollment
    from engine.core.turn import Turn


def exit_all(turn: Turn, reactions: Reactions, occurred_at_ms: int) -> None:
    """End what the event at hand ends: enrollments that had started when it happened.

    Messages of those campaigns that still wait in the outbox are taken back, also where the
    enrollment itself already came to its end. O(enrollments + pending messages).
    """
    user = turn.user
    exits = reactions.exits
    leaving = [
        enrollment
        for enrollment in user.enrollments
        if enrollment.campaign in exits and occurred_at_ms >= enrollment.entered_at_ms
    ]
    if len(leaving) > 1:
        campaigns = turn.plan.campaigns
        leaving.sort(key=lambda enrollment: campaigns[enrollment.campaign].rank)
    for enrollment in leaving:
        leave(turn, enrollment, "event")
    for effect_id, pending in user.pending.items():
        if pending.campaign in exits and occurred_at_ms >= pending.entered_at_ms:
            _take_back(turn, effect_id)
    if leaving:
        reckon(user)


def leave(turn: Turn, enrollment: Enrollment, reason: str, *, step: str = "") -> None:
    """End an enrollment before its end, with a reason; its unsent messages are taken back."""
    enrollment.position = END
    drop(turn.user, enrollment)
    turn.record("exited", enrollment, reason=reason, step=step)
    if step:
        return  # its own `exit` step: what it sent before is meant to go
    for effect_id, pending in turn.user.pending.items():
        if pending.enrollment == enrollment.enrollment:
            _take_back(turn, effect_id)


def withdraw(turn: Turn) -> None:
    """Take back what archived campaigns had not sent, also of those who came to their end.

    O(pending messages).
    """
    campaigns = turn.plan.campaigns
    for effect_id, pending in turn.user.pending.items():
        campaign = campaigns.get(pending.campaign)
        if campaign is not None and campaign.status == "archived":
            _take_back(turn, effect_id)


def _take_back(turn: Turn, effect_id: str) -> None:
    pending = turn.user.pending[effect_id]
    if not pending.cancelled:
        pending.cancelled = "exited"
        turn.effects.append(CancelMessage(effect_id, "exited", turn.user.user_id))
