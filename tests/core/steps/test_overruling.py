from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.core.inputs import EnrollmentCancelled, EnrollmentForwarded
from engine.core.state import NEVER
from tests.core.world import (
    HOUR,
    START,
    World,
    campaign,
    send,
    told,
    wait,
    wait_event,
    wait_when,
)

if TYPE_CHECKING:
    from engine.core.inputs import OfOperator


def say(
    world: World, kind: type[EnrollmentForwarded], at: int, clock: int | None = None
) -> list[str]:
    """Have it said of the only enrollment, as an operator sees it."""
    (one,) = world.user().enrollments
    return take(world, kind("u", one.enrollment, one.clock_at_ms if clock is None else clock), at)


def take(world: World, asked: OfOperator, at: int) -> list[str]:
    world.processor.take(asked, START + at)
    return world.commit()


def inside(*steps: object, **more: object) -> World:
    world = World(campaign("c", *steps, **more))  # type: ignore[arg-type]
    world.reachable()
    world.event("Go", 0)
    return world


def test_who_is_forwarded_goes_on_at_that_instant_and_what_follows_counts_from_it() -> None:
    world = inside(wait(HOUR), send("email", step_id="one"), wait(10), send("email", step_id="two"))
    assert say(world, EnrollmentForwarded, 5) == ["5 c sent one email"]
    assert world.user().due_at_ms == START + 15
    assert world.advance(14) == []
    assert world.advance(15) == ["15 c sent two email", "15 c finished"]
    assert world.user().due_at_ms == NEVER


@pytest.mark.parametrize(
    "step",
    [
        wait_event(
            "Paid", HOUR, (send("email", step_id="paid"),), (send("email", step_id="late"),)
        ),
        wait_when(
            'did("Paid")', HOUR, (send("email", step_id="paid"),), (send("email", step_id="late"),)
        ),
        wait_event(
            "Paid", None, (send("email", step_id="paid"),), (send("email", step_id="late"),)
        ),
    ],
    ids=["event", "condition", "for ever"],
)
def test_a_wait_for_something_ends_as_if_its_time_were_up(step: dict[str, object]) -> None:
    world = inside(step)
    assert say(world, EnrollmentForwarded, 5) == ["5 c sent late email", "5 c finished"]
    assert world.event("Paid", 6) == []
    assert world.advance(2 * HOUR) == []


def test_one_told_twice_goes_on_once() -> None:
    world = inside(wait(HOUR), send("email", step_id="one"), wait(HOUR), send("email"))
    (one,) = world.user().enrollments
    asked = EnrollmentForwarded("u", one.enrollment, one.clock_at_ms)
    assert take(world, asked, 5) == ["5 c sent one email"]
    again = EnrollmentForwarded("u", one.enrollment, START)
    assert take(world, again, 6) == []
    assert take(world, EnrollmentForwarded("u", "nothing", START), 7) == []
    assert take(world, EnrollmentCancelled("nobody", "nothing", START), 8) == []


def test_who_is_cancelled_leaves_and_what_was_not_handed_over_is_taken_back() -> None:
    world = inside(send("email", step_id="one"), wait(HOUR), send("email"))
    assert say(world, EnrollmentCancelled, 5) == ["5 c exited cancelled"]
    assert [one.reason for one in world.cancelled] == ["exited"]
    assert world.user().due_at_ms == NEVER
    assert world.advance(2 * HOUR) == []
    assert world.event("Go", 3 * HOUR) != []


def test_who_stands_in_a_paused_campaign_is_cancelled_but_not_forwarded() -> None:
    world = inside(wait(HOUR), send("email"))
    paused = campaign("c", wait(HOUR), send("email"), status="paused")
    world.adopt(paused, at=1)
    assert say(world, EnrollmentForwarded, 2) == []
    assert say(world, EnrollmentCancelled, 3) == ["3 c exited cancelled"]


def test_an_event_from_before_it_is_late() -> None:
    world = inside(wait(HOUR), send("email", step_id="one"), wait(HOUR))
    say(world, EnrollmentForwarded, 50)
    assert world.user().fired_at_ms == START + 50
    assert [told(record) for record in world.records] == ["50 c sent one email"]
