"""Exits: leave a campaign, and take back what it had not sent."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import msgspec

from engine.core.effects import CancelMessage
from engine.core.goals import await_goal, reach
from engine.core.messages.waiting import find_message, ids_of
from engine.core.past.entered import entry_key, with_end
from engine.core.state import Enrollment, drop, reckon
from engine.core.steps.kinds import END

if TYPE_CHECKING:
    from engine.core.messages.waiting import Pending
    from engine.core.plan import Reactions
    from engine.core.turn import Turn


class Leaving(msgspec.Struct, gc=False):
    """Who leaves by the input at hand: all together, once all are found (`leave_all`).

    Attributes:
        leavers: Each once, with the reason.
        reached: Ids of the enrollments that have reached their goal.
        messages: Effect ids of what is taken back besides, also of enrollments that ended before.
    """

    leavers: list[tuple[Enrollment, str]] = []
    reached: Collection[str] = ()
    messages: list[str] = []


def exit_all(turn: Turn, reactions: Reactions, occurred_at_ms: int) -> None:
    """Record the goals that the event at hand is, then end what it ends (`ended_by`)."""
    leave_all(turn, ended_by(turn, reactions, occurred_at_ms))


def ended_by(turn: Turn, reactions: Reactions, occurred_at_ms: int) -> Leaving:
    """Record the goals that the event at hand is; what it ends.

    Those are enrollments that had started when it happened, of campaigns that it is an exit of, and
    those that have reached their goal by it. What of them still waits in the outbox is to be taken
    back, also where the enrollment itself already came to its end. O(enrollments + pending
    messages).
    """
    user, exits = turn.user, reactions.exits
    reached = reach(turn, reactions.goals, occurred_at_ms) if reactions.goals else ()
    leavers: list[tuple[Enrollment, str]] = []
    for enrollment in user.enrollments:
        if enrollment.campaign in exits and occurred_at_ms >= enrollment.entered_at_ms:
            leavers.append((enrollment, "event"))
        elif enrollment.enrollment in reached:
            leavers.append((enrollment, "goal"))

    def is_taken_back(pending: Pending) -> bool:
        is_left = pending.campaign in exits and occurred_at_ms >= pending.entered_at_ms
        return is_left or pending.enrollment in reached

    messages = ids_of(user.pending, is_taken_back) if user.pending else []
    return Leaving(leavers, reached, messages)


def leave_all(turn: Turn, leaving: Leaving) -> None:
    """Have all leave who do so by one input, in order of rank. O(them * pending messages)."""
    leavers, reached = leaving.leavers, leaving.reached
    if len(leavers) > 1:
        campaigns = turn.plan.campaigns
        leavers.sort(key=lambda one: campaigns[one[0].campaign].rank)
    for enrollment, reason in leavers:
        leave(turn, enrollment, reason, awaits=enrollment.enrollment not in reached)
    for effect_id in leaving.messages:
        take_back(turn, effect_id)
    if leavers:
        reckon(turn.user)


def end(turn: Turn, enrollment: Enrollment) -> None:
    """Take an enrollment from its user; where it may still reach its goal, it is remembered."""
    _drop(turn, enrollment)
    if turn.plan.has_goals:
        await_goal(turn, enrollment)


def _drop(turn: Turn, enrollment: Enrollment) -> None:
    """Take it from its user, who knows when that was: it may have met one of another id of his.

    One that was over at once has met none; and `reentry: never` admits none behind it anyway.
    """
    enrollment.position = END
    user, now_ms = turn.user, turn.now_ms
    drop(user, enrollment)
    if now_ms <= enrollment.entered_at_ms:
        return
    campaign = turn.plan.campaigns.get(enrollment.campaign)
    if campaign is None or campaign.entry.reentry_ms is not None:
        key = entry_key(enrollment.campaign, enrollment.per)
        user.entries = with_end(user.entries, key, now_ms)


def leave(
    turn: Turn, enrollment: Enrollment, reason: str, *, step: str = "", awaits: bool = True
) -> None:
    """End an enrollment before its end, with a reason; its unsent messages are taken back.

    `awaits` is whether it may reach its goal later.
    """
    if awaits:
        end(turn, enrollment)
    else:
        _drop(turn, enrollment)
    turn.record("exited", enrollment, reason=reason, step=step)
    if step:
        return  # its own `exit` step: what it sent before is meant to go
    if turn.user.pending:
        left = enrollment.enrollment
        for effect_id in ids_of(turn.user.pending, lambda one: one.enrollment == left):
            take_back(turn, effect_id)


def withdraw(turn: Turn) -> None:
    """Take back what archived campaigns had not sent, also of those who came to their end.

    O(pending messages).
    """
    campaigns = turn.plan.campaigns

    def is_archived(pending: Pending) -> bool:
        campaign = campaigns.get(pending.campaign)
        return campaign is not None and campaign.status == "archived"

    for effect_id in ids_of(turn.user.pending, is_archived):
        take_back(turn, effect_id)


def take_back(turn: Turn, effect_id: str, reason: str = "exited") -> None:
    """Have a message that waits in the outbox not handed over, unless that is so already. O(1)."""
    pending = find_message(turn.user.pending, effect_id)
    if pending is not None and not pending.cancelled:
        pending.cancelled = reason
        turn.effects.append(CancelMessage(effect_id, reason, turn.user.user_id))
