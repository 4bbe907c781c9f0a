"""Two users become one: what the one was in meets what the other had done.

An exit, a goal or an awaited event of the other one counts as it would had one user done it all,
and nobody goes through a campaign besides the other one, or sooner behind him than its `reentry`
allows. All of it is looked for while the two are still apart (`meet`), and done as they are one
(`merging`).
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import msgspec

from engine.core.entry import entry_key, is_too_soon
from engine.core.guardrails import barrier
from engine.core.history import instants_of, newest
from engine.core.inputs import EventReceived
from engine.core.past.entered import newest_entry
from engine.core.state import Enrollment
from engine.core.steps.kinds import Send, WaitEvent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.core.goals import Awaiting
    from engine.core.plan import Campaign, Plan
    from engine.core.state import Pending, User

Awaited: TypeAlias = dict[str, list[EventReceived]]
"""By enrollment, events that it may have waited for."""

_encode = msgspec.json.Encoder().encode


class Met(NamedTuple):
    """What of the one is concerned by what the other had done, for both.

    Attributes:
        ended: Ids of enrollments, and of messages, that an exit event ends.
        aimed: Events that may be a goal, in order, each with the enrollments that may reach it.
        awaited: Events that may end a wait.
        again: Ids of enrollments, and of messages, that one user would not have had (`_again`).
    """

    ended: set[str]
    aimed: list[tuple[EventReceived, frozenset[str]]]
    awaited: Awaited
    again: set[str]


def meet(plan: Plan, user: User, other: User) -> Met:
    """Find all that meets. O(what is kept of both)."""
    aimed = [*_aimed(plan, user, other), *_aimed(plan, other, user)]
    return Met(
        _ended(plan, user, other) | _ended(plan, other, user),
        sorted(aimed, key=lambda one: one[0].occurred_at_ms),
        {**_awaited(plan, user, other), **_awaited(plan, other, user)},
        _again(plan, user, other) | _again(plan, other, user, yields=True),
    )


def _ended(plan: Plan, user: User, other: User) -> set[str]:
    """What of `user` an exit event of `other` ends: it happened behind the start."""
    ends_at_ms = {
        campaign.id: max((newest(other, name) for name in campaign.exit_events), default=-1)
        for campaign in plan.campaigns.values()
    }
    enrollments = {
        one.enrollment for one in user.enrollments if one.entered_at_ms <= ends_at_ms[one.campaign]
    }
    return enrollments | {
        effect_id
        for effect_id, pending in user.pending.items()
        if pending.entered_at_ms <= ends_at_ms.get(pending.campaign, -1)
    }


def _aimed(plan: Plan, user: User, other: User) -> Iterator[tuple[EventReceived, frozenset[str]]]:
    """What `other` did that may be the goal of what `user` is in, or was.

    Which of it is one is told by the goal itself, as of an event that comes late. O(enrollments *
    events kept of a name).
    """
    started_ms: dict[str, int] = {}
    awaiting = []
    his: tuple[Awaiting, ...] = (*user.enrollments, *user.ended)
    for one in his:
        campaign = plan.campaigns.get(one.campaign)
        if campaign is None or campaign.goal is None:
            continue
        awaiting.append(one.enrollment)
        for name in campaign.goal.events:
            started_ms[name] = min(one.entered_at_ms, started_ms.get(name, one.entered_at_ms))
    among = frozenset(awaiting)
    for name, start_ms in started_ms.items():
        for event in _events_of(other, name):
            if event.occurred_at_ms >= start_ms:
                yield event, among


def _awaited(plan: Plan, user: User, other: User) -> Awaited:
    """By enrollment of `user`, what `other` did while it waited for such an event.

    What was done before the wait began would have found it at another step, had one user done all.
    O(enrollments * events kept of a name).
    """
    awaited: Awaited = {}
    for one in user.enrollments:
        step = plan.campaigns[one.campaign].steps[one.position]
        if isinstance(step, WaitEvent):
            done = [
                event
                for name in step.events
                for event in _events_of(other, name)
                if event.occurred_at_ms >= one.clock_at_ms
            ]
            if done:
                awaited[one.enrollment] = sorted(done, key=attrgetter("occurred_at_ms"))
    return awaited


def _again(plan: Plan, user: User, other: User, *, yields: bool = False) -> set[str]:
    """What of `user` one user would not have had, since `other` has been in the same and is out.

    Enrollments that began before the other one's entry, which had been refused, or had ended them:
    he was in both at once. And enrollments and messages of an entry that came too soon behind it.
    Whoever could be reached by no channel of a campaign has had nothing of it, and stands in
    nobody's way. Where the other one is in it still, one gives way for that (`merging`). `yields`:
    also where both began at one instant. O(enrollments + messages).
    """
    inside = {(one.campaign, one.per) for one in other.enrollments}
    again: set[str] = set()
    his: dict[str, Enrollment | Pending] = {**user.pending}
    his |= {one.enrollment: one for one in user.enrollments}
    for known_by, one in his.items() if other.entries else ():
        earlier = newest_entry(other.entries, entry_key(one.campaign, one.per))
        campaign = plan.campaigns.get(one.campaign)
        if earlier is None or campaign is None or (one.campaign, one.per) in inside:
            continue
        entered_ms, entry = earlier[0], campaign.entry
        if entered_ms > one.entered_at_ms:
            is_again = isinstance(one, Enrollment)
        elif entered_ms < one.entered_at_ms or yields:
            is_again = not entry.restart and is_too_soon(entry, entered_ms, one.entered_at_ms)
        else:
            is_again = False
        if is_again and _is_reached(plan, other, campaign):
            again.add(known_by)
    return again


def _is_reached(plan: Plan, user: User, campaign: Campaign) -> bool:
    """Whether any message of a campaign can go to a user. O(steps)."""
    sends = [step for step in campaign.steps if isinstance(step, Send)]
    channels = {channel for step in sends for channel in step.channels}
    is_marketing, topic = campaign.is_marketing, campaign.topic
    return any(not barrier(plan.policy, user, one, is_marketing, topic) for one in channels)


def _events_of(user: User, name: str) -> Iterator[EventReceived]:
    """What is kept of a user's events of a name, in order. O(kept)."""
    instants, details = instants_of(user.history.get(name, b"")), user.details.get(name)
    for place, at_ms in enumerate(instants):
        said = {} if details is None else details.properties(place)
        yield EventReceived(user.user_id, name, at_ms, at_ms, msgspec.Raw(_encode(said)))
