from __future__ import annotations

import pytest

from engine.core.history import instants_of
from engine.core.messages.caps import Cap, place_name
from engine.core.plan import Plan
from engine.core.policy import Policy
from tests.core.world import START, World, campaign, send, wait


def test_who_leaves_does_so_in_order_of_priority_before_the_change() -> None:
    world = World(
        campaign("a", wait(10), priority=10),
        campaign("b", wait(10), priority=90, on=("Later",)),
        campaign("c", wait(10), priority=50),
    )
    world.event("Go", 0)
    world.event("Later", 1)
    assert world.adopt(campaign("a", wait(10), status="archived"), at=5) == [
        "5 b exited campaign_removed",
        "5 c exited campaign_removed",
        "5 a exited archived",
    ]


def test_a_deadline_at_the_very_instant_of_a_change_fires_before_it() -> None:
    world = World(campaign("c", wait(5, "w"), send("in_app")))
    world.event("Go", 0)
    assert world.adopt(campaign("c", wait(50, "w"), send("push")), at=5) == [
        "5 c sent steps.1 in_app",
        "5 c finished",
    ]


def test_an_input_comes_after_the_change_that_came_before_it() -> None:
    world = World(campaign("c", wait(10, "w"), exits=("Stop",)))
    world.event("Go", 0)
    world.processor.adopt(Plan("p2", [campaign("d")]), START + 5)
    assert world.event("Stop", 7) == ["5 c exited campaign_removed"]


def test_a_deadline_that_a_change_puts_off_does_not_fire_under_the_old_plan() -> None:
    world = World(campaign("c", wait(10, "w")))
    world.event("Go", 0)
    world.processor.adopt(Plan("p2", [campaign("c", wait(20, "w"))]), START + 5)
    assert world.advance(10) == []
    assert world.advance(20) == ["20 c finished"]


def test_each_change_is_taken_on_as_of_its_own_instant() -> None:
    world = World(campaign("c", wait(10, "w")), campaign("d", wait(99, "w")))
    world.event("Go", 0)
    world.processor.adopt(Plan("p2", [campaign("c", wait(10, "w"))]), START + 3)
    world.processor.adopt(Plan("p3"), START + 6)
    assert world.event("Other", 8) == [
        "3 d exited campaign_removed",
        "6 c exited campaign_removed",
    ]


def test_time_that_was_skipped_after_a_change_holds_back_what_the_new_plan_has_due_in_it() -> None:
    world = World(campaign("c", wait(90, "w")))
    world.event("Go", 0)
    world.processor.adopt(Plan("p2", [campaign("c", wait(20, "w"))]), START + 5)
    world.resume(10, 50, grace=7)
    world.processor.sweep()
    assert world.advance(56) == []
    assert world.advance(57) == ["20 c finished"]


def test_before_a_message_is_handed_over_its_user_takes_the_change_on() -> None:
    world = World(campaign("c", send("email"), wait(10, "w")))
    world.reachable()
    world.event("Go", 0)
    (message,) = world.messages
    world.processor.adopt(Plan("p2"), START + 5)
    assert world.processor.verdict(message, START + 6) == "exited"
    assert world.commit() == ["5 c exited campaign_removed"]


def test_who_is_in_no_campaign_has_nothing_to_take_on() -> None:
    world = World(campaign("c", wait(10)))
    world.event("Other", 0)
    world.commit()
    world.adopt(campaign("c", wait(20)), at=5)
    assert world.user().seen == 1


def test_what_no_condition_asks_for_any_more_is_let_go_of() -> None:
    asks = campaign("c", wait(5), rises='sum("A", "n", "1h") >= 9 && count("B", "1h") >= 9')
    world = World(asks)
    for name in ("A", "B", "B"):
        world.event(name, at=1, n=1)
    assert world.user().history.keys() == {"A", "B"}
    world.adopt(campaign("d", wait(5), rises='count("B", "1h") >= 9'), at=5)
    assert (world.user().history.keys(), world.user().details) == ({"B"}, {})
    world.adopt(campaign("e", wait(5)), at=6, plan_id="p3")
    assert world.user().history == {}


@pytest.mark.parametrize("sweeps", [True, False])
def test_what_was_due_before_a_plan_was_announced_keeps_what_was_asked_for_until_then(
    *, sweeps: bool
) -> None:
    steps = (send("email"), wait(50, "w"), send("email"))
    world = World(campaign("c", *steps, wait(90, "x")), policy=_capped(per_ms=10))
    world.reachable()
    world.event("Go", 0)
    sooner = (send("email"), wait(20, "w"), send("email"))
    adopted = Plan("p2", [campaign("c", *sooner, wait(90, "x"))], policy=_capped(per_ms=10))
    world.processor.adopt(adopted, START + 5)
    if sweeps:
        world.processor.sweep()
    world.processor.announce(Plan("p3", policy=_capped(per_ms=1_000)), START + 40)
    world.processor.sweep()
    assert [one - START for one in instants_of(world.user().history[place_name("email")])] == [20]


def _capped(per_ms: int) -> Policy:
    return Policy(caps=(Cap(9, per_ms),))
