"""What a campaign's status means for those who come, for those inside, and for their messages.

| status     | who comes in | who is inside                 | their unsent messages |
| ---------- | ------------ | ----------------------------- | --------------------- |
| `live`     | everybody    | goes on                       | go                    |
| `test`     | testers      | testers go on, others stand   | those of testers go   |
| `paused`   | nobody       | stands                        | stay in the outbox    |
| `draft`    | nobody       | stands                        | stay in the outbox    |
| `archived` | nobody       | leaves (`archived`)           | are taken back        |

Who stands is in no hurry: his deadlines are held, and fire as the campaign goes on, judged then.
What ends an enrollment ends it meanwhile, too, and what it waits for is noted as it comes true: it
goes on from there. So a pause makes nobody miss that he has bought.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.conditions.watching import rearm
from engine.core.guardrails import cancelled, put_off_until_ms
from engine.core.messages.waiting import each_message
from engine.core.state import NEVER
from engine.core.steps.kinds import END

if TYPE_CHECKING:
    from engine.core.messages.waiting import Pending
    from engine.core.plan import Campaign, Plan
    from engine.core.state import Enrollment, User
    from engine.core.turn import Turn

STATUSES: Final = {
    "test": "testers come in, and go on; everybody else stands still",
    "paused": "nobody comes in, and who is inside stands still",
    "draft": "nobody comes in, and who is inside stands still",
    "archived": "nobody comes in, and who is inside leaves",
}
"""What each status but `live` does, in words for people."""

HELD: Final = "held"
"""The verdict on a message that may not go for now, and may later."""


def admits(plan: Plan, campaign: Campaign, user_id: str) -> bool:
    """Whether the campaign's status lets a user in. O(1)."""
    status = campaign.status
    return status == "live" or (status == "test" and user_id in plan.policy.testers)


def holds(plan: Plan, campaign: Campaign, user_id: str) -> bool:
    """Whether a user who is in the campaign stands still. O(1)."""
    return (
        not campaign.is_live
        and campaign.status != "archived"
        and not admits(plan, campaign, user_id)
    )


def goes_live(before: Plan, plan: Plan, campaign: Campaign, user_id: str) -> bool:
    """Whether the campaign has come to be open to a user, who was not in reach of it before.

    One that goes on after a pause was live already: nobody comes in for what was true before.
    """
    was = before.campaigns.get(campaign.id)
    was_live = was is not None and (was.status == "paused" or admits(before, was, user_id))
    return admits(plan, campaign, user_id) and not was_live


def stand(turn: Turn, campaign: Campaign, enrollment: Enrollment) -> bool:
    """Have an enrollment that is held stay at the step that it has come to; whether it is held."""
    position = enrollment.position
    if position == END or not holds(turn.plan, campaign, turn.user.user_id):
        return False
    enrollment.signature = campaign.signatures[position]
    hold_still(enrollment)
    return True


def hold_still(enrollment: Enrollment) -> None:
    """Have no deadline of an enrollment fire; what ends it, and what it waits for, is still asked.

    When its wait would be over follows from its step and its clock.
    """
    alarms = enrollment.alarms
    if alarms is None:
        enrollment.due_at_ms = NEVER
    else:
        alarms.ends_at_ms = NEVER
        rearm(enrollment)


def is_stale(turn: Turn, enrollment: Enrollment, due_at_ms: int) -> bool:
    """Whether a send without an `expires` of its own was held for too long to go any more.

    A pause may be of weeks: what fell due more than `events.max_lateness` before it was over does
    not go.
    """
    resumed_at_ms = 0 if enrollment.hold is None else enrollment.hold.resumed_at_ms
    return resumed_at_ms - due_at_ms > turn.plan.policy.max_lateness_ms


def verdict_on(plan: Plan, user: User, pending: Pending, now_ms: int) -> str:
    """Why a message in the outbox may not be handed over, `HELD` where not now, "" where it may."""
    campaign = plan.campaigns.get(pending.campaign)
    reason = cancelled(plan.policy, user, pending, now_ms)
    if reason:
        return reason
    is_held = campaign is not None and holds(plan, campaign, user.user_id)
    return HELD if is_held or put_off_until_ms(plan.policy, user, pending, now_ms) else ""


def limit_stay(user: User, plan: Plan, at_ms: int) -> None:
    """Have messages that are held from an instant on expire `events.max_lateness` after it.

    Those that have no `expires` of their own. O(pending messages).
    """
    for pending in each_message(user.pending):
        campaign = plan.campaigns.get(pending.campaign)
        if (
            campaign is not None
            and not pending.expires_at_ms
            and holds(plan, campaign, user.user_id)
        ):
            pending.expires_at_ms = at_ms + plan.policy.max_lateness_ms
