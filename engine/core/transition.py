"""The one door into the core: `step` applies an input, `fire` lets time pass.

Within one input, in this order: traits, history; exits; entries (each in order of priority, then
campaign id). Before it, every deadline of that user up to its instant fires. Both functions are
total: whatever the data, they leave a user who can go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from engine.core import history
from engine.core.collections import collect
from engine.core.effects import QuarantineInput
from engine.core.entry import enter_all
from engine.core.exits import exit_all
from engine.core.inputs import DeliveryReported, EventReceived, TraitsImported, UserIdentified
from engine.core.sending import conclude
from engine.core.state import first_due_at_ms, reckon
from engine.core.traits import recall, tell
from engine.core.turn import Turn
from engine.core.walk import go_on

if TYPE_CHECKING:
    from engine.core.effects import Effect
    from engine.core.inputs import TimeSkipped, UserInput
    from engine.core.plan import Plan, Reactions
    from engine.core.state import Enrollment, User


def step(plan: Plan, user: User, happened: UserInput, effects: list[Effect]) -> int:
    """Apply one input to its user, in place, and append what follows to `effects`.

    `happened.at_ms` is its stamp; stamps never decrease. Returns how many conditions ended in an
    error. O(1) for an event that no campaign names and a user without a due deadline.
    """
    errors = 0
    if user.due_at_ms <= happened.at_ms:
        errors = fire(plan, user, happened.at_ms, effects)
    if type(happened) is not EventReceived:
        return errors + _apply_other(plan, user, happened, effects)
    if happened.occurred_at_ms > user.last_seen_at_ms:
        user.last_seen_at_ms = happened.occurred_at_ms
    reactions = plan.reactions(happened.name)
    if reactions is None:
        return errors
    if reactions.gathers:
        collect(user, happened, reactions.gathers)
    if reactions.kept is not None:
        _note(plan, user, happened, reactions, effects)
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
    """Hold back what fell due in the time that was skipped, until the grace is over.

    What an earlier grace holds back waits for this one too. O(enrollments).
    """
    held_until_ms = skipped.at_ms + skipped.grace_ms
    if first_due_at_ms(user) < skipped.at_ms and user.held_until_ms < held_until_ms:
        user.held_until_ms = held_until_ms
        reckon(user)


def _note(
    plan: Plan, user: User, event: EventReceived, reactions: Reactions, effects: list[Effect]
) -> None:
    """Have an event in its user's history, and end what it ends."""
    occurred_at_ms = event.occurred_at_ms
    kept = reactions.kept
    assert kept is not None, "asked for by whoever calls"
    history.insert(user, reactions.name, occurred_at_ms, kept, event.at_ms, event.properties)
    if reactions.exits and (user.enrollments or user.pending):
        at_ms = event.at_ms
        turn = Turn(plan, user, at_ms, at_ms, effects, event.name, event.properties)
        exit_all(turn, reactions, occurred_at_ms)


def _apply_other(plan: Plan, user: User, happened: UserInput, effects: list[Effect]) -> int:
    match happened:
        case EventReceived():  # history: it is noted as any event, and nobody enters by it
            user.last_seen_at_ms = max(user.last_seen_at_ms, happened.occurred_at_ms)
            reactions = plan.reactions(happened.name)
            if reactions is not None and reactions.gathers:
                collect(user, happened, reactions.gathers)
            if reactions is not None and reactions.kept is not None:
                _note(plan, user, happened, reactions, effects)
        case TraitsImported():
            refused = recall(user, happened.traits, happened.occurred_at_ms)
            if refused:
                effects.append(QuarantineInput(happened, "$.traits", refused))
        case UserIdentified():
            refused = tell(user, happened.traits)
            user.identified_at_ms = max(user.identified_at_ms, happened.occurred_at_ms)
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
