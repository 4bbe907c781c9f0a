"""Random steps, nested: the engine under the shops that they make, against a naive shopper."""

from __future__ import annotations

from random import Random  # noqa: TID251 - seeded, and the seed is in the name of the test
from typing import TYPE_CHECKING, Any

import pytest

from config import load_shop
from tests.core.world import MINUTE, START, World
from tests.model.stepping import Shopper

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.core.effects import Record

EVENTS = ("Go", "Ping", "Pong")


def make_steps(random: Random, depth: int) -> list[dict[str, Any]]:
    return [make_step(random, depth) for _ in range(random.randint(1, 3))]


def make_step(random: Random, depth: int) -> dict[str, Any]:  # noqa: PLR0911 - one a kind
    kinds = ["send", "send", "wait", "set", "emit", "emit", "leave"]
    kind = random.choice(kinds + ["choose", "repeat", "until_event"] * 2 * bool(depth))
    match kind:
        case "wait":
            return {kind: random.randint(1, 4)}
        case "send":
            return {kind: "t"}
        case "set":
            return {kind: random.randint(0, 2)}
        case "emit":
            return {kind: random.choice(EVENTS)}
        case "choose":
            last = [{"else": make_steps(random, depth - 1)}] * random.randint(0, 1)
            asked = [
                {"when": value, "steps": make_steps(random, depth - 1)}
                for value in range(random.randint(1, 2))
            ]
            return {kind: asked + last}
        case "repeat":
            return {
                kind: {
                    "times": random.randint(1, 3),
                    "every": random.choice((0, 0, 2, 5)),
                    "until": random.choice((None, None, 0, 1)),
                    "steps": make_steps(random, depth - 1),
                }
            }
        case "until_event":
            ways = {way: make_steps(random, depth - 1) for way in ("then", "else")}
            said = {"event": random.choice(EVENTS), "at_most": random.randint(1, 5)}
            return {kind: said | ways}
        case _:
            return {kind: None}


def written(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As a campaign file has them."""
    return [written_step(step) for step in steps]


def written_step(step: dict[str, Any]) -> dict[str, Any]:  # noqa: PLR0911 - one a kind
    ((kind, said),) = step.items()
    match kind:
        case "wait":
            return {kind: f"{said}m"}
        case "send":
            return {kind: "in_app", "template": said}
        case "set":
            return {kind: {"a": said}}
        case "emit":
            return {kind: {"event": said}}
        case "choose":
            return {kind: [written_branch(branch) for branch in said]}
        case "repeat":
            until = {} if said["until"] is None else {"until": f"user.a == {said['until']}"}
            times = {"times": said["times"], "every": f"{said['every']}m"}
            return {kind: times | until | {"steps": written(said["steps"])}}
        case "until_event":
            ways = {way: written(said[way]) for way in ("then", "else")}
            return {"wait": {"event": said["event"], "at_most": f"{said['at_most']}m"} | ways}
        case _:
            return {"exit": "out"}


def written_branch(branch: dict[str, Any]) -> dict[str, Any]:
    if "else" in branch:
        return {"else": written(branch["else"])}
    return {"when": f"user.a == {branch['when']}", "steps": written(branch["steps"])}


def world_of(shop: list[dict[str, Any]]) -> World:
    files = {"templates/t.in_app.liquid": "Hello"}
    for one in shop:
        said = {"campaign": one["id"], "enter": {"event": one["on"]}}
        files[f"campaigns/{one['id']}.yaml"] = repr(said | {"steps": written(one["steps"])})
    return World(*load_shop(files).plan.campaigns.values())


def told(records: list[Record]) -> Iterator[str]:
    for one in records:
        words = (one.kind, one.template, one.branch, one.reason)
        at = (one.at_ms - START) // MINUTE
        yield " ".join([str(at), one.campaign, *filter(None, words)])


@pytest.mark.parametrize("seed", range(4))
def test_steps_do_what_a_naive_shopper_does(seed: int) -> None:
    for case in range(20):
        random = Random(seed * 1_000 + case)
        shop = [
            {"id": f"c{number}", "on": random.choice(EVENTS), "steps": make_steps(random, 2)}
            for number in range(random.randint(1, 3))
        ]
        world, shopper, now = world_of(shop), Shopper(shop), 0
        for _ in range(12):
            now += random.choice((0, 1, 1, 3, 8))
            name = random.choice(EVENTS)
            shopper.told = []
            shopper.event(name, now)
            world.event(name, now * MINUTE)
            assert list(told(world.records)) == shopper.told, f"{shop}, {name} at {now}"
