"""Every door holds what comes in against the tracking plan; what does not fit is quarantined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.core.inputs import EventNoticed, EventReceived
from engine.core.intake.forms import Form
from engine.core.intake.tracking_plan import TrackingPlan
from tests.server.admin.quarantined import last, retried, told
from tests.server.house import KEY
from tests.server.house import House as Started

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.server.house import House

import pytest

PRICE = Form(kind="object", properties={"price": Form(kind="number", required=True)})
TRAITS = Form(kind="object", properties={"age": Form(kind="integer")})
WHOLE = {"user_id": "u1", "event": "Bought", "properties": {"price": 3}}
BAD = {"user_id": "u1", "event": "Bought", "properties": {"price": "3"}}


class Planned:
    """A house whose plan in force can be changed."""

    def __init__(self) -> None:
        self.plan: TrackingPlan | None = TrackingPlan(
            {"Bought": PRICE, "Price Dropped": Form(kind="object")},
            frozenset({"Price Dropped"}),
            TRAITS,
        )
        self.house: House


@pytest.fixture
async def planned(tmp_path: Path) -> AsyncIterator[Planned]:
    planned = Planned()
    house = await Started.start(tmp_path, tracking_plan=lambda: planned.plan)
    house.operate(tracking_plan=lambda: planned.plan)
    planned.house = house
    yield planned
    await house.aclose()


def names(house: House) -> list[Any]:
    return [one.name for one in house.inputs if isinstance(one, EventReceived)]


async def test_one_that_does_not_fit_is_quarantined_and_the_rest_of_the_body_is_taken(
    planned: Planned,
) -> None:
    answer = await planned.house.post("/events", [WHOLE, BAD, WHOLE])
    assert answer.json["accepted"] == 2
    (rejected,) = answer.json["rejected"]
    assert (rejected["index"], rejected["path"]) == (1, "$.properties.price")
    (kept,) = planned.house.quarantined
    assert kept.path == "$[1].properties.price"
    assert "Expected float, got str; tracking-plan.yaml has a number there" in kept.reason


async def test_every_door_holds_what_comes_in_against_the_plan(planned: Planned) -> None:
    house = planned.house
    segment = {"userId": "u1", "event": "Bought", "properties": {"price": "3"}}
    track = await house.post("/v1/track", segment)
    assert (track.status, track.json["errors"][0]["path"]) == (400, "$.properties.price")
    batch = {
        "batch": [{**segment, "type": "track"}, {"type": "track", "userId": "u", "event": "A"}]
    }
    assert (await house.post("/v1/batch", batch)).status == 200
    captured = {"distinct_id": "u1", "event": "Bought", "properties": {"price": "3"}}
    assert (await house.post("/batch/", {"api_key": KEY, "batch": [captured]})).status == 400
    assert (await house.post(f"/track?key={KEY}", BAD)).status == 400
    pixel = await house.get(f"/track?user_id=u1&event=Bought&price=3&key={KEY}")
    assert pixel.status == 400
    sources = ["/v1/track", "/v1/batch", "/batch/", "/track", "/track"]
    assert [item.source for item in house.quarantined] == sources
    assert names(house) == ["A"]


async def test_of_a_captured_item_with_traits_that_do_not_fit_nothing_is_taken(
    planned: Planned,
) -> None:
    house = planned.house
    said = {"price": 3, "$set": {"age": "old"}}
    item = {"distinct_id": "u1", "event": "Bought", "properties": said}
    assert (await house.post("/batch/", {"api_key": KEY, "batch": [item]})).status == 400
    event_at_fault = {**item, "properties": {"price": "3", "$set": {"age": 7}}}
    assert (await house.post("/batch/", {"api_key": KEY, "batch": [event_at_fault]})).status == 400
    paths = ["$.batch[0].$set.age", "$.batch[0].properties.price"]
    assert [item.path for item in house.quarantined] == paths
    assert house.inputs == []


async def test_what_the_plan_calls_passive_is_noticed(planned: Planned) -> None:
    await planned.house.post("/events", {"user_id": "u1", "event": "Price Dropped"})
    await planned.house.post("/events", WHOLE)
    assert [type(one) for one in planned.house.inputs] == [EventNoticed, EventReceived]


async def test_a_retry_applies_the_plan_that_is_in_force_then(planned: Planned) -> None:
    await planned.house.post("/events", [BAD, {"user_id": "u1"}])
    captured = {"distinct_id": "u1", "event": "Bought", "properties": {"price": "4"}}
    await planned.house.post("/batch/", {"api_key": KEY, "batch": [captured]})

    first = last(await retried(planned.house, all=True))
    assert (first["asked"], first["taken"]) == (3, 0)
    assert first["left"][0]["path"] == "$.properties.price"
    assert "tracking-plan.yaml has a number there" in first["left"][0]["reason"]

    text = Form(kind="object", properties={"price": Form(kind="string")})
    planned.plan = TrackingPlan({"Bought": text}, frozenset({"Bought"}))
    again = last(await retried(planned.house, all=True))
    assert (again["asked"], again["taken"]) == (3, 2)
    assert [type(one) for one in planned.house.inputs] == [EventNoticed, EventNoticed]
    assert (await told(planned.house))["total"] == 1
