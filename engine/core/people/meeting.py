"""Two users become one: what the one was in meets what the other had done.

An exit, a goal or an awaited event of the other one counts as it would had one user done it all,
and nobody goes through a campaign besides the other one, or sooner behind him than its `reentry`
allows (`doubling`). All of it is looked for while the two are still apart (`meet`), and done as
they are one (`merging`).
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import msgspec

from engine.core.history import instants_of, newest
from engine.core.inputs import EventReceived
from engine.core.messages.waiting import by_id
from engine.core.people.doubling import find_doubled
from engine.core.steps.kinds import WaitEvent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.core.goals import Awaiting
    from engine.core.people.doubling import Doubled
    from engine.core.plan import Plan
    from engine.core.state import User

Awaited: TypeAlias = dict[str, list[EventReceived]]
"""By enrollment, events that it may have waited for."""

_encode = msgspec.json.Encoder().encode


class Met(NamedTuple):
    """What of the one is concerned by what the other had done, for both.

    Attributes:
        ended: Ids of enrollments, and of messages, that an exit event ends.
        aimed: Events that may be a goal, in order, each with the enrollments that may reach it.
        awaited: Events that may end a wait.
        doubled: What one user would not have had.
    """

    ended: set[str]
    aimed: list[tuple[EventReceived, frozenset[str]]]
    awaited: Awaited
    doubled: Doubled


def meet(plan: Plan, user: User, other: User) -> Met:
    """Find all that meets. O(what is kept of both)."""
    aimed = [*_aimed(plan, user, other), *_aimed(plan, other, user)]
    return Met(
        _ended(plan, user, other) | _ended(plan, other, user),
        sorted(aimed, key=lambda one: one[0].occurred_at_ms),
        {**_awaited(plan, user, other), **_awaited(plan, other, user)},
        find_doubled(plan, user, other),
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
        for effect_id, pending in by_id(user.pending).items()
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


def _events_of(user: User, name: str) -> Iterator[EventReceived]:
    """What is kept of a user's events of a name, in order. O(kept)."""
    instants, details = instants_of(user.history.get(name, b"")), user.details.get(name)
    for place, at_ms in enumerate(instants):
        said = {} if details is None else details.properties(place)
        yield EventReceived(user.user_id, name, at_ms, at_ms, msgspec.Raw(_encode(said)))
