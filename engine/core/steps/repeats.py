"""How often a `repeat` has begun, and what tells its times apart.

While an enrollment is within repeats, it knows of each how often it has begun, and when it did so
last (`Enrollment.iterations`, the outermost first). A send is known by its id and its iteration, a
number that only grows as long as the enrollment lasts: so no two messages of it have one effect id,
whatever the shop makes of the steps meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.effects import CountTime

if TYPE_CHECKING:
    from engine.core.plan import Campaign
    from engine.core.state import Enrollment
    from engine.core.steps.kinds import Repeat
    from engine.core.turn import Turn

TIMES_MAX: Final = 1_000
"""Times of a repeat, and of all that are within each other together."""


def next_time_at_ms(enrollment: Enrollment, step: Repeat) -> int:
    """When the steps may begin the next time: the pause since the last time, if any, is over."""
    begun, began_at_ms = _progress(enrollment, step.id)
    if not begun or begun >= step.times:
        return enrollment.clock_at_ms
    return max(enrollment.clock_at_ms, began_at_ms + step.every_ms)


def come_to(turn: Turn, enrollment: Enrollment, step: Repeat, position: int) -> int | None:
    """Come to a repeat, for the first time or from the end of its steps; where it goes on.

    None where it pauses. `position` is that of the repeat.
    """
    begun, _ = _progress(enrollment, step.id)
    clock_at_ms = enrollment.clock_at_ms
    if next_time_at_ms(enrollment, step) > clock_at_ms:
        return None
    is_done = begun >= step.times or (
        step.until is not None and turn.holds(step.until, enrollment.campaign)
    )
    others = tuple([one for one in enrollment.iterations if one[0] != step.id])
    if is_done:
        enrollment.iterations = others
        return step.next
    enrollment.iterations = (*others, (step.id, begun + 1, clock_at_ms))
    turn.effects.append(CountTime(enrollment.campaign, enrollment.enrollment, step.id))
    return position + 1


def end_pause(enrollment: Enrollment, step: Repeat, at_ms: int) -> None:
    """Have a repeat's steps begin the next time at this instant, if that is earlier."""
    enrollment.iterations = tuple(
        (repeat, begun, min(began_at_ms, at_ms - step.every_ms))
        if repeat == step.id
        else (repeat, begun, began_at_ms)
        for repeat, begun, began_at_ms in enrollment.iterations
    )


def put_off(enrollment: Enrollment, held_ms: int) -> None:
    """A send was held for so long: the pauses of the repeats around it count on from then."""
    if held_ms > 0 and enrollment.iterations:
        enrollment.iterations = tuple(
            (repeat, begun, began_at_ms + held_ms)
            for repeat, begun, began_at_ms in enrollment.iterations
        )


def find_again(campaign: Campaign, enrollment: Enrollment, position: int) -> None:
    """Set which repeats are around the place that an enrollment has in a changed campaign.

    One that was not around it before has begun once. O(steps).
    """
    known = {one[0]: one for one in enrollment.iterations}
    enrollment.iterations = tuple(
        known.get(repeat.id, (repeat.id, 1, enrollment.clock_at_ms))
        for start, repeat in campaign.repeats
        if start <= position < repeat.end and (start < position or repeat.id in known)
    )


def iteration_of(enrollment: Enrollment) -> int:
    """Which time it is, for a send: 0 outside of repeats, and the first time within them."""
    number = 0
    for _, begun, _ in enrollment.iterations:
        number = number * TIMES_MAX + begun - 1
    return number


def has_passed(enrollment: Enrollment, step_id: str, iteration: int) -> bool:
    """Whether it came by a send in this iteration, or in a later one. O(sends passed)."""
    for entry in enrollment.passed:
        name, _, number = entry.partition(_MARK)
        if name == step_id and iteration <= int(number or 0):
            return True
    return False


def note_passed(enrollment: Enrollment, step_id: str, iteration: int) -> None:
    """Note that it came by a send: of each the latest iteration is kept. O(sends passed)."""
    if not iteration:
        enrollment.passed += (step_id,)
        return
    others = [one for one in enrollment.passed if one.partition(_MARK)[0] != step_id]
    enrollment.passed = (*others, f"{step_id}{_MARK}{iteration}")


def join_passed(enrollment: Enrollment, other: Enrollment) -> None:
    """Note that it came by all sends that another one came by. O(sends passed, squared)."""
    for entry in other.passed:
        name, _, number = entry.partition(_MARK)
        if not has_passed(enrollment, name, int(number or 0)):
            note_passed(enrollment, name, int(number or 0))


def _progress(enrollment: Enrollment, step_id: str) -> tuple[int, int]:
    """How often a repeat has begun, and when it did so last."""
    for repeat, begun, began_at_ms in enrollment.iterations:
        if repeat == step_id:
            return begun, began_at_ms
    return 0, 0


_MARK: Final = "\n"
"""Between the id of a step and its iteration: no id has it."""
