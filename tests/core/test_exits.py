from __future__ import annotations

import pytest

from engine.core.goals import Goal
from tests.core.world import World, campaign, leave, send, wait


def test_a_purchase_during_the_wait_exits_at_once() -> None:
    world = World(campaign("c", wait(10), send("email"), exits=("Stop",)))
    world.reachable()
    world.event("Go", 0)
    assert world.event("Stop", 5) == ["5 c exited event"]
    assert world.advance(100) == []


def test_a_deadline_that_is_due_fires_before_an_event_at_the_same_instant() -> None:
    world = World(campaign("c", wait(10), send("email"), wait(10), exits=("Stop",)))
    world.reachable()
    world.event("Go", 0)
    assert world.event("Stop", 10) == ["10 c sent steps.1 email", "10 c exited event"]


def test_each_of_several_exit_events_ends_it() -> None:
    world = World(campaign("c", wait(10), exits=("A", "B")))
    for at, name in enumerate(("A", "B")):
        world.event("Go", at)
        assert world.event(name, at) == [f"{at} c exited event"]


@pytest.mark.parametrize(("t", "leaves"), [(9, False), (10, True), (11, True)])
def test_an_exit_event_counts_only_from_the_enrollments_start_on(t: int, *, leaves: bool) -> None:
    world = World(campaign("c", wait(50), exits=("Stop",)))
    world.event("Go", 15, t=10)
    assert world.event("Stop", 20, t=t) == (["20 c exited event"] if leaves else [])


@pytest.mark.parametrize(("t", "taken"), [(9, 0), (10, 1)])
def test_a_message_in_the_outbox_is_taken_back_by_an_exit_from_the_start_on(
    t: int, taken: int
) -> None:
    world = World(campaign("c", send("email"), exits=("Stop",)))
    world.reachable()
    world.event("Go", 10)
    world.event("Stop", 20, t=t)
    assert len(world.cancelled) == taken


def test_a_message_is_taken_back_once_however_many_exits_come() -> None:
    world = World(campaign("c", send("email"), wait(10), exits=("Stop",)))
    world.reachable()
    world.event("Go", 0)
    assert world.event("Stop", 1) == ["1 c exited event"]
    assert [cancel.reason for cancel in world.cancelled] == ["exited"]
    world.event("Stop", 2)
    assert world.cancelled == []


def test_an_exit_ends_every_enrollment_of_the_campaign_and_none_of_another() -> None:
    world = World(campaign("c", wait(10), per="event.k", exits=("Stop",)), campaign("d", wait(10)))
    world.event("Go", 0, k=1)
    world.event("Go", 0, k=2)
    assert world.event("Stop", 1) == ["1 c exited event", "1 c exited event"]
    assert world.advance(10) == ["10 d finished"]


def test_several_campaigns_are_left_in_order_of_priority_and_id() -> None:
    world = World(
        campaign("b", wait(9), exits=("Stop",)),
        campaign("z", wait(9), priority=60, exits=("Stop",)),
        campaign("a", wait(9), on=("Late",), exits=("Stop",)),
    )
    world.event("Go", 0)
    world.event("Late", 1)
    assert world.event("Stop", 2) == ["2 z exited event", "2 a exited event", "2 b exited event"]


def test_who_leaves_by_one_event_does_so_in_one_order_whatever_the_reason() -> None:
    bought = 'did("Stop", "1h")'
    world = World(
        campaign("a", wait(9), exit_when=bought),
        campaign("b", wait(9), exits=("Stop",)),
        campaign("c", wait(9), goal=Goal(("Stop",))),
        campaign("d", wait(9), exit_when=bought),
        campaign("y", wait(9), priority=60, goal=Goal(("Stop",))),
        campaign("z", wait(9), priority=60, exits=("Stop",)),
    )
    world.event("Go", 0)
    assert world.event("Stop", 2) == [
        "2 y goal", "2 c goal",
        "2 y exited goal", "2 z exited event",
        "2 a exited when", "2 b exited event", "2 c exited goal", "2 d exited when",
    ]  # fmt: skip
    assert world.user().enrollments == ()


def test_who_leaves_by_an_event_is_not_asked_whether_he_leaves_by_a_condition() -> None:
    asked = 'user.height > 180 && did("Stop")'
    world = World(
        campaign("c", wait(9), exit_when=asked, exits=("Stop",)),
        campaign("d", wait(9), exit_when=asked),
    )
    world.event("Go", 0)
    assert world.event("Stop", 1) == ["1 c exited event"]
    assert world.processor.errors == {"d": 1}


def test_an_event_that_both_exits_and_enters_exits_first_and_enters_again() -> None:
    world = World(campaign("c", wait(10), exits=("Go",)))
    assert world.event("Go", 0) == ["0 c entered"]
    assert world.event("Go", 4) == ["4 c exited event", "4 c entered"]
    assert world.advance(14) == ["14 c finished"]


def test_exits_come_before_the_entries_of_other_campaigns() -> None:
    world = World(
        campaign("c", wait(10), exits=("Stop",)), campaign("a", on=("Stop",), priority=100)
    )
    world.event("Go", 0)
    assert world.event("Stop", 1) == ["1 c exited event", "1 a entered", "1 a finished"]


def test_an_exit_event_ends_also_campaigns_that_were_paused_since() -> None:
    world = World(campaign("c", wait(10), exits=("Stop",)))
    world.event("Go", 0)
    world.adopt(campaign("c", wait(10), exits=("Stop",), status="paused"), at=1)
    assert world.event("Stop", 2) == ["2 c exited event"]


def test_an_exit_step_ends_with_the_shops_reason_and_takes_nothing_back() -> None:
    world = World(campaign("c", send("email"), leave("enough"), send("email")))
    world.reachable()
    assert world.event("Go", 0) == [
        "0 c entered", "0 c sent steps.0 email", "0 c exited steps.1 enough",
    ]  # fmt: skip
    assert world.cancelled == []
