"""Goals: what a campaign is for, found in events within a window from the start of an enrollment.

An enrollment reaches its goal once, also after it ended: until the window is over it is remembered
with its user, in short (`state.Ended`). Whether an event counts follows from its own time, and from
when it came: within the window, and not later than lateness allows behind it. Whoever is forgotten
is so for that reason or for want of room, never because somebody looked.

Last touch: of all enrollments whose goal one event is, the one whose message was clicked last, up
to the event's own time, names that message; where none was clicked, the one whose message was
delivered last.
"""

from __future__ import annotations

from math import isfinite, nan
from operator import attrgetter
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from engine.core.cel import CelError, Program
from engine.core.effects import ConditionFailed
from engine.core.experiments import count_goal, crossed
from engine.core.state import Ended, Enrollment

if TYPE_CHECKING:
    from collections.abc import Collection

    from engine.core.messages.waiting import Pending
    from engine.core.state import User
    from engine.core.turn import Turn

WITHIN_MS: Final = 604_800_000
"""Seven days: the window unless the campaign says otherwise."""

ENDED_MAX: Final = 100
"""Enrollments that came to their end and still await their goal, a user; the oldest go."""

TOUCHES_MAX: Final = 8
"""Messages of an enrollment that are remembered, the newest: an event may come late."""

Awaiting: TypeAlias = Enrollment | Ended


class Goal(msgspec.Struct, frozen=True, eq=False):
    """What a campaign is for.

    Attributes:
        events: Names of the events that may be it.
        when: Asked of such an event; None: each is.
        within_ms: From the start of an enrollment on it may be reached.
        value: What it is worth, by the event; None: nothing is said.
    """

    events: tuple[str, ...]
    when: Program | None = None
    within_ms: int = WITHIN_MS
    value: Program | None = None


def reach(
    turn: Turn,
    campaigns: Collection[str],
    occurred_at_ms: int,
    among: Collection[str] | None = None,
) -> set[str]:
    """Record the goals that the event at hand is, in order of rank; ids of their enrollments.

    `campaigns` are those of which it may be one, `among` the enrollments that are asked; None: all.
    O(enrollments + those that ended).
    """
    plan, user = turn.plan, turn.user
    all_of_his: tuple[Awaiting, ...] = (*user.enrollments, *user.ended)
    reached = [
        one
        for one in all_of_his
        if one.campaign in campaigns
        and (among is None or one.enrollment in among)
        and _counts(turn, one, occurred_at_ms)
    ]
    if not reached:
        return set()
    met = {key: _is_met(turn, key) for key in {one.campaign: None for one in reached}}
    reached = [one for one in reached if met[one.campaign]]
    if not reached:
        return set()
    reached.sort(key=lambda one: plan.campaigns[one.campaign].rank)
    touches = [_last_touch(one, occurred_at_ms) for one in reached]
    last = max(touches)
    for one, touch in zip(reached, touches, strict=True):
        message = last[2] if touch == last else ""
        reason = "holdout" if one.held_out else ""
        value = _value(turn, one.campaign)
        goal = turn.record("goal", one, reason=reason, message=message)
        goal.value = value
        if message:
            goal.touch = "clicked" if last[0] else "delivered"
        if one.variants:
            goal.variants = crossed(turn.plan, one)
        count_goal(turn, one)
    forget_over(turn)
    ids = {one.enrollment for one in reached}
    user.ended = tuple([one for one in user.ended if one.enrollment not in ids])
    return ids


def await_goal(turn: Turn, enrollment: Enrollment) -> None:
    """Remember an enrollment that has come to its end, where it may still reach its goal.

    Those that cannot any more go. O(those that are remembered).
    """
    if _ends_at_ms(turn, enrollment) <= turn.now_ms:
        return
    ended = Ended(
        enrollment.enrollment,
        enrollment.campaign,
        enrollment.entered_at_ms,
        enrollment.held_out,
        enrollment.variants,
        enrollment.touches,
        enrollment.clicks,
    )
    user = turn.user
    forget_over(turn)
    user.ended = (*user.ended[1 - ENDED_MAX :], ended)


