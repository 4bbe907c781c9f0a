"""Conditions that are asked of those who are in a campaign: `exit.when`, and `wait: {when: …}`.

Each is asked as the enrollment begins to wait for it; while it is not true, again whenever
something touches it, and at the instant until which its answer was sure (`state.Alarms`). Both are
met by being true, however long they were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.exits import leave
from engine.core.state import NEVER, Alarms
from engine.core.steps.kinds import WaitWhen
from engine.core.turn import Turn

if TYPE_CHECKING:
    from collections.abc import Collection

    from engine.core.conditions.condition import Condition
    from engine.core.plan import Campaign, Plan
    from engine.core.state import Enrollment


def is_over(turn: Turn, campaign: Campaign, enrollment: Enrollment) -> bool:
    """Ask `exit.when`, where there is one; whether the enrollment is to leave by it."""
    condition = campaign.exit_when
    if condition is None:
        return False
    holds, until_ms = turn.ask(condition, campaign.id)
    if not holds:
        _alarms(enrollment).exit_at_ms = until_ms
    return holds


def leaves(turn: Turn, campaign: Campaign, enrollment: Enrollment) -> bool:
    """Ask `exit.when`, where there is one; whether the enrollment has come to its end by it."""
    if not is_over(turn, campaign, enrollment):
        return False
    leave(turn, enrollment, "when")
    return True


def awaited(campaign: Campaign, enrollment: Enrollment) -> Condition | None:
    """What the enrollment waits for, where that is a condition."""
    step = campaign.steps[enrollment.position]
    return step.condition if isinstance(step, WaitWhen) else None


def is_met(turn: Turn, step: WaitWhen, enrollment: Enrollment) -> bool:
    """Ask what the enrollment waits for."""
    holds, until_ms = turn.ask(step.condition, enrollment.campaign)
    _alarms(enrollment).ask_at_ms = NEVER if holds else until_ms
    return holds


def give_up(enrollment: Enrollment) -> None:
    """Ask no more what the step waits for, whose time is up."""
    _alarms(enrollment).ask_at_ms = NEVER


def await_until(enrollment: Enrollment, ends_at_ms: int) -> None:
    """Note when the wait is over at the latest, and look again at the first alarm."""
    _alarms(enrollment).ends_at_ms = ends_at_ms
    rearm(enrollment)


def ends_at_ms(enrollment: Enrollment) -> int:
    """When the wait that it is in is over at the latest."""
    alarms = enrollment.alarms
    return enrollment.due_at_ms if alarms is None else alarms.ends_at_ms


def rearm(enrollment: Enrollment) -> None:
    """Set `due_at_ms` anew from the alarms."""
    alarms = enrollment.alarms
    assert alarms is not None, "only who is watched has alarms"
    enrollment.due_at_ms = min(alarms.exit_at_ms, alarms.ask_at_ms, alarms.ends_at_ms)


def touched(
    turn: Turn, inside: Collection[str] | None, awaits: Collection[str] = ()
) -> list[tuple[Campaign, Enrollment]]:
    """Enrollments in some campaigns, or in all, that ask conditions, in order of rank.

    With them those in campaigns in which somebody may wait for the event at hand.
    """
    campaigns = turn.plan.campaigns
    found = [
        (campaigns[enrollment.campaign], enrollment)
        for enrollment in turn.user.enrollments
        if (enrollment.alarms is not None and (inside is None or enrollment.campaign in inside))
        or enrollment.campaign in awaits
    ]
    found.sort(key=lambda one: one[0].rank)
    return found


def own_turn(turn: Turn, enrollment: Enrollment) -> Turn:
    """A turn at the same instant, the event at hand being the one that began the enrollment."""
    return Turn(
        turn.plan,
        turn.user,
        turn.at_ms,
        turn.now_ms,
        turn.effects,
        enrollment.event_name,
        enrollment.event,
        enrollment,
        queue=turn.queue,
    )


def _alarms(enrollment: Enrollment) -> Alarms:
    alarms = enrollment.alarms
    if alarms is None:
        alarms = enrollment.alarms = Alarms()
    return alarms


def earliest(plan: Plan, enrollments: tuple[Enrollment, ...]) -> Enrollment:
    """The one that is due first; of several at one instant that of the highest rank. O(all)."""
    campaigns = plan.campaigns
    return min(enrollments, key=lambda e: (e.due_at_ms, campaigns[e.campaign].rank))
