"""How a user goes on under another plan, each change as of its own instant.

A change of the plan is one input for everybody, and it would be a long pause to have everybody take
it on at that instant. So each user does in his own time, before anything else happens to him; what
comes of it is the same whenever that is. For what was skipped of time after a change the same
holds: whether a deadline fell into it depends on the plan.

A user of whom nothing stands in the plan (`state.stands`: he is in no campaign, and has no cart or
the like) has nothing to take on, unless users come in by conditions. Of the others, `User.seen`
says how far they have come: changes are numbered as inputs are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from engine.core import history
from engine.core.collections import keep_only
from engine.core.conditions import edges, watching
from engine.core.entry import enter_risen
from engine.core.exits import leave, withdraw
from engine.core.grace import hold
from engine.core.guardrails import quiet_until_ms
from engine.core.holding import hold_still, holds, limit_stay
from engine.core.inputs import PlanAnnounced, PlanChanged, TimeSkipped
from engine.core.past import sessions
from engine.core.people import scores
from engine.core.plan import Plan
from engine.core.state import NEVER, Alarms, reckon, stands
from engine.core.steps.kinds import WAITS, Send, WaitWhen
from engine.core.steps.repeats import find_again
from engine.core.steps.waits import lasts_until_ms
from engine.core.transition import fire, settle
from engine.core.turn import Queue, Turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.core.effects import Effect
    from engine.core.plan import Campaign
    from engine.core.state import Enrollment, User
    from engine.core.steps.kinds import Step


class Change(msgspec.Struct, frozen=True, eq=False):
    """One input that concerns everybody, with what it means.

    Attributes:
        number: Of the input.
        happened: The input, stamped.
        before: The plan in force until then.
        plan: The one from then on; the same where time was skipped, and widened where another one
            was announced.
    """

    number: int
    happened: PlanChanged | PlanAnnounced | TimeSkipped
    before: Plan
    plan: Plan


def take_on(user: User, changes: Sequence[Change], effects: list[Effect]) -> None:
    """Have a user catch up with every change that he has not seen, in order.

    What was due by a change fires before it, also at its very instant, as before any input; under
    the plan that held until then. O(changes + deadlines + enrollments).
    """
    for change in changes:
        if change.number <= user.seen:
            continue
        happened = change.happened
        if isinstance(happened, PlanChanged):
            fire(change.before, user, happened.at_ms, effects)
            if stands(user) or change.plan.edges:
                adopt(change.before, change.plan, user, happened.at_ms, effects)
                # What is to be asked anew, or is over by now, is so by the change and not by time:
                # nobody waits for the timer wheel to come to it.
                fire(change.plan, user, happened.at_ms, effects)
                user.seen = change.number
        elif isinstance(happened, PlanAnnounced):
            # Before it less of him was kept, however late he comes to that.
            fire(change.before, user, happened.at_ms, effects)
        else:
            # Harmless where he has lived through it already: nothing of his is due in it then.
            fire(change.plan, user, happened.stopped_at_ms, effects)
            hold(change.plan, user, happened)


def adopt(before: Plan, plan: Plan, user: User, at_ms: int, effects: list[Effect]) -> None:
    """Go on under another plan: each enrollment finds its step again, or leaves.

    Who leaves does so in the order of the campaigns' priority under the plan before. A wait counts
    from where it began, by the new plan's duration; one that is over by that fires at once and is
    judged at `at_ms`. Who is held by his campaign's status stands; who was, and is no more, goes on
    with what fell due meanwhile, judged at `at_ms` too. A send that quiet hours hold is asked again
    as they end, or at once where that is another instant now. History, collections and
    scores that nothing asks for any more go. O(enrollments + pending messages).
    """
    if user.history:
        history.keep_only(user, plan.keeps)
    if user.collections:
        keep_only(user, before.collections, plan.collections)
    if user.scores:
        scores.keep_only(user, plan.models)
    sessions.take_on(user, at_ms, asked=plan.keeps_sessions, gap_ms=plan.policy.session_gap_ms)
    turn = Turn(plan, user, at_ms, at_ms, effects, queue=Queue())
    enrollments = user.enrollments
    if len(enrollments) > 1:
        enrollments = tuple(sorted(enrollments, key=lambda one: _rank(before, one)))
    for enrollment in enrollments:
        reason = _go_on(turn, before, enrollment)
        if reason:
            leave(turn, enrollment, reason)
    if user.pending:
        withdraw(turn)
        limit_stay(user, plan, at_ms)
    enter_risen(turn, edges.take_on(turn, before))
    settle(turn)
    reckon(user)


def _go_on(turn: Turn, before: Plan, enrollment: Enrollment) -> str:
    """Find the enrollment's step again; why there is none for it, or ""."""
    plan, user, at_ms = turn.plan, turn.user, turn.at_ms
    campaign = plan.campaigns.get(enrollment.campaign)
    if campaign is None:
        return "campaign_removed"
    if campaign.status == "archived":
        return "archived"
    if enrollment.signature not in campaign.signatures:
        return "step_removed"
    position = campaign.signatures.index(enrollment.signature)
    step = campaign.steps[position]
    was = before.campaigns.get(enrollment.campaign)
    stood = _stays_deferred(enrollment, step) or (was is not None and not _waits(was, enrollment))
    if not isinstance(step, WAITS) and not stood:
        return "step_removed"
    is_held = holds(plan, campaign, user.user_id)
    if was is not None and holds(before, was, user.user_id) and not is_held:
        enrollment.hold_on().resumed_at_ms = at_ms
    enrollment.position = position
    find_again(campaign, enrollment, position)
    if enrollment.is_deferred:
        ends_at_ms = _deferred_until_ms(turn, campaign, enrollment)
    else:
        ends_at_ms = lasts_until_ms(turn, enrollment, step)
    enrollment.due_at_ms = ends_at_ms
    if ends_at_ms < at_ms and not is_held:
        user.held_until_ms = max(user.held_until_ms, at_ms)
    enrollment.alarms = None
    if campaign.raised_by is not None:
        # What it leaves by and what it waits for may be asked otherwise now: they are, at once.
        enrollment.alarms = Alarms(
            NEVER if campaign.exit_when is None else at_ms,
            at_ms if isinstance(step, WaitWhen) else NEVER,
            ends_at_ms,
        )
        watching.rearm(enrollment)
    if is_held:
        hold_still(enrollment)
    return ""


def _stays_deferred(enrollment: Enrollment, step: Step) -> bool:
    """Whether quiet hours go on holding it: not at what is no send any more."""
    if enrollment.is_deferred and not isinstance(step, Send):
        enrollment.hold_on().deferred = False
    return enrollment.is_deferred


def _waits(campaign: Campaign, enrollment: Enrollment) -> bool:
    """Whether it waited at its step, and was not held there on its way."""
    return isinstance(campaign.steps[enrollment.position], WAITS)


def _deferred_until_ms(turn: Turn, campaign: Campaign, enrollment: Enrollment) -> int:
    """When a deferred send is asked again: at once where its quiet hours end otherwise now."""
    at_ms, held_until_ms = turn.at_ms, watching.ends_at_ms(enrollment)
    policy = turn.plan.policy
    until_ms = quiet_until_ms(policy, turn.user, at_ms) if campaign.is_marketing else 0
    return held_until_ms if until_ms == held_until_ms else min(held_until_ms, at_ms)


def _rank(plan: Plan, enrollment: Enrollment) -> tuple[int, str]:
    campaign = plan.campaigns.get(enrollment.campaign)
    # A plan that cannot be read any more is taken for an empty one.
    return (0, enrollment.campaign) if campaign is None else campaign.rank
