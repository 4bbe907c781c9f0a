from __future__ import annotations

from engine.core.plan import Plan
from engine.runtime.admin.dossier import told_state
from tests.core.world import World, campaign, send, wait


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
