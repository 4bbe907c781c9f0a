"""Go from step to step until one waits.

A walk runs at one instant of the enrollment's clock. Where an enrollment starts late, so that some
of its waits are over already, its clock catches up: of the sends it passes, those of the latest due
instant go, those of earlier instants are skipped as `expired`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.exits import leave
from engine.core.plan import END, If, Send, Wait
from engine.core.sending import send, skip
from engine.core.state import NEVER, drop

if TYPE_CHECKING:
    from engine.core.plan import Campaign
    from engine.core.state import Enrollment
    from engine.core.turn import Turn


def set_out(turn: Turn, campaign: Campaign, enrollment: Enrollment) -> None:
    """Walk a new enrollment from its first step, catching up with now where it starts late."""
    enrollment.position = 0 if campaign.steps else END
    if enrollment.clock_at_ms >= turn.now_ms:
        walk(turn, campaign, enrollment, None)
        return
    catch_up = _CatchUp()
    walk(turn, campaign, enrollment, catch_up)
    while enrollment.due_at_ms <= turn.now_ms:
        _end_wait(campaign, enrollment)
        walk(turn, campaign, enrollment, catch_up)
    catch_up.release(turn, campaign, enrollment)


def go_on(turn: Turn, campaign: Campaign, enrollment: Enrollment) -> None:
    """The wait that the enrollment is in is over: walk on from its due instant."""
    _end_wait(campaign, enrollment)
    walk(turn, campaign, enrollment, None)


def walk(turn: Turn, campaign: Campaign, enrollment: Enrollment, catch_up: _CatchUp | None) -> None:
    """Run steps until one waits or the last is done. O(steps): a program has no loops."""
    steps = campaign.steps
    position = enrollment.position
    passed: tuple[str, ...] = ()
    while position != END:
        step = steps[position]
        if isinstance(step, Wait):
            if passed:
                enrollment.passed += passed
            enrollment.position = position
            enrollment.due_at_ms = enrollment.clock_at_ms + step.duration_ms
            enrollment.signature = campaign.signatures[position]
            return
        if isinstance(step, Send):
            if step.id in enrollment.passed:
                skip(turn, enrollment, step, "passed")
            elif catch_up is not None:
                catch_up.meet(turn, enrollment, step)
            else:
                send(turn, campaign, enrollment, step, enrollment.clock_at_ms)
            passed = (*passed, step.id)
            position = step.next
        elif isinstance(step, If):
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


def _branch(turn: Turn, enrollment: Enrollment, step: If) -> int:
    """Where it goes on from a branch."""
    holds = turn.holds(step.condition)
    turn.record("branched", enrollment, step=step.id, branch="then" if holds else "else")
    return step.then if holds else step.otherwise


def _end_wait(campaign: Campaign, enrollment: Enrollment) -> None:
    step = campaign.steps[enrollment.position]
    assert isinstance(step, Wait)
    enrollment.clock_at_ms = enrollment.due_at_ms
    enrollment.due_at_ms = NEVER
    enrollment.position = step.next


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
