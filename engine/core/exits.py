"""Exits: leave a campaign, and take back what it had not sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.effects import CancelMessage
from engine.core.goals import await_goal, reach
from engine.core.state import drop, reckon
from engine.core.steps import END

if TYPE_CHECKING:
    from engine.core.plan import Reactions
    from engine.core.state import Enrollment
    from engine.core.turn import Turn


def exit_all(turn: Turn, reactions: Reactions, occurred_at_ms: int) -> None:
    """Record the goals that the event at hand is, then end what it ends.

    Those are enrollments that had started when it happened: of campaigns that it is an exit of,
    and behind them those that have reached their goal by it, both in order of rank. What of them
    still waits in the outbox is taken back, also where the enrollment itself already came to its
    end. O(enrollments + pending messages).
    """
    user = turn.user
    exits = reactions.exits
    reached = reach(turn, reactions.goals, occurred_at_ms) if reactions.goals else ()
    leaving = [
        enrollment
        for enrollment in user.enrollments
        if enrollment.campaign in exits and occurred_at_ms >= enrollment.entered_at_ms
    ]
    for enrollment in _ranked(turn, leaving):
        leave(turn, enrollment, "event", awaits=enrollment.enrollment not in reached)
    if reached:
        at_goal = [one for one in user.enrollments if one.enrollment in reached]
        for enrollment in _ranked(turn, at_goal):
            leave(turn, enrollment, "goal", awaits=False)
        leaving += at_goal
    for effect_id, pending in user.pending.items():
        is_over = pending.campaign in exits and occurred_at_ms >= pending.entered_at_ms
        if is_over or pending.enrollment in reached:
            _take_back(turn, effect_id)
    if leaving:
        reckon(user)


def _ranked(turn: Turn, leaving: list[Enrollment]) -> list[Enrollment]:
    """In the order in which they leave."""
    if len(leaving) > 1:
        campaigns = turn.plan.campaigns
        leaving.sort(key=lambda enrollment: campaigns[enrollment.campaign].rank)
    return leaving


def end(turn: Turn, enrollment: Enrollment) -> None:
    """Take an enrollment from its user; where it may still reach its goal, it is remembered."""
    enrollment.position = END
    drop(turn.user, enrollment)
    if turn.plan.has_goals:
        await_goal(turn, enrollment)


def leave(
    turn: Turn, enrollment: Enrollment, reason: str, *, step: str = "", awaits: bool = True
) -> None:
    """End an enrollment before its end, with a reason; its unsent messages are taken back.

    `awaits` is whether it may reach its goal later.
    """
    if awaits:
        end(turn, enrollment)
    else:
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
