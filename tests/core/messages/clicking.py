"""Messages that were sent, and what a goal is put down to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.core.goals import Goal
from tests.core.world import World, campaign, send, wait

if TYPE_CHECKING:
    from engine.core.effects import SendMessage
    from engine.core.plan import Campaign, Policy

GOAL = Goal(("Bought",), within_ms=100)
UTM = (("source", "shop"), ("medium", "{channel}"), ("campaign", "{campaign}"))


def aiming(campaign_id: str, *steps: dict[str, Any], **more: Any) -> Campaign:
    return campaign(campaign_id, *steps, wait(90), goal=GOAL, **more)


def two_sent(policy: Policy | None = None) -> tuple[World, SendMessage, SendMessage]:
    """A message of `a` that was delivered at 1, and one of `b` that was delivered at 6."""
    world = World(aiming("a", send("in_app")), aiming("b", wait(5), send("in_app")), policy=policy)
    world.event("Go", 0)
    (first,) = world.messages
    world.report("delivered", 1)
    world.advance(5)
    (second,) = world.messages
    world.report("delivered", 6)
    return world, first, second


def credited(world: World) -> list[tuple[str, str, str]]:
    return [(one.campaign, one.message, one.touch) for one in world.records if one.kind == "goal"]
