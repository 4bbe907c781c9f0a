"""What fell due while nobody was there waits for the grace; inputs come meanwhile, and go ahead.

At the end of the grace it happens in order of due, each thing as of its own instant and with what
is known by then. So inputs of the grace neither hurry nor drop it: a condition that has risen, an
enrollment whose turn has come, wait. But where such an input makes true what somebody leaves by or
waits for, that counts at once: a purchase stops the message that is held back.

An alarm is a lower bound, and that it was set must not be seen: before anything is held back, and
before each input of the grace, alarms are followed to where something comes of them (`waiting`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from engine.core.conditions import edges, watching
from engine.core.state import NEVER, first_due_at_ms, reckon
from engine.core.turn import Turn

if TYPE_CHECKING:
    from engine.core.inputs import TimeSkipped
    from engine.core.plan import Campaign, Plan
    from engine.core.state import Enrollment, User

    Held: TypeAlias = dict[str, tuple[bool, bool]]
    """Enrollments whose turn has come: whether what they leave by, or wait for, is so already."""


def hold(plan: Plan, user: User, skipped: TimeSkipped) -> None:
    """Hold back what fell due in the time that was skipped, until the grace is over.

    What an earlier grace holds back waits for this one too. O(enrollments + conditions), and the
    instants at which these were to be asked.
    """
    held_until_ms = skipped.at_ms + skipped.grace_ms
    if first_due_at_ms(user) >= skipped.at_ms or user.held_until_ms >= held_until_ms:
        return
    waiting(plan, user, skipped.at_ms - 1)
    if first_due_at_ms(user) < skipped.at_ms:
        user.held_until_ms = held_until_ms
    reckon(user)


def waiting(plan: Plan, user: User, at_ms: int) -> Held:
    """Follow alarms up to an instant, inclusive, as far as nothing comes of them.

    What is due by then afterwards is what has risen, and whose turn has come: those enrollments
    are given back. O(enrollments + conditions), and the instants at which they are asked.
    """
    edges.follow_alarms(plan, user, at_ms)
    held: Held = {}
    for enrollment in user.enrollments:
        _follow_alarms(plan, user, enrollment, at_ms)
        if enrollment.due_at_ms <= at_ms:
            turn = Turn(plan, user, at_ms, at_ms, [])
            (leaves, _), (goes_on, _) = _ask(turn, enrollment)
            held[enrollment.enrollment] = (leaves, goes_on)
    return held


def comes_about(turn: Turn, enrollment: Enrollment, held: Held) -> tuple[bool, bool]:
    """Whether the input at hand has made true what a held enrollment leaves by, or waits for.

    Where it has not, both are asked anew from the instant on at which its turn had come.
    """
    had_left, had_gone_on = held[enrollment.enrollment]
    (leaves, _), (goes_on, _) = _ask(turn, enrollment)
    alarms, due_at_ms = enrollment.alarms, enrollment.due_at_ms
    campaign = turn.plan.campaigns[enrollment.campaign]
    if alarms is not None and campaign.exit_when is not None:
        alarms.exit_at_ms = due_at_ms
    if alarms is not None and watching.awaited(campaign, enrollment) is not None:
        # It may have come to where it is by an earlier input of the grace.
        alarms.ask_at_ms = max(due_at_ms, enrollment.clock_at_ms)
    return leaves and not had_left, goes_on and not had_gone_on


def _follow_alarms(plan: Plan, user: User, enrollment: Enrollment, at_ms: int) -> None:
    alarms = enrollment.alarms
    while alarms is not None and enrollment.due_at_ms <= min(at_ms, alarms.ends_at_ms - 1):
        turn = Turn(plan, user, enrollment.due_at_ms, enrollment.due_at_ms, [])
        (leaves, exit_at_ms), (goes_on, ask_at_ms) = _ask(turn, enrollment)
        if leaves or goes_on:
            return
        alarms.exit_at_ms, alarms.ask_at_ms = exit_at_ms, ask_at_ms
        watching.rearm(enrollment)


def _ask(turn: Turn, enrollment: Enrollment) -> tuple[tuple[bool, int], tuple[bool, int]]:
    """`exit.when`, and what the step waits for: each answer, and until when it surely holds."""
    if enrollment.alarms is None:
        return (False, NEVER), (False, NEVER)
    campaign: Campaign = turn.plan.campaigns[enrollment.campaign]
    own = watching.own_turn(turn, enrollment)
    leaving, awaited = campaign.exit_when, watching.awaited(campaign, enrollment)
    return (
        (False, NEVER) if leaving is None else own.ask(leaving, campaign.id),
        (False, NEVER) if awaited is None else own.ask(awaited, campaign.id),
    )
