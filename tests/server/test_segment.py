"""The Segment form, over real sockets, down to the journal."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.core.inputs import EventReceived, UserIdentified, UsersMerged
from engine.core.instants import format_instant
from tests.server.house import KEY

if TYPE_CHECKING:
    from tests.server.house import House

TRACK = {"userId": "u1", "event": "Product Viewed", "properties": {"price": 19.9}}


def the_event(house: House) -> EventReceived:
    (happened,) = house.inputs
    assert isinstance(happened, EventReceived)
    return happened


async def test_a_track_call_becomes_an_event(house: House) -> None:
    answer = await house.post("/v1/track", {**TRACK, "messageId": "m1"})

    assert (answer.status, answer.text) == (200, '{"success":true}')
    event = the_event(house)
    assert (event.user_id, event.name, event.message_id) == ("u1", "Product Viewed", "m1")
    assert bytes(event.properties).replace(b" ", b"") == b'{"price":19.9}'
    assert event.occurred_at_ms == event.received_at_ms <= event.at_ms


@pytest.mark.parametrize(
    ("route", "name"),
    [
        ("/v1/track", "Product Viewed"),
        ("/v1/t", "Product Viewed"),
        ("/v1/page", "Page Viewed"),
        ("/v1/p", "Page Viewed"),
        ("/v1/screen", "Screen Viewed"),
        ("/v1/s", "Screen Viewed"),
    ],
)
async def test_the_route_says_what_kind_of_call_it_is(house: House, route: str, name: str) -> None:
    answer = await house.post(route, {**TRACK, "type": "identify"})

    assert answer.status == 200
    assert name == the_event(house).name


async def test_a_page_keeps_its_name_and_category_among_the_properties(house: House) -> None:
    page = {"userId": "u1", "name": "Home", "category": "Shop", "properties": {"url": "/"}}
    await house.post("/v1/page", page)

    properties = msgspec.json.decode(the_event(house).properties)
    assert properties == {"url": "/", "name": "Home", "category": "Shop"}


@pytest.mark.parametrize("route", ["/v1/identify", "/v1/i"])
@pytest.mark.parametrize(
    "said",
    [{"traits": {"email": "a@b.c"}}, {"context": {"traits": {"email": "a@b.c"}}}],
    ids=["traits", "context"],
)
async def test_identify_takes_traits_from_either_place(
    house: House, route: str, said: dict[str, Any]
) -> None:
    await house.post(route, {"userId": "u1", **said})

    (happened,) = house.inputs
    assert isinstance(happened, UserIdentified)
    assert msgspec.json.decode(happened.traits) == {"email": "a@b.c"}


@pytest.mark.parametrize("user", [{}, {"userId": None}, {"userId": ""}])
async def test_without_a_user_id_the_anonymous_one_counts(
    house: House, user: dict[str, str]
) -> None:
    await house.post("/v1/track", {**user, "anonymousId": "anon", "event": "Seen"})

    assert the_event(house).user_id == "anon"


@pytest.mark.parametrize("route", ["/v1/batch", "/v1/b", "/v1/import"])
async def test_one_bad_item_of_a_batch_is_quarantined_and_the_rest_taken(
    house: House, route: str
) -> None:
    items: list[dict[str, Any]] = [{"type": "track", **TRACK, "messageId": f"m{n}"} for n in "0123"]
    items[3]["timestamp"] = "yesterday"

    answer = await house.post(route, {"batch": items})

    assert (answer.status, answer.text) == (200, '{"success":true}')
    assert [i.message_id for i in house.inputs] == ["m0", "m1", "m2"]  # type: ignore[union-attr]
    (kept,) = house.quarantined
    assert (route, "$.batch[3].timestamp") == (kept.source, kept.path)
    assert "yesterday" in kept.reason
    assert items[3] == msgspec.json.decode(kept.body)
    assert await house.store.count("quarantine") == 1


@pytest.mark.parametrize("route", ["/v1/alias", "/v1/a"])
async def test_an_alias_call_joins_two_ids(house: House, route: str) -> None:
    answer = await house.post(route, {"userId": "u1", "previousId": "old"})

    assert answer.status == 200
    (taken,) = house.inputs
    assert isinstance(taken, UsersMerged)
    assert (taken.user_id, taken.merged_id) == ("u1", "old")


@pytest.mark.parametrize("route", ["/v1/group", "/v1/g"])
async def test_a_group_call_says_a_trait(house: House, route: str) -> None:
    answer = await house.post(route, {"userId": "u1", "groupId": "g", "traits": {"plan": "pro"}})

    assert answer.status == 200
    (taken,) = house.inputs
    assert isinstance(taken, UserIdentified)
    assert bytes(taken.traits) == b'{"group":{"plan":"pro","id":"g"}}'


async def test_an_alias_of_a_user_to_himself_is_quarantined_with_its_reason(house: House) -> None:
    answer = await house.post("/v1/alias", {"userId": "u1", "previousId": "u1"})

    assert answer.status == 200  # whether it can be, is known once it is applied
    assert house.inputs == []
    assert await house.store.count("quarantine") == 1


async def test_a_call_without_its_other_id_is_refused_by_the_name_of_the_client(
    house: House,
) -> None:
    for route, path in (("/v1/alias", "$.previousId"), ("/v1/group", "$.groupId")):
        answer = await house.post(route, {"userId": "u1"})
        assert answer.status == 400
        assert f"{path}: missing" == answer.json["message"]


async def test_a_batch_of_nothing_but_bad_items_is_refused_with_each_fault(house: House) -> None:
    answer = await house.post("/v1/batch", {"batch": [{"type": "track"}, {"type": "dance"}]})

    assert answer.status == 400
    said = answer.json
    assert (said["success"], said["code"]) == (False, "item.invalid")
    assert said["message"] == "none of 2 items could be taken"
    assert [fault["path"] for fault in said["errors"]] == ["$.batch[0].event", "$.batch[1].type"]
    assert len(house.quarantined) == 2


async def test_an_empty_batch_is_a_success(house: House) -> None:
    answer = await house.post("/v1/batch", {"batch": []})

    assert (answer.status, answer.json) == (200, {"success": True})


async def test_an_items_fault_is_named_as_segment_spells_it(house: House) -> None:
    answer = await house.post("/v1/track", {"event": "Seen"})

    assert answer.json["message"] == "$.userId: missing"


@pytest.mark.parametrize("inside", ["item", "batch"])
async def test_the_clients_clock_skew_is_taken_out(house: House, inside: str) -> None:
    sent_at = {"sentAt": "2020-01-01T00:01:00.500Z"}
    item = {"type": "track", **TRACK, "timestamp": "2020-01-01T00:00:00.250+00:00"}
    body = {"batch": [{**item, **sent_at}]} if inside == "item" else {"batch": [item], **sent_at}

    await house.post("/v1/batch", body)

    event = the_event(house)
    assert event.received_at_ms - event.occurred_at_ms == 60_250


async def test_nothing_happens_later_than_it_is_received(house: House) -> None:
    await house.post("/v1/track", {**TRACK, "timestamp": "2199-01-01T00:00:00Z"})

    event = the_event(house)
    assert event.received_at_ms == event.occurred_at_ms


@pytest.mark.parametrize(
    "timestamp",
    [1_700_000_000_123, "2023-11-14T22:13:20.123Z", "2023-11-14T23:13:20.123987+01:00"],
)
async def test_an_instant_is_milliseconds_or_iso_8601(house: House, timestamp: object) -> None:
    await house.post("/v1/track", {**TRACK, "timestamp": timestamp})

    assert format_instant(the_event(house).occurred_at_ms) == "2023-11-14T22:13:20.123Z"


@pytest.mark.parametrize("sent_at", ["soon", {"at": 1}, [], True])
async def test_a_batchs_wrong_sent_at_spoils_only_what_it_would_correct(
    house: House, sent_at: object
) -> None:
    dated = {"type": "track", **TRACK, "timestamp": "2023-11-14T22:13:20Z"}
    body = {"batch": [dated, {"type": "track", **TRACK}], "sentAt": sent_at}

    answer = await house.post("/v1/batch", body)

    assert answer.status == 200
    assert len(house.inputs) == 1
    (kept,) = house.quarantined
    assert kept.path == "$.batch[0].sentAt"


@pytest.mark.parametrize("scheme", ["Bearer KEY", "bearer KEY", "Basic", "basic"])
async def test_the_key_comes_in_a_header(house: House, scheme: str) -> None:
    header = scheme.replace("KEY", KEY)
    if scheme.lower() == "basic":
        header = f"{scheme} {b64encode(f'{KEY}:'.encode()).decode()}"

    answer = await house.post("/v1/track", TRACK, headers={"Authorization": header})

    assert answer.status == 200


@pytest.mark.parametrize("name", ["writeKey", "api_key"])
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic !"}])
async def test_the_key_comes_in_the_body(house: House, name: str, headers: dict[str, str]) -> None:
    answer = await house.post("/v1/batch", {"batch": [], name: KEY}, headers=headers)

    assert answer.status == 200


@pytest.mark.parametrize(
    ("headers", "code"),
    [({}, "key.missing"), ({"Authorization": "Bearer other"}, "key.unknown")],
)
async def test_without_a_known_key_nothing_is_taken(
    house: House, headers: dict[str, str], code: str
) -> None:
    answer = await house.post("/v1/track", TRACK, headers=headers)

    assert answer.status == 401
    assert (False, code) == (answer.json["success"], answer.json["code"])
    assert "write key" in answer.json["message"]
    assert "WWW-Authenticate" in answer.headers
    assert house.inputs == []


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "image/png"]
)
async def test_the_content_type_is_not_asked(house: House, content_type: str) -> None:
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": content_type}
    answer = await house.post("/v1/track", b'{"userId":"u","event":"E"}', headers=headers)

    assert answer.status == 200


@pytest.mark.parametrize("name", ["writeKey", "api_key"])
async def test_the_key_comes_in_the_first_item(house: House, name: str) -> None:
    event = {"user_id": "u", "event": "Seen"}
    keyed = {**event, name: KEY}
    lines = b"\n".join(msgspec.json.encode(one) for one in (keyed, event))
    for path, body in (
        ("/v1/batch", {"batch": [{**TRACK, name: KEY}]}),
        ("/events", [keyed, event]),
        ("/events", lines),
    ):
        answer = await house.post(path, body, headers={})
        assert answer.status == 200, (path, answer.json)
    assert (await house.post("/events", [event, keyed], headers={})).status == 401
