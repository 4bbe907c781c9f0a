"""Steps that somebody comes by at once: they decide where it goes on, or make something."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from engine.core.experiments import go_by
from engine.core.steps.kinds import Choose, Emit, If, Set, Split
from engine.core.steps.making import emit, set_traits

if TYPE_CHECKING:
    from engine.core.state import Enrollment
    from engine.core.turn import Turn


def come_by(turn: Turn, enrollment: Enrollment, step: If | Choose | Split | Set | Emit) -> int:
    """Do what a step does; the position at which it goes on."""
    match step:
        case If():
            holds = turn.holds(step.condition, enrollment.campaign)
            turn.record("branched", enrollment, step.id).branch = "then" if holds else "else"
            return step.then if holds else step.next
        case Choose():
            return _choose(turn, enrollment, step)
        case Split():
            return go_by(turn, enrollment, step)
        case Set():
            set_traits(turn, enrollment.campaign, step)
        case Emit():
            emit(turn, enrollment.campaign, step)
        case _:
            assert_never(step)
    return step.next


def _choose(turn: Turn, enrollment: Enrollment, step: Choose) -> int:
    branch, goes_on = "else", step.next
    for number, condition in enumerate(step.conditions):
        if turn.holds(condition, enrollment.campaign):
            branch, goes_on = str(number), step.ways[number]
            break
    turn.record("branched", enrollment, step.id).branch = branch
    return goes_on
