"""The one door into the core: `step` applies an input, `fire` lets time pass.

Within one input, in this order: traits, history; exits; entries (each in order of priority, then
campaign id). Before it, every deadline of that user up to its instant fires. Both functions are
total: whatever the data, they leave a user who can go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from engine.core import history
from engine.core.effects import QuarantineInput
from engine.core.entry import enter_all
from engine.core.exits import exit_all, leave
from engine.core.inputs import DeliveryReported, EventReceived, UserIdentified
from engine.core.plan import Wait
from engine.core.sending import conclude
from engine.core.state import reckon
from engine.core.traits import tell
from engine.core.turn import Turn
from engine.core.walk import go_on

if TYPE_CHECKING:
    from engine.core.effects import Effect
    from engine.core.inputs import TimeSkipped, UserInput
    from engine.core.plan import Plan
    from engine.core.state import Enrollment, User


def step(plan: Plan, user: User, happened: UserInput, effects: list[Effect]) -> int:
    """Apply one input to its user, in place, and append what follows to `effects`.

    `happened.at_ms` is its stamp; stamps never decrease. Returns how many conditions ended in an
    error. O(1) for an event that no campaign names and a user without a due deadline.
    """
    at_ms = happened.at_ms
    errors = fire(plan, user, at_ms, effects) if user.due_at_ms <= at_ms else 0
    if not isinstance(happened, EventReceived):
        return errors + _apply_other(plan, user, happened, effects)
    occurred_at_ms = happened.occurred_at_ms
    if occurred_at_ms > user.last_seen_at_ms:
        user.last_seen_at_ms = occurred_at_ms
    reactions = plan.reactions(happened.name)
    if reactions is None:
        return errors
    if reactions.keep:
        history.insert(user, happened.name, occurred_at_ms, reactions.keep)
        if reactions.exits and (user.enrollments or user.pending):
            turn = Turn(plan, user, at_ms, at_ms, effects, happened.name, happened.properties)
            exit_all(turn, reactions, occurred_at_ms)
    if reactions.entries:
        errors += enter_all(plan, user, happened, reactions, effects)
    return errors


def fire(plan: Plan, user: User, now_ms: int, effects: list[Effect]) -> int:
    """Fire the user's deadlines that are due at `now_ms`, in order.

    A deadline is judged at its own instant; one that a downtime held back, at the instant until
    which it was held. Order: due instant, priority (higher first), campaign id, entry.
    Returns how many conditions ended in an error. O(enrollments) a deadline.
    """
    errors = 0
    while user.due_at_ms <= now_ms:
        enrollments = user.enrollments
        enrollment = enrollments[0] if len(enrollments) == 1 else _earliest(plan, enrollments)
        judged_at_ms = due_at_ms = enrollment.due_at_ms
        if due_at_ms > user.fired_at_ms:
            user.fired_at_ms = due_at_ms
        if judged_at_ms < user.held_until_ms:
            judged_at_ms = user.held_until_ms
        name, raw = enrollment.event_name, enrollment.event
        turn = Turn(plan, user, due_at_ms, judged_at_ms, effects, name, raw)
        go_on(turn, plan.campaigns[enrollment.campaign], enrollment)
        errors += turn.errors
        reckon(user)
    return errors


def hold(user: User, skipped: TimeSkipped) -> None:
    """Hold back what fell due in the time that was skipped, until the grace is over. O(1)."""
    if user.due_at_ms < skipped.at_ms:
        user.held_until_ms = max(user.held_until_ms, skipped.at_ms + skipped.grace_ms)
        reckon(user)


def adopt(plan: Plan, user: User, at_ms: int, effects: list[Effect]) -> None:
    """Go on under another plan: each enrollment finds its step again, or leaves.

    A wait counts from where it began, by the new plan's duration; one that is over by that fires
    at once and is judged at `at_ms`. O(enrollments).
    """
    turn = Turn(plan, user, at_ms, at_ms, effects)
    for enrollment in user.enrollments:
        campaign = plan.campaigns.get(enrollment.campaign)
        if campaign is None:
            leave(turn, enrollment, "campaign_removed")
        elif campaign.status == "archived":
            leave(turn, enrollment, "archived")
        elif enrollment.signature not in campaign.signatures:
            leave(turn, enrollment, "step_removed")
        else:
            enrollment.position = campaign.signatures.index(enrollment.signature)
            waiting = campaign.steps[enrollment.position]
            if isinstance(waiting, Wait):
                enrollment.due_at_ms = enrollment.clock_at_ms + waiting.duration_ms
                if enrollment.due_at_ms < at_ms:
                    user.held_until_ms = max(user.held_until_ms, at_ms)
            else:
                leave(turn, enrollment, "step_removed")
    reckon(user)


def _apply_other(
    plan: Plan, user: User, happened: UserIdentified | DeliveryReported, effects: list[Effect]
) -> int:
    match happened:
        case UserIdentified():
            refused = tell(user, happened.traits)
            if refused:
                effects.append(QuarantineInput(happened, "$.traits", refused))
        case DeliveryReported():
            conclude(Turn(plan, user, happened.at_ms, happened.at_ms, effects), happened)
        case _:
            assert_never(happened)
    return 0


def _earliest(plan: Plan, enrollments: tuple[Enrollment, ...]) -> Enrollment:
    campaigns = plan.campaigns
    return min(enrollments, key=lambda e: (e.due_at_ms, campaigns[e.campaign].rank))
