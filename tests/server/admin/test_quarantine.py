"""What could not be taken, told on the admin port and taken after all."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.inputs import EventReceived
from engine.runtime.clock import wall_ms
from engine.store import Quarantined
from tests.server.admin.operated import let_in
from tests.server.admin.quarantined import ROUTE, last, retried, told
from tests.server.house import KEY

if TYPE_CHECKING:
    from tests.server.house import House


@pytest.fixture
def operated(house: House) -> House:
    let_in(house)
    return house


async def keep(house: House, body: bytes, source: str = "/events") -> None:
    """Something that could not be taken by a version before this one."""
    kept = Quarantined(RECEIVED_AT_MS, source, "$.event", "missing", body)
    await house.shell.submit((), [kept])


RECEIVED_AT_MS = wall_ms() - 1_000
"""Long enough ago to be told from now, and not yet too old to be kept."""

GOOD = b'{"user_id": "u1", "event": "Seen"}'


async def test_items_are_told_with_what_was_sent_and_why_not(operated: House) -> None:
    await operated.post("/events", [{"user_id": "u1"}, {"user_id": "u1", "event": "Seen"}])

    page = await told(operated)
    (item,) = page["items"]
    assert (page["total"], page["next"]) == (1, None)
    assert (item["source"], item["path"], item["reason"]) == ("/events", "$[0].event", "missing")
    assert item["body"] == {"user_id": "u1"}


async def test_pages_follow_one_another_and_can_be_of_one_source(operated: House) -> None:
    for source in ("/events", "/v1/t", "/events"):
        await keep(operated, b"nothing", source)

    first = await told(operated, "?limit=2")
    second = await told(operated, f"?limit=2&after={first['next']}")
    assert [item["number"] for item in first["items"] + second["items"]] == [1, 2, 3]
    of_source = await told(operated, "?source=/v1/t")
    assert [item["number"] for item in of_source["items"]] == [2]
    assert of_source["items"][0]["body"] == "nothing"


@pytest.mark.parametrize("asked", [{"all": True}, {"numbers": [1]}, {"source": "/events"}])
async def test_what_can_be_taken_now_is_taken_and_goes(
    operated: House, asked: dict[str, Any]
) -> None:
    await keep(operated, GOOD)

    assert last(await retried(operated, **asked)) == {"asked": 1, "taken": 1, "left": []}
    (event,) = operated.inputs
    assert isinstance(event, EventReceived)
    assert (event.name, event.received_at_ms) == ("Seen", RECEIVED_AT_MS)
    assert await told(operated) == {"total": 0, "items": [], "next": None}
    assert await operated.store.count("quarantine") == 0


async def test_what_still_cannot_be_taken_stays_and_is_told(operated: House) -> None:
    await keep(operated, b'{"user_id": "u1"}')
    await keep(operated, GOOD)

    outcome = last(await retried(operated, all=True))
    left = [{"number": 1, "path": "$.event", "reason": "missing"}]
    assert outcome == {"asked": 2, "taken": 1, "left": left}
    assert (await told(operated))["total"] == 1


@pytest.mark.parametrize(
    ("source", "body", "inputs"),
    [
        ("/v1/t", b'{"userId": "u1", "event": "Seen"}', 1),
        ("/v1/batch", b'{"type": "page", "userId": "u1"}', 1),
        ("/batch/", b'{"distinct_id": "u1", "event": "Seen", "$set": {"a": 1}}', 2),
        ("/v1/scores", b'{"user_id": "u1", "model": "m", "score": 0.5}', 1),
        ("identify", b'{"type": "identify", "user_id": "u1", "traits": {"a": 1}}', 1),
    ],
)
async def test_each_is_read_in_the_form_of_its_source(
    operated: House, source: str, body: bytes, inputs: int
) -> None:
    await keep(operated, body, source)

    assert last(await retried(operated, all=True))["taken"] == 1
    assert len(operated.inputs) == inputs


async def test_what_was_sent_again_meanwhile_is_not_taken_twice(operated: House) -> None:
    item = {"user_id": "u1", "event": "Seen", "message_id": "m1"}
    await keep(operated, json.dumps(item).encode())
    await operated.post("/events", item)

    assert last(await retried(operated, all=True))["taken"] == 1
    assert len(operated.inputs) == 1
    assert (await told(operated))["total"] == 0


async def test_what_its_user_had_no_room_for_is_taken_once_there_is_some(operated: House) -> None:
    long = dict.fromkeys("abc", "x" * 20_000)
    for name, text in {**long, "plan": "g" * 10_000}.items():
        said = {"type": "identify", "user_id": "u1", "traits": {name: text}, "message_id": name}
        assert (await operated.post("/events", said)).json["accepted"] == 1
    assert (await told(operated))["total"] == 1

    outcome = last(await retried(operated, all=True))
    assert (outcome["taken"], len(outcome["left"])) == (0, 1)
    assert outcome["left"][0]["path"] == "$.traits"
    assert (await told(operated))["total"] == 1

    room = {"type": "identify", "user_id": "u1", "traits": {"a": ""}}
    await operated.post("/events", room)
    assert last(await retried(operated, all=True)) == {"asked": 1, "taken": 1, "left": []}
    user = operated.processor.find("u1")
    assert user is not None
    assert len(user.traits["plan"]) == 10_000
    assert (await told(operated))["total"] == 0


async def test_an_alias_that_is_refused_again_is_told_and_not_lost(operated: House) -> None:
    for ids in (("ada", "old"), ("old", "ada")):
        said = {"type": "alias", "user_id": ids[0], "previous_id": ids[1], "message_id": ids[0]}
        assert (await operated.post("/events", said)).json["accepted"] == 1
    (kept,) = (await told(operated))["items"]
    assert kept["source"] == "alias"

    for _ in range(2):
        outcome = last(await retried(operated, source="alias"))
        assert (outcome["taken"], [one["path"] for one in outcome["left"]]) == (
            0,
            ["$.previous_id"],
        )
        assert (await told(operated))["total"] == 1


async def test_what_is_tried_twice_at_once_is_taken_once(operated: House) -> None:
    for number in range(3):
        await keep(operated, json.dumps({"user_id": "u1", "event": f"Seen {number}"}).encode())
    both = await asyncio.gather(retried(operated, all=True), retried(operated, all=True))

    assert [answer.status for answer in both] == [200, 200]
    assert len(operated.inputs) == 3
    await keep(operated, GOOD, "identify")  # under a number that there was before
    assert last(await retried(operated, all=True))["taken"] == 1
    assert len(operated.inputs) == 4


async def test_many_are_taken_each_once(operated: House) -> None:
    count = 300
    for _ in range(count):
        await keep(operated, GOOD)

    assert last(await retried(operated, all=True)) == {"asked": count, "taken": count, "left": []}
    assert len(operated.inputs) == count


@pytest.mark.parametrize("asked", [{}, {"all": True, "source": "/events"}, {"numbers": "all"},
                                   {"numbers": [1 << 64]}])  # fmt: skip
async def test_which_must_be_said_in_one_way(operated: House, asked: dict[str, Any]) -> None:
    answer = await retried(operated, **asked)

    assert (answer.status, answer.json["code"]) == (400, "body.invalid")


async def test_nobody_without_the_key_is_told(operated: House) -> None:
    answer = await operated.get(ROUTE, admin=True, headers={"Authorization": f"Bearer {KEY}"})

    assert answer.status == 401
