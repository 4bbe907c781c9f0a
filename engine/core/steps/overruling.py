"""An operator overrules what one enrollment waits for: it goes on now, or ends.

Both are inputs, so that replay does the same. Each names the wait that the operator saw, by where
the enrollment's clock stood: who has gone on meanwhile is left alone, and one told twice goes on
once. Guardrails are not overruled: a send that quiet hours hold stays held, and who stands still in
a paused campaign stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.conditions.watching import own_turn
from engine.core.exits import leave
from engine.core.holding import holds
from engine.core.inputs import EnrollmentCancelled
from engine.core.state import reckon
from engine.core.steps.kinds import Repeat
from engine.core.steps.repeats import end_pause
from engine.core.walk import go_on_now

if TYPE_CHECKING:
    from engine.core.inputs import OfOperator
    from engine.core.plan import Plan
    from engine.core.state import Enrollment, User
    from engine.core.turn import Turn

CANCELLED: Final = "cancelled"
"""The reason of an exit by an operator."""

QUIET: Final = "quiet_hours"
STANDS: Final = "held"


def why_not_forward(plan: Plan, user: User, enrollment: Enrollment) -> str:
    """Why an enrollment is not to go on now: `quiet_hours` or `held`; "" where it may. O(1)."""
    if enrollment.is_deferred:
        return QUIET
    return STANDS if holds(plan, plan.campaigns[enrollment.campaign], user.user_id) else ""


def find(user: User, asked: OfOperator) -> Enrollment | None:
    """The enrollment that is meant, if it still waits as it did. O(enrollments)."""
    return next(
        (
            one
            for one in user.enrollments
            if one.enrollment == asked.enrollment and one.clock_at_ms == asked.clock_at_ms
        ),
        None,
    )


def overrule(turn: Turn, asked: OfOperator) -> None:
    """Do what the operator says, if what he saw is still so. O(enrollments + pending messages)."""
    enrollment = find(turn.user, asked)
    if enrollment is None:
        return
    if isinstance(asked, EnrollmentCancelled):
        leave(own_turn(turn, enrollment), enrollment, CANCELLED)
    elif not why_not_forward(turn.plan, turn.user, enrollment):
        _forward(turn, enrollment)
    reckon(turn.user)


def _forward(turn: Turn, enrollment: Enrollment) -> None:
    """Have the time of what the enrollment waits for be up at this instant."""
    user, campaign = turn.user, turn.plan.campaigns[enrollment.campaign]
    step = campaign.steps[enrollment.position]
    if isinstance(step, Repeat):
        end_pause(enrollment, step, turn.at_ms)
    go_on_now(own_turn(turn, enrollment), campaign, enrollment)
    user.fired_at_ms = max(user.fired_at_ms, turn.at_ms)
