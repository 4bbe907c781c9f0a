"""What holds for every request: durability, duplicates, refusals, ids, log lines."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from config.serving import WriteKey
from engine.core.inputs import UserScored
from engine.runtime.inbox import HELD_BYTES_MAX, INBOX_MAX, Unavailable
from engine.server import IngestDoor, listen, make_ingest_app
from tests.server.house import BEARER, KEY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.server.house import House

EVENT = {"user_id": "u1", "event": "E", "message_id": "m1"}


async def test_200_comes_only_after_the_commit(house: House) -> None:
    house.store.gate.clear()
    asking = asyncio.create_task(house.post("/events", EVENT))
    await house.store.reached.wait()
    # Whatever else happens in the process, the answer waits for the disk.
    assert (await house.get("/healthz")).status == 200
    assert not asking.done()

    house.store.gate.set()

    assert (await asking).status == 200
    assert len(house.inputs) == 1


async def test_the_answer_for_quarantined_items_waits_for_the_commit_too(house: House) -> None:
    house.store.gate.clear()
    asking = asyncio.create_task(house.post("/events", b"[{}]"))
    await house.store.reached.wait()
    assert (await house.get("/healthz")).status == 200
    assert not asking.done()

    house.store.gate.set()

    assert (await asking).status == 400
    assert await house.store.count("quarantine") == 1


@pytest.mark.parametrize("route", ["/events", "/v1/track"])
async def test_the_same_body_twice_is_taken_once_and_answered_twice(
    house: House, route: str
) -> None:
    body = {**EVENT, "userId": "u1", "messageId": "m1"}
    first, second = [await house.post(route, body) for _ in range(2)]

    assert (first.status, second.status) == (200, 200)
    assert first.text == second.text
    assert len(house.inputs) == 1


async def test_without_a_message_id_nothing_is_a_duplicate(house: House) -> None:
    for _ in range(2):
        await house.post("/events", {"user_id": "u1", "event": "E"})

    assert len(house.inputs) == 2


async def test_while_the_journal_cannot_be_written_clients_are_told_to_come_again(
    house: House,
) -> None:
    house.store.broken = True
    first = asyncio.create_task(house.post("/events", EVENT))
    await house.store.failed.wait()

    native = await house.post("/events", EVENT)
    sdk = await house.post("/v1/track", {"userId": "u", "event": "E"})
    ready = [await house.get("/readyz"), await house.get("/readyz", admin=True)]
    house.store.broken = False

    for answer in (native, sdk):
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0
    assert native.headers["Content-Type"] == "application/problem+json"
    assert (sdk.json["success"], sdk.json["code"]) == (False, "unavailable")
    assert [answer.status for answer in ready] == [503, 503]
    assert "no room" in ready[0].json["detail"]
    # What was stamped before is kept, and goes through once there is room.
    assert (await first).status == 200
    assert (await house.get("/readyz")).status == 200


async def test_a_full_inbox_is_said_and_not_hidden(house: House) -> None:
    house.shell.inbox.waiting = INBOX_MAX
    answer = await house.post("/events", EVENT)
    house.shell.inbox.waiting = 0

    assert answer.status == 503
    assert "Retry-After" in answer.headers
    assert house.inputs == []


async def test_bodies_whose_commit_is_awaited_are_bounded_in_bytes(house: House) -> None:
    house.store.gate.clear()
    asking = asyncio.create_task(house.post("/events", EVENT))
    await house.store.reached.wait()
    held_bytes = house.shell.inbox.held_bytes
    house.shell.inbox.held_bytes += HELD_BYTES_MAX
    answer = await house.post("/events", EVENT)
    house.shell.inbox.held_bytes -= HELD_BYTES_MAX
    house.store.gate.set()

    assert held_bytes == len(json.dumps(EVENT))
    assert answer.status == 503
    assert (await asking).status == 200
    assert house.shell.inbox.held_bytes == 0


async def test_new_names_and_users_make_no_new_series(house: House) -> None:
    await house.post("/events", [EVENT, {}])
    before = len(house.metrics.render().splitlines())
    for start in range(0, 2_000, 1_000):
        names = [f"{number}" for number in range(start, start + 1_000)]
        items = [
            {"user_id": f"new {name}", "event": f"new {name}", "type": "track"} for name in names
        ]
        await house.post("/events", [*items, *({"type": f"odd {name}"} for name in names)])

    assert len(house.inputs) == 2_001
    assert len(house.metrics.render().splitlines()) == before


async def test_a_stopping_process_takes_nothing_more(house: House) -> None:
    house.shell.stop_taking()

    assert (await house.post("/events", EVENT)).status == 503


@pytest.mark.parametrize("route", ["/healthz", "/readyz"])
async def test_health_needs_no_key(house: House, route: str) -> None:
    assert (await house.get(route)).status == 200


@pytest.mark.parametrize(
    ("method", "route", "status"),
    [
        ("GET", "/events", 405),
        ("PUT", "/v1/track", 405),
        ("POST", "/healthz", 405),
        ("POST", "/v2/track", 404),
        ("POST", "/v1/dance", 404),
        ("GET", "/", 404),
        ("GET", "/metrics", 404),
    ],
)
async def test_routes_that_are_none_are_refused(
    house: House, method: str, route: str, status: int
) -> None:
    async with house.client.request(method, house.site.url + route, headers=BEARER) as answer:
        said = await answer.json(content_type=None)

    assert status == answer.status
    assert "X-Request-Id" in answer.headers
    assert ("Allow" in answer.headers) == (status == 405)
    if route.startswith("/v1/"):
        assert said["success"] is False
    else:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert status == said["status"]


async def test_every_request_has_an_id_of_its_own(house: House) -> None:
    answers = [await house.post("/events", EVENT), await house.post("/v1/track", b"x")]

    ids = [answer.headers["X-Request-Id"] for answer in answers]
    assert all(ids)
    assert len(set(ids)) == 2


async def test_a_clients_request_id_is_kept_where_it_is_one(house: House) -> None:
    own = await house.post("/events", EVENT, headers={**BEARER, "X-Request-Id": "trace-1.a"})
    odd = await house.post("/events", EVENT, headers={**BEARER, "X-Request-Id": "a b<script>"})

    assert own.headers["X-Request-Id"] == "trace-1.a"
    assert odd.headers["X-Request-Id"].startswith("test-")


async def test_a_request_is_one_line_without_body_or_address(house: House) -> None:
    body = {"user_id": "secret-user", "event": "E", "properties": {"email": "a@b.c"}}
    answer = await house.post("/events", body)

    (line,) = house.lines.entries
    assert line.pop("ms") >= 0
    assert {
        "event": "request",
        "log_level": "debug",
        "method": "POST",
        "route": "/events",
        "status": 200,
        "accepted": 1,
        "rejected": 0,
        "request_id": answer.headers["X-Request-Id"],
    } == line


async def test_a_refused_request_is_logged_without_what_was_typed(house: House) -> None:
    await house.post("/events/a@b.c?user=secret", b"{}")
    await house.post("/events", b'{"user_id": "secret", "event": 5}')

    unknown, rejected = house.lines.entries
    assert tuple(unknown[n] for n in ("log_level", "route", "status")) == ("info", "unknown", 404)
    assert tuple(rejected[n] for n in ("log_level", "status", "rejected")) == ("info", 400, 1)
    assert "secret" not in repr(house.lines.entries)
    assert "127.0.0.1" not in repr(house.lines.entries)


async def test_items_are_counted_by_fate(house: House) -> None:
    await house.post("/events", b'[{"user_id":"u","event":"E"},{},{}]')

    text = house.metrics.render().decode()
    assert 'hairspring_inputs_total{fate="accepted"} 1.0' in text
    assert 'hairspring_inputs_total{fate="rejected"} 2.0' in text


class _Door:
    """A door that breaks, as one with a fault would."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def submit(
        self,
        inputs: Sequence[Any],
        quarantined: Sequence[Any] = (),
        size_bytes: int = 0,
        told: Any = None,
    ) -> None:
        assert inputs
        assert size_bytes
        assert not quarantined
        assert told is None
        raise self.error


