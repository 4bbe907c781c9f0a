"""Events by a picture's address and by beacons, over real sockets, down to the journal."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.inputs import EventReceived
from tests.server.house import KEY

if TYPE_CHECKING:
    from tests.server.house import House


def the_event(house: House) -> EventReceived:
    (happened,) = house.inputs
    assert isinstance(happened, EventReceived)
    return happened


async def test_a_picture_brings_an_event(house: House) -> None:
    asked = f"/track?user_id=u1&event=cart_abandonment&key={KEY}&product_id=p%201&price=20"
    async with house.client.get(house.site.url + asked) as answer:
        body = await answer.read()

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "image/gif"
    assert "no-store" in answer.headers["Cache-Control"]
    assert body[:6] == b"GIF89a"
    assert struct.unpack("<HH", body[6:10]) == (1, 1)
    event = the_event(house)
    assert (event.user_id, event.name) == ("u1", "cart_abandonment")
    assert json.loads(bytes(event.properties)) == {"product_id": "p 1", "price": "20"}


async def test_where_there_is_one_write_key_it_may_be_left_out(house: House) -> None:
    answer = await house.get("/track?user_id=u1&event=Seen")

    assert answer.status == 200
    assert the_event(house).name == "Seen"


async def test_an_unknown_key_is_refused(house: House) -> None:
    answer = await house.get("/track?user_id=u1&event=Seen&key=mine")

    assert (answer.status, answer.json["code"]) == (401, "key.unknown")
    assert house.inputs == []


async def test_who_asks_for_the_head_alone_has_seen_no_picture(house: House) -> None:
    async with house.client.head(house.site.url + "/track?user_id=u1&event=Seen") as answer:
        assert answer.status == 200

    assert house.inputs == []


@pytest.mark.parametrize(("asked", "path"), [("event=Seen", "$.user_id"), ("user_id=1", "$.event")])
async def test_a_picture_that_names_no_user_or_event_is_quarantined(
    house: House, asked: str, path: str
) -> None:
    answer = await house.get(f"/track?{asked}")

    assert answer.status == 400
    assert answer.json["errors"] == [{"path": path, "message": "missing"}]
    assert [item.path for item in house.quarantined] == [path]


async def test_when_and_under_which_id_it_happened_can_be_said(house: House) -> None:
    await house.get("/track?anonymous_id=d1&event=Seen&timestamp=1700000000000&message_id=m1")

    event = the_event(house)
    assert (event.user_id, event.is_anonymous) == ("d1", True)
    assert (event.occurred_at_ms, event.message_id) == (1_700_000_000_000, "m1")


async def test_a_number_longer_than_any_instant_is_quarantined(house: House) -> None:
    answer = await house.get(f"/track?user_id=u1&event=Seen&timestamp={'9' * 5_000}")

    assert (answer.status, answer.json["errors"][0]["path"]) == (400, "$.timestamp")
    assert [item.path for item in house.quarantined] == ["$.timestamp"]


@pytest.mark.parametrize(
    "body",
    [
        '{"user_id": "u1", "event": "Left", "properties": {"page": "/cart"}}',
        "user_id=u1&event=Left&page=%2Fcart",
    ],
)
@pytest.mark.parametrize("key", [f"?key={KEY}", ""])
async def test_a_beacon_says_it_as_json_or_as_a_form(house: House, body: str, key: str) -> None:
    answer = await house.post("/track" + key, body, headers={"Content-Type": "text/plain"})

    assert answer.json == {"accepted": 1, "rejected": []}
    assert json.loads(bytes(the_event(house).properties)) == {"page": "/cart"}


async def test_a_beacon_may_bring_many(house: House) -> None:
    items: Any = [{"user_id": "u1", "event": "Left", "writeKey": KEY}] * 3
    answer = await house.post("/track", items, headers={})

    assert answer.json == {"accepted": 3, "rejected": []}


async def test_a_beacon_that_is_neither_is_told_so(house: House) -> None:
    answer = await house.post("/track", "hello")

    assert (answer.status, answer.json["code"]) == (400, "body.malformed")
    assert "neither JSON nor a form" in answer.json["detail"]
