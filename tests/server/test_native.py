"""The native form: what is taken, what is rejected, and what each answer says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from engine.core.inputs import EventReceived, UserIdentified
from engine.store import EXCERPT_BYTES
from tests.server.house import BEARER

if TYPE_CHECKING:
    from tests.server.house import House

GOOD = b'{"user_id": "u1", "event": "Cart Viewed", "properties": {"value": 12.5}}'


async def test_one_object_is_one_event(house: House) -> None:
    answer = await house.post("/events", GOOD)

    assert answer.status == 200
    assert answer.json == {"accepted": 1, "rejected": []}
    assert answer.headers["Content-Type"] == "application/json"
    (event,) = house.inputs
    assert isinstance(event, EventReceived)
    assert (event.user_id, event.name) == ("u1", "Cart Viewed")


async def test_identify_brings_traits(house: House) -> None:
    body = {"type": "identify", "user_id": 7, "message_id": "m", "traits": {"tier": "gold"}}
    await house.post("/events", body)

    (happened,) = house.inputs
    assert isinstance(happened, UserIdentified)
    assert (happened.user_id, happened.message_id) == ("7", "m")
    assert msgspec.json.decode(happened.traits) == {"tier": "gold"}


@pytest.mark.parametrize(
    "body",
    [
        b"[" + GOOD + b',{"user_id":"u2","event":"E","timestamp":"soon"},' + GOOD + b"]",
        GOOD + b'\n{"user_id":"u2","event":"E","timestamp":"soon"}\n' + GOOD + b"\n",
        b"\r\n" + GOOD + b'\r\n\r\n{"user_id":"u2","event":"E","timestamp":"soon"}\n' + GOOD,
    ],
    ids=["array", "lines", "blank lines"],
)
async def test_good_items_are_taken_and_bad_ones_named(house: House, body: bytes) -> None:
    answer = await house.post("/events", body)

    assert answer.status == 200
    said = answer.json
    assert 2 == said["accepted"] == len(house.inputs)
    (rejected,) = said["rejected"]
    assert (rejected["index"], rejected["path"]) == (1, "$.timestamp")
    assert "'soon' is no instant" in rejected["message"]
    (kept,) = house.quarantined
    assert (kept.source, kept.path) == ("/events", "$[1].timestamp")
    assert kept.body.strip() == b'{"user_id":"u2","event":"E","timestamp":"soon"}'


async def test_a_malformed_line_is_one_bad_item(house: House) -> None:
    answer = await house.post("/events", b'{"user_id": "u1",\n' + GOOD + b"\nnonsense")

    assert answer.status == 200
    assert answer.json["accepted"] == 1
    assert [rejected["index"] for rejected in answer.json["rejected"]] == [0, 2]


async def test_an_object_over_many_lines_is_one_event(house: House) -> None:
    body = msgspec.json.format(GOOD, indent=2)
    answer = await house.post("/events", body)

    assert b"\n" in body
    assert answer.json == {"accepted": 1, "rejected": []}


async def test_a_single_bad_object_is_refused_with_its_fault(house: House) -> None:
    answer = await house.post("/events", b'{"user_id": "u1", "event": 5}')

    assert answer.status == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    said = answer.json
    assert (said["type"], said["title"], said["status"]) == ("about:blank", "Bad Request", 400)
    assert said["errors"][0]["path"] == "$.event"
    assert "$.event: " in said["detail"]
    assert len(house.quarantined) == 1


async def test_where_all_are_bad_the_status_says_so_too(house: House) -> None:
    answer = await house.post("/events", b'[{}, {"event": "E"}, 5]')

    assert answer.status == 400
    said = answer.json
    assert said["accepted"] == 0
    assert [rejected["index"] for rejected in said["rejected"]] == [0, 1, 2]
    assert [fault["path"] for fault in said["errors"]] == ["$[0].event", "$[1].user_id", "$[2]"]
    assert len(house.quarantined) == 3


@pytest.mark.parametrize("body", [b"[]", b" [ ] "])
async def test_an_empty_array_is_taken_as_what_it_is(house: House, body: bytes) -> None:
    answer = await house.post("/events", body)

    assert (answer.status, answer.json) == (200, {"accepted": 0, "rejected": []})


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"user_id=u1",
        b"[1, 2",
        b'{"user_id": "u1"} {',
        b"\xff\xfe",
        b"nonsense\nnonsense",
        b"",
    ],
)
async def test_what_is_no_json_is_refused(house: House, body: bytes) -> None:
    answer = await house.post("/events", body)

    assert answer.status == 400
    assert answer.json["code"] in {"body.malformed", "body.empty"}
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("item", "path"),
    [
        (b'{"event": "E"}', "$.user_id"),
        (b'{"user_id": "", "event": "E"}', "$.user_id"),
        (b'{"user_id": {"a": 1}, "event": "E"}', "$.user_id"),
        (b'{"user_id": "%s", "event": "E"}' % (b"u" * 1001), "$.user_id"),
        (b'{"user_id": "u"}', "$.event"),
        (b'{"user_id": "u", "event": ""}', "$.event"),
        (b'{"user_id": "u", "event": "%s"}' % (b"e" * 1001), "$.event"),
        (b'{"user_id": "u", "event": "E", "message_id": "%s"}' % (b"m" * 1001), "$.message_id"),
        (b'{"user_id": "u", "event": "E", "type": "dance"}', "$.type"),
        (b'{"user_id": "u", "event": "E", "timestamp": -1}', "$.timestamp"),
        (b'{"user_id": "u", "event": "E", "timestamp": {}}', "$.timestamp"),
        (b'{"user_id": "u", "event": "E", "properties": [1]}', "$.properties"),
        (b'{"user_id": "u", "event": "E", "properties": "x"}', "$.properties"),
        (b'{"user_id": "u", "event": "E", "properties": {"a": "\xff"}}', "$.properties"),
        (b'{"user_id": "u", "event": "E", "properties": {"\xff": 1}}', "$.properties"),
        (b'{"user_id": "u", "event": "E", "properties": {"a": 1e999}}', "$.properties[...]"),
        (
            b'{"user_id": "u", "event": "E", "properties": {"a": %s}}' % (b"9" * 5000),
            "$.properties[...]",
        ),
        (
            b'{"user_id": "u", "event": "E", "properties": {"a": %s}}' % (b"[" * 101 + b"]" * 101),
            "$.properties",
        ),
        (b'{"user_id": "u", "type": "identify", "traits": [1]}', "$.traits"),
        (b'{"user_id": "u\xff", "event": "E"}', "$"),
    ],
)
async def test_each_fault_is_rejected_at_its_place_and_the_rest_taken(
    house: House, item: bytes, path: str
) -> None:
    answer = await house.post("/events", b"[" + item + b"," + GOOD + b"]")

    assert answer.status == 200
    assert answer.json["accepted"] == 1
    (rejected,) = answer.json["rejected"]
    assert (0, path) == (rejected["index"], rejected["path"])
    assert len(house.inputs) == 1
    assert item == house.quarantined[0].body


async def test_half_an_emoji_as_javascript_cuts_it_is_no_fault(house: House) -> None:
    body = (
        b'{"user_id":"u","event":"E","properties":{"a":"x\\ud83d","b":"\\\\ud83d \\ud83d\\ude00"}}'
    )
    answer = await house.post("/events", body)

    assert answer.status == 200
    (event,) = house.inputs
    assert isinstance(event, EventReceived)
    properties = msgspec.json.decode(event.properties)
    assert properties == {"a": "x\ufffd", "b": "\\ud83d \U0001f600"}


async def test_an_event_over_the_limit_is_rejected_with_the_limit_named(house: House) -> None:
    big = b'{"user_id":"u","event":"E","properties":{"a":"%s"}}' % (b"a" * 32_768)
    answer = await house.post("/events", b"[" + big + b"," + GOOD + b"]")

    assert answer.status == 200
    (rejected,) = answer.json["rejected"]
    assert "more than 32768 (server.event_max)" in rejected["message"]
    assert len(house.inputs) == 1
    # Its beginning says which it was; all of it could be as large as a body.
    (kept,) = house.quarantined
    assert kept.body == big[:EXCERPT_BYTES]


async def test_a_faulty_item_within_the_limit_is_kept_whole(house: House) -> None:
    bad = b'{"user_id":"u","properties":{"a":"%s"}}' % (b"a" * 32_000)
    await house.post("/events", b"[" + bad + b"]")

    assert [kept.body for kept in house.quarantined] == [bad]


async def test_more_events_than_the_limit_are_refused_whole(house: House) -> None:
    answer = await house.post("/events", b"[" + b",".join([b"{}"] * 2501) + b"]")

    assert answer.status == 413
    assert "more than 2500 (server.events_max)" in answer.json["detail"]
    assert house.quarantined == []


async def test_a_full_body_is_taken_in_slices_and_in_order(house: House) -> None:
    items = [{"user_id": f"u{n}", "event": "E"} for n in range(2500)]
    answer = await house.post("/events", msgspec.json.encode(items), headers=BEARER)

    assert answer.json == {"accepted": 2500, "rejected": []}
    assert [f"u{n}" for n in range(2500)] == [i.user_id for i in house.inputs]  # type: ignore[union-attr]
