"""What a change of the plan would do to one user: done to a copy of him, by the code that does it.

So what is foretold is what would come of it at that instant, but for what happens until then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from engine.core.adoption import adopt
from engine.core.conditions.watching import ends_at_ms
from engine.core.effects import CancelMessage, Effect, Record
from engine.core.transition import fire

if TYPE_CHECKING:
    from engine.core.plan import Plan
    from engine.core.state import Enrollment, User


class Waits(msgspec.Struct, frozen=True):
    """One enrollment before the change, and after it.

    Attributes:
        step: The id of the step that it is in.
        ends_at_ms: When its wait is over at the latest; `state.NEVER` while it is held, too.
        ends_then_ms: The same under the plan to come; None where it is inside no more.
        leaves: Why it is not; "" where it is.
    """

    user_id: str
    campaign: str
    step: str
    ends_at_ms: int
    ends_then_ms: int | None
    leaves: str


class Foreseen(msgspec.Struct, frozen=True):
    """What the change does to one user.

    Attributes:
        records: What happens at once, what is overdue by then included.
        taken_back: Ids of messages that are taken back.
    """

    waits: list[Waits]
    records: list[Record]
    taken_back: list[str]


def foresee(before: Plan, plan: Plan, user: User, at_ms: int) -> Foreseen:
    """Have a copy of a user take the change on, and tell what comes of it.

    `user` is that copy: he has lived until `at_ms` under the plan `before`, and is changed here.
    O(enrollments + what fires at once).
    """
    inside = [(one, _step(before, one), ends_at_ms(one)) for one in user.enrollments]
    effects: list[Effect] = []
    adopt(before, plan, user, at_ms, effects)
    then = {one.enrollment: ends_at_ms(one) for one in user.enrollments}
    left = [one for one in effects if isinstance(one, Record) and one.kind == "exited"]
    leaves = {one.enrollment: one.reason for one in left}
    fire(plan, user, at_ms, effects)
    return Foreseen(
        [
            Waits(
                user.user_id,
                one.campaign,
                step,
                ends_ms,
                then.get(one.enrollment),
                leaves.get(one.enrollment, ""),
            )
            for one, step, ends_ms in inside
        ],
        [effect for effect in effects if isinstance(effect, Record)],
        [effect.id for effect in effects if isinstance(effect, CancelMessage)],
    )


def _step(plan: Plan, enrollment: Enrollment) -> str:
    campaign = plan.campaigns.get(enrollment.campaign)
    return "" if campaign is None else campaign.steps[enrollment.position].id
