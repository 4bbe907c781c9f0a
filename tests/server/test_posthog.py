"""PostHog's form, over real sockets, down to the journal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.inputs import EventReceived, TraitsDefaulted, UserIdentified, UsersMerged
from tests.server.house import KEY

if TYPE_CHECKING:
    from tests.server.house import Answer, House

VIEWED = {"distinct_id": "u1", "event": "Product Viewed", "uuid": "e1"}


async def send(house: House, *items: dict[str, Any], **more: Any) -> Answer:
    body = {"api_key": KEY, "batch": list(items), **more}
    return await house.post("/batch/", body, headers={})


async def test_a_captured_event_is_an_event(house: House) -> None:
    answer = await send(house, {**VIEWED, "properties": {"price": 19.9}})

    assert (answer.status, answer.text) == (200, '{"success":true}')
    (event,) = house.inputs
    assert isinstance(event, EventReceived)
    assert (event.user_id, event.name, event.message_id) == ("u1", "Product Viewed", "e1")
    assert json.loads(bytes(event.properties)) == {"price": 19.9}
    assert not event.is_anonymous


async def test_one_item_alone_is_taken_like_a_batch_of_one(house: House) -> None:
    answer = await house.post("/batch", {**VIEWED, "api_key": KEY}, headers={})

    assert answer.status == 200
    assert len(house.inputs) == 1


async def test_what_an_event_sets_is_said_of_the_user_before_it(house: House) -> None:
    said = {"$set": {"plan": "gold"}, "$set_once": {"source": "ad"}, "price": 1}
    await send(house, {**VIEWED, "properties": said})

    identified, once, event = house.inputs
    assert type(identified) is UserIdentified
    assert json.loads(bytes(identified.traits)) == {"plan": "gold"}
    assert isinstance(once, TraitsDefaulted)
    assert json.loads(bytes(once.traits)) == {"source": "ad"}
    assert isinstance(event, EventReceived)
    assert event.message_id == "e1"


async def test_what_is_set_once_stays_as_it_was_first_said(house: House) -> None:
    for source in ("ad", "mail"):
        await send(house, {"distinct_id": "u1", "event": "$set", "$set_once": {"source": source}})
    await send(house, {"distinct_id": "u1", "event": "$set", "$set": {"plan": "gold"}})

    assert house.processor.users["u1"].traits == {"source": "ad", "plan": "gold"}


async def test_the_same_item_twice_is_taken_once_with_all_that_it_says(house: House) -> None:
    for _ in range(2):
        await send(house, {**VIEWED, "$set": {"plan": "gold"}})

    assert len(house.inputs) == 2


async def test_identify_joins_the_device_to_the_user(house: House) -> None:
    properties = {"$anon_distinct_id": "device", "$set": {"email": "a@b.c"}}
    await send(
        house, {"distinct_id": "device", "event": "Seen", "properties": {"$is_identified": False}}
    )
    await send(house, {"distinct_id": "u1", "event": "$identify", "properties": properties})

    seen, merged = house.inputs
    assert isinstance(seen, EventReceived)
    assert seen.is_anonymous
    assert isinstance(merged, UsersMerged)
    assert (merged.user_id, merged.merged_id) == ("u1", "device")
    assert json.loads(bytes(merged.traits)) == {"email": "a@b.c"}


async def test_an_alias_is_another_id_of_the_distinct_one(house: House) -> None:
    await send(house, {**VIEWED, "distinct_id": "old"})
    await send(
        house,
        {"distinct_id": "u1", "event": "$create_alias", "properties": {"alias": "old"}},
    )

    merged = house.inputs[-1]
    assert isinstance(merged, UsersMerged)
    assert (merged.user_id, merged.merged_id, merged.is_alias) == ("u1", "old", True)


async def test_a_group_is_a_trait_with_its_id(house: House) -> None:
    properties = {"$group_type": "company", "$group_key": "g1", "$group_set": {"name": "Acme"}}
    await send(house, {"distinct_id": "u1", "event": "$groupidentify", "properties": properties})

    (group,) = house.inputs
    assert isinstance(group, UserIdentified)
    assert json.loads(bytes(group.traits)) == {"group": {"name": "Acme", "id": "g1"}}


async def test_a_page_view_has_the_properties_of_a_page_call(house: House) -> None:
    properties = {"$current_url": "https://s/a", "$pathname": "/a", "title": "A"}
    await send(house, {"distinct_id": "u1", "event": "$pageview", "properties": properties})

    (page,) = house.inputs
    assert isinstance(page, EventReceived)
    assert page.name == "Page Viewed"
    assert {"url": "https://s/a", "path": "/a", "title": "A"}.items() <= json.loads(
        bytes(page.properties)
    ).items()


async def test_a_screen_has_its_name(house: House) -> None:
    properties = {"$screen_name": "Cart"}
    await send(house, {"distinct_id": "u1", "event": "$screen", "properties": properties})

    (screen,) = house.inputs
    assert isinstance(screen, EventReceived)
    assert screen.name == "Screen Viewed"
    assert json.loads(bytes(screen.properties))["name"] == "Cart"


async def test_the_batch_says_how_wrong_its_clock_is(house: House) -> None:
    item = {**VIEWED, "timestamp": "2020-01-01T00:00:00Z"}
    await send(house, item, sent_at="2020-01-01T00:00:10Z")

    (event,) = house.inputs
    assert isinstance(event, EventReceived)
    assert event.received_at_ms - event.occurred_at_ms == 10_000


@pytest.mark.parametrize(
    ("item", "path"),
    [
        ({"event": "Seen"}, "$.distinct_id"),
        ({"distinct_id": "u1"}, "$.event"),
        ({"distinct_id": "u1", "event": "Seen", "properties": []}, "$.properties"),
        ({"distinct_id": "u1", "event": "Seen", "timestamp": "soon"}, "$.timestamp"),
        ({"distinct_id": "u1", "event": "$create_alias"}, "$.properties.alias"),
        (
            {"distinct_id": "u1", "event": "$create_alias", "properties": {"alias": {}}},
            "$.properties.alias",
        ),
        ({"distinct_id": "u1", "event": "$set", "$set": 4}, "$.$set"),
        (17, "$"),
    ],
)
async def test_a_bad_item_is_quarantined_with_the_place_of_its_fault(
    house: House, item: Any, path: str
) -> None:
    answer = await send(house, item, VIEWED)

    assert answer.status == 200
    assert len(house.inputs) == 1
    (bad,) = house.quarantined
    assert bad.path == "$.batch[0]" + path.removeprefix("$")
    assert json.loads(bad.body) == item


async def test_of_an_item_whose_event_is_bad_nothing_is_taken(house: House) -> None:
    bad = {**VIEWED, "event": "", "$set": {"plan": "gold"}}
    answer = await send(house, bad)

    assert answer.status == 400
    assert answer.json["success"] is False
    assert answer.json["code"] == "item.invalid"
    assert house.inputs == []


async def test_numbers_beyond_64_bits_and_halves_of_emojis_harm_nobody(house: House) -> None:
    properties = '{"n": 123456789012345678901234567890, "t": "\\ud83d"}'
    item = f'{{"distinct_id": "u1", "event": "Seen", "properties": {properties}}}'
    body = f'{{"api_key": "{KEY}", "batch": [{item}]}}'
    answer = await house.post("/batch/", body, headers={})

    assert answer.status == 200
    (event,) = house.inputs
    assert isinstance(event, EventReceived)
    assert json.loads(bytes(event.properties)) == {
        "n": 123456789012345678901234567890,
        "t": "\ufffd",
    }