def forget_over(turn: Turn) -> None:
    """Let go of enrollments whose goal no event can be any more. O(those that are remembered).

    Asked wherever something comes of the user: as he comes in or leaves, as a message goes or
    arrives, as a goal is reached. One whose campaign is gone, or has no goal any more, is kept as
    long as one with the usual window: it may come back, and then must count or not whoever looked.
    """
    user, now_ms = turn.user, turn.now_ms
    if user.ended and any(_kept_until_ms(turn, one) <= now_ms for one in user.ended):
        user.ended = tuple([one for one in user.ended if _kept_until_ms(turn, one) > now_ms])


def join_ended(user: User, other: User) -> None:
    """Have a user remember what ended for the other one, who is he. O(both)."""
    if other.ended:
        both = sorted((*user.ended, *other.ended), key=attrgetter("entered_at_ms"))
        user.ended = tuple(both[-ENDED_MAX:])


def touch(turn: Turn, delivered: Pending, effect_id: str) -> None:
    """A message was delivered: its enrollment remembers it, where that may reach a goal.

    O(enrollments + those that ended).
    """
    campaign = turn.plan.campaigns.get(delivered.campaign)
    forget_over(turn)
    if campaign is None or campaign.goal is None:
        return
    all_of_his: tuple[Awaiting, ...] = (*turn.user.enrollments, *turn.user.ended)
    for one in all_of_his:
        if one.enrollment == delivered.enrollment:
            one.touches = (*one.touches, (turn.now_ms, effect_id))[-TOUCHES_MAX:]


def _counts(turn: Turn, one: Awaiting, occurred_at_ms: int) -> bool:
    """Whether an event of that time is in the enrollment's window, and not beyond all lateness."""
    goal = turn.plan.campaigns[one.campaign].goal
    assert goal is not None, "the event is that of a goal"
    is_within = one.entered_at_ms <= occurred_at_ms < one.entered_at_ms + goal.within_ms
    return is_within and turn.now_ms < _ends_at_ms(turn, one)


def _ends_at_ms(turn: Turn, one: Awaiting) -> int:
    """From when on no event can come any more that counts; 0 where there is no goal."""
    campaign = turn.plan.campaigns.get(one.campaign)
    if campaign is None or campaign.goal is None:
        return 0
    return one.entered_at_ms + campaign.goal.within_ms + turn.plan.policy.max_lateness_ms


def _kept_until_ms(turn: Turn, one: Ended) -> int:
    """Until when one is remembered that has ended."""
    kept_until_ms = one.entered_at_ms + WITHIN_MS + turn.plan.policy.max_lateness_ms
    return _ends_at_ms(turn, one) or kept_until_ms


def _is_met(turn: Turn, campaign_id: str) -> bool:
    goal = turn.plan.campaigns[campaign_id].goal
    return goal is not None and (goal.when is None or turn.holds(goal.when, campaign_id))


def _last_touch(one: Awaiting, occurred_at_ms: int) -> tuple[bool, int, str]:
    """Of the last touch by an event's time: whether it was clicked, when, and the message's id.

    Whatever was clicked is later than all that was not; (False, 0, "") where there is none.
    """
    clicks = [(True, *click) for click in one.clicks if click[0] <= occurred_at_ms]
    if clicks:
        return max(clicks)
    touches = [(False, *touch) for touch in one.touches if touch[0] <= occurred_at_ms]
    return max(touches, default=(False, 0, ""))


def _value(turn: Turn, campaign_id: str) -> float | None:
    """What the event at hand is worth; None where nothing is said, or it is no number."""
    goal = turn.plan.campaigns[campaign_id].goal
    if goal is None or goal.value is None:
        return None
    try:
        value = goal.value.evaluate(turn.bindings(goal.value))
        worth = float(value) if type(value) in {int, float} else nan
    except (CelError, OverflowError):  # an integer may be beyond what floats can be
        worth = nan
    if isfinite(worth):
        return worth
    turn.effects.append(ConditionFailed(campaign_id))
    return None