async def ask_at(house: House, error: Exception) -> tuple[int, str, str]:
    door = IngestDoor(
        submit=_Door(error).submit,
        now_ms=house.clock.now_ms,
        keys=(WriteKey(key=KEY),),
        why_not_ready=str,
        metrics=house.metrics,
        log=house.log,
        instance="test",
    )
    async with (
        await listen(make_ingest_app(door), "127.0.0.1", 0, log=house.log) as site,
        house.client.post(site.url + "/events", json=EVENT, headers=BEARER) as answer,
    ):
        return answer.status, answer.headers["X-Request-Id"], await answer.text()


async def test_a_fault_of_the_server_is_told_and_logged_and_leaks_nothing(house: House) -> None:
    status, request_id, text = await ask_at(house, RuntimeError("a secret detail"))

    assert status == 500
    assert "secret" not in text
    broken = next(line for line in house.lines.entries if line["event"] == "request.broken")
    assert ("error", request_id) == (broken["log_level"], broken["request_id"])


async def test_unavailable_says_what_to_do(house: House) -> None:
    status, _, text = await ask_at(house, Unavailable("too busy", hint="send it again"))

    assert status == 503
    assert "too busy; send it again" in text


async def test_events_of_many_clients_at_once_all_arrive(house: House) -> None:
    async def send(n: int) -> int:
        body = gzip.compress(b'{"user_id":"u%d","event":"E","message_id":"m%d"}' % (n, n))
        return (await house.post("/events", body)).status

    statuses = await asyncio.gather(*map(send, range(200)))

    assert statuses == [200] * 200
    assert {f"u{n}" for n in range(200)} == set(house.processor.users)


async def test_scores_are_taken_one_or_many_and_answered_once_they_are_durable(
    house: House,
) -> None:
    one = await house.post("/v1/scores", {"user_id": "u1", "model": "m", "score": 0.5})
    many = await house.post(
        "/v1/scores",
        [{"user_id": "u1", "model": "m", "score": 1}, {"user_id": "u1", "model": "m", "score": 2}],
    )
    none = await house.post("/v1/scores", {"user_id": "u1", "model": "m"})

    assert (one.status, many.status, none.status) == (200, 200, 400)
    assert json.loads(one.text) == {"success": True, "accepted": 1, "rejected": []}
    said = json.loads(many.text)
    assert (said["accepted"], said["rejected"][0]["path"]) == (1, "$.score")
    assert json.loads(none.text)["success"] is False
    assert [(type(each), each.score) for each in house.inputs] == [  # type: ignore[union-attr]
        (UserScored, 0.5),
        (UserScored, 1.0),
    ]
