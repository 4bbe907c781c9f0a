"""Go from step to step until one waits.

A walk runs at one instant of the enrollment's clock. Where an enrollment starts late, so that some
of its waits are over already, its clock catches up: of the sends it passes, those of the latest due
instant go, those of earlier instants are skipped as `expired`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.exits import leave
from engine.core.experiments import go_by
from engine.core.holding import stand
from engine.core.plan import END, WAITS, If, Send, Split, Wait, WaitWhen
from engine.core.sending import send, skip
from engine.core.state import NEVER, drop
from engine.core.watching import await_until, is_met, leaves, rearm

if TYPE_CHECKING:
    from engine.core.plan import Campaign
    from engine.core.state import Enrollment
    from engine.core.turn import Turn


_BRANCHES: Final = (If, Split)
"""Written as `If | Split` it would be made anew for each step."""


def set_out(turn: Turn, campaign: Campaign, enrollment: Enrollment) -> None:
    """Walk a new enrollment from its first step, catching up with now where it starts late."""
    enrollment.position = 0 if campaign.steps else END
    if enrollment.clock_at_ms >= turn.now_ms:
        walk(turn, campaign, enrollment, None)
        return
    catch_up = _CatchUp()
    walk(turn, campaign, enrollment, catch_up)
    while (ends_at_ms := _ends_at_ms(enrollment)) <= turn.now_ms:
        _leave_step(enrollment, _awaited(campaign, enrollment).next, ends_at_ms)
        walk(turn, campaign, enrollment, catch_up)
    catch_up.release(turn, campaign, enrollment)


def go_on(turn: Turn, campaign: Campaign, enrollment: Enrollment) -> None:
    """The wait that the enrollment is in is over, or an alarm is due: walk on from that instant.

    An alarm asks what the campaign leaves by, then what the step waits for; neither may be so.
    """
    alarms = enrollment.alarms
    ends_at_ms = enrollment.due_at_ms
    if alarms is not None:
        due_at_ms, ends_at_ms = turn.at_ms, alarms.ends_at_ms
        if alarms.exit_at_ms <= due_at_ms and leaves(turn, campaign, enrollment):
            return
        if alarms.ask_at_ms <= due_at_ms and pass_on(turn, campaign, enrollment):
            return
        if ends_at_ms > due_at_ms:
            rearm(enrollment)
            return
    step = campaign.steps[enrollment.position]
    # Who was held as he came to a step that is no wait goes on with that one.
    follow = step.next if isinstance(step, WAITS) else enrollment.position
    _leave_step(enrollment, follow, ends_at_ms)
    _walk_on(turn, campaign, enrollment)


def pass_on(turn: Turn, campaign: Campaign, enrollment: Enrollment) -> bool:
    """Ask what the enrollment waits for, if it does; where that has come true, walk on from now."""
    step = campaign.steps[enrollment.position]
    if not isinstance(step, WaitWhen) or not is_met(turn, step, enrollment):
        return False
    _leave_step(enrollment, step.then, turn.at_ms)
    _walk_on(turn, campaign, enrollment)
    return True


def _walk_on(turn: Turn, campaign: Campaign, enrollment: Enrollment) -> None:
    """Walk on from a step that is done, unless the campaign's status holds whoever is in it."""
    if campaign.is_live or not stand(turn, campaign, enrollment):
        walk(turn, campaign, enrollment, None)


def walk(turn: Turn, campaign: Campaign, enrollment: Enrollment, catch_up: _CatchUp | None) -> None:
    """Run steps until one waits or the last is done. O(steps): a program has no loops."""
    steps = campaign.steps
    position = enrollment.position
    passed: tuple[str, ...] = ()
    while position != END:
        step = steps[position]
        if isinstance(step, Send):
            if step.id in enrollment.passed:
                skip(turn, enrollment, step, "passed")
            elif catch_up is not None:
                catch_up.meet(turn, enrollment, step)
            else:
                send(turn, campaign, enrollment, step, enrollment.clock_at_ms)
            passed = (*passed, step.id)
            position = step.next
        elif isinstance(step, WAITS):
            goes_on = _wait(turn, campaign, enrollment, step)
            if goes_on is None:
                enrollment.position = position
                enrollment.signature = campaign.signatures[position]
                enrollment.passed += passed
                return
            position = goes_on
        elif isinstance(step, _BRANCHES):
            position = _branch(turn, enrollment, step)
        else:
            if catch_up is not None:
                catch_up.release(turn, campaign, enrollment)
            leave(turn, enrollment, step.reason, step=step.id)
            return
    if catch_up is not None:
        catch_up.release(turn, campaign, enrollment)
    enrollment.position = END
    drop(turn.user, enrollment)
    turn.record("finished", enrollment)


def _branch(turn: Turn, enrollment: Enrollment, step: If | Split) -> int:
    """Where it goes on from a branch."""
    if isinstance(step, Split):
        return go_by(turn, enrollment, step)
    holds = turn.holds(step.condition, enrollment.campaign)
    turn.record("branched", enrollment, step=step.id, branch="then" if holds else "else")
    return step.then if holds else step.next


def _wait(
    turn: Turn, campaign: Campaign, enrollment: Enrollment, step: Wait | WaitWhen
) -> int | None:
    """Begin a wait; where it goes on from, if what it waits for is so already."""
    clock_at_ms = enrollment.clock_at_ms
    if isinstance(step, Wait):
        ends_at_ms = clock_at_ms + step.duration_ms
    elif is_met(turn, step, enrollment):
        enrollment.clock_at_ms = max(clock_at_ms, turn.at_ms)
        return step.then
    else:
        ends_at_ms = NEVER if step.at_most_ms is None else clock_at_ms + step.at_most_ms
    if campaign.raised_by is None:
        enrollment.due_at_ms = ends_at_ms
    else:
        await_until(enrollment, ends_at_ms)
    return None


def _ends_at_ms(enrollment: Enrollment) -> int:
    """When the wait is over at the latest."""
    alarms = enrollment.alarms
    return enrollment.due_at_ms if alarms is None else alarms.ends_at_ms


def _awaited(campaign: Campaign, enrollment: Enrollment) -> Wait | WaitWhen:
    """The step that somebody who is due waits in."""
    step = campaign.steps[enrollment.position]
    assert isinstance(step, WAITS)
    return step


def _leave_step(enrollment: Enrollment, position: int, clock_at_ms: int) -> None:
    """Go on at another step, from that instant of the enrollment's clock."""
    enrollment.position = position
    enrollment.clock_at_ms = clock_at_ms
    enrollment.due_at_ms = NEVER
    alarms = enrollment.alarms
    if alarms is not None:
        alarms.ask_at_ms = alarms.ends_at_ms = NEVER


class _CatchUp:
    """Sends met by an enrollment that started late, until it is known which of them go."""

    __slots__ = ("due_at_ms", "met")

    def __init__(self) -> None:
        self.met: list[Send] = []
        self.due_at_ms = NEVER

    def meet(self, turn: Turn, enrollment: Enrollment, step: Send) -> None:
        if enrollment.clock_at_ms != self.due_at_ms:
            for earlier in self.met:
                skip(turn, enrollment, earlier, "expired")
            self.met.clear()
            self.due_at_ms = enrollment.clock_at_ms
        self.met.append(step)

    def release(self, turn: Turn, campaign: Campaign, enrollment: Enrollment) -> None:
        for step in self.met:
            send(turn, campaign, enrollment, step, self.due_at_ms)
        self.met.clear()
