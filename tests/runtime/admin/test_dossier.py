from __future__ import annotations

from engine.core.instants import format_instant
from engine.core.plan import Plan
from engine.runtime.admin.dossier import told_state
from tests.core.world import START, World, campaign, send, wait
from tests.core.written import campaigns


def test_the_step_that_is_told_is_found_again_in_a_plan_that_was_not_taken_on_yet() -> None:
    world = World(campaign("c", wait(10, "w")))
    world.event("Go", 0)
    changed = Plan("q", [campaign("c", send("push", step_id="s"), wait(20, "w"))])
    without = Plan("r", [campaign("c", send("push", step_id="s"))])
    steps = [
        told_state(world.user(), plan)["enrollments"][0].get("step")
        for plan in (world.processor.plan, changed, without, None)
    ]
    assert steps == ["w", "w", None, None]


def test_how_long_a_chain_led_to_an_enrollment_is_told_with_its_instant() -> None:
    text = "campaign: c\nenter: {event: Go}\nsteps: [{wait: 1s, id: w}, {emit: {event: Go}}]"
    world = World(*campaigns(text))
    world.event("Go", 0)
    assert "chain" not in told_state(world.user())["enrollments"][0]
    world.advance(2_000)
    (told,) = told_state(world.user())["enrollments"]
    assert told["chain"] == {"links": 2, "since": format_instant(START + 1_000)}
