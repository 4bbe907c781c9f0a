"""What stock clients really sent, byte for byte, sent again."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from config.serving import WriteKey
from engine.core.inputs import EventReceived, UserIdentified, UsersMerged
from engine.server import IngestDoor, listen, make_ingest_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from engine.server import Site
    from tests.server.house import House

RECORDED = Path(__file__).parents[2] / "../shared/data/sdk-requests"
RETRIED = sorted(path.stem for path in RECORDED.glob("retries/*.json"))
BROWSERS = (
    "segment-analytics-next",
    "segment-analytics-next-batching",
    "segment-analytics-next-crossorigin",
    "rudderstack-analytics-js",
    "rudderstack-analytics-js-batch",
    "rudderstack-analytics-js-crossorigin",
)
KEYS = ("WK", "WK_seg", "WK_node", "WK_browser", "WK_rud", "WK_rnode", "WK_rjs", "k", "phc_test")
OWN_TO_A_CONNECTION = {"host", "content-length", "connection", "accept-encoding"}
NAMES = {"page": "Page Viewed", "screen": "Screen Viewed"}

pytestmark = pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded requests are not here")


def recorded(client: str) -> list[dict[str, Any]]:
    requests: list[dict[str, Any]] = json.loads((RECORDED / f"{client}.json").read_text())
    return requests


def posts(client: str) -> list[dict[str, Any]]:
    return [request for request in recorded(client) if request["method"] == "POST"]


def headers_of(request: dict[str, Any]) -> dict[str, str]:
    return {
        name: value for name, value in request["headers"] if name.lower() not in OWN_TO_A_CONNECTION
    }


def sent_bytes(request: dict[str, Any]) -> bytes:
    """The body as the client wrote it: its length says with or without spaces."""
    for separators in ((", ", ": "), (",", ":")):
        body = json.dumps(request["body"], separators=separators).encode()
        if len(body) == request["body_bytes"]:
            headers = {name.lower(): value for name, value in request["headers"]}
            unpacked = headers.get("content-encoding") != "gzip"
            return body if unpacked else gzip.compress(body, mtime=0)
    raise AssertionError("the recorded body does not have its recorded length")


def items(request: dict[str, Any]) -> list[dict[str, Any]]:
    body = request["body"]
    return body.get("batch", [body])


@pytest.fixture
async def keyed(house: House) -> AsyncIterator[Site]:
    door = IngestDoor(
        submit=house.shell.submit,
        now_ms=house.clock.now_ms,
        keys=tuple(WriteKey(key=key) for key in KEYS),
        why_not_ready=str,
        metrics=house.metrics,
        log=house.log,
        instance="test",
    )
    async with await listen(make_ingest_app(door), "127.0.0.1", 0, log=house.log) as site:
        yield site


@pytest.mark.parametrize(
    "client",
    [
        "segment-analytics-python",
        "segment-analytics-node",
        "segment-analytics-next",
        "segment-analytics-next-batching",
        "segment-analytics-next-crossorigin",
        "rudder-sdk-python",
        "rudder-sdk-python-nogzip",
        "rudder-sdk-node",
        "rudderstack-analytics-js",
        "rudderstack-analytics-js-batch",
        "rudderstack-analytics-js-crossorigin",
    ],
)
async def test_a_stock_client_is_taken_as_it_is(house: House, keyed: Site, client: str) -> None:
    requests = posts(client)
    for request in requests:
        url, headers = keyed.url + request["path"], headers_of(request)
        async with house.client.post(url, data=sent_bytes(request), headers=headers) as answer:
            said = await answer.json(content_type=None)
        assert answer.status == 200
        assert said["success"]

    sent = [item for request in requests for item in items(request)]
    assert [i["messageId"] for i in sent] == [
        taken.message_id  # type: ignore[union-attr]
        for taken in house.inputs
    ]
    assert house.quarantined == []
    by_id = {item["messageId"]: item for item in sent}
    for taken in house.inputs:
        assert isinstance(taken, EventReceived | UserIdentified)
        item = by_id[taken.message_id]
        assert (item.get("userId") or item["anonymousId"]) == taken.user_id
        assert taken.occurred_at_ms <= taken.received_at_ms
        if item["type"] == "alias":
            assert isinstance(taken, UsersMerged)
            assert item["previousId"] == taken.merged_id
        elif item["type"] == "group":
            assert isinstance(taken, UserIdentified)
            group = {"group": {**item.get("traits", {}), "id": item["groupId"]}}
            assert group == json.loads(bytes(taken.traits))
        elif isinstance(taken, UserIdentified):
            assert {"email": "a@b.c"}.items() <= json.loads(bytes(taken.traits)).items()
        else:
            assert NAMES.get(item["type"], item.get("event")) == taken.name
            named = {key: item[key] for key in ("name", "category") if key in item}
            assert {**item.get("properties", {}), **named} == json.loads(bytes(taken.properties))


async def test_a_stock_client_sent_twice_is_taken_once(house: House, keyed: Site) -> None:
    (request,) = posts("segment-analytics-python")
    headers = {"Authorization": dict(request["headers"])["Authorization"]}
    for _ in range(2):
        url = keyed.url + request["path"]
        async with house.client.post(url, data=sent_bytes(request), headers=headers) as answer:
            assert answer.status == 200

    assert len(house.inputs) == 7


@pytest.mark.parametrize("client", RETRIED)
async def test_what_a_stock_client_sent_after_a_refusal_is_taken_once(
    house: House, keyed: Site, client: str
) -> None:
    requests = posts(f"retries/{client}")
    for request in requests:
        url, headers = keyed.url + request["path"], headers_of(request)
        async with house.client.post(url, data=sent_bytes(request), headers=headers) as answer:
            assert (answer.status, await answer.json()) == (200, {"success": True})

    sent = {
        item.get("messageId") or item["uuid"] for request in requests for item in items(request)
    }
    assert len(house.inputs) == len(sent) == 1


@pytest.mark.parametrize("client", BROWSERS)
async def test_what_a_browser_asks_before_is_allowed(
    house: House, keyed: Site, client: str
) -> None:
    asked = [request for request in recorded(client) if request["method"] != "POST"]
    assert asked
    for request in asked:
        headers = headers_of(request)
        sent = {name.lower(): value for name, value in headers.items()}
        url = keyed.url + request["path"]
        async with house.client.request(request["method"], url, headers=headers) as answer:
            assert answer.ok
            allowed = answer.headers
        if origin := sent.get("origin"):
            assert allowed["Access-Control-Allow-Origin"] == origin
        if wanted := sent.get("access-control-request-headers"):
            assert set(wanted.split(",")) <= set(allowed["Access-Control-Allow-Headers"].split(","))
            assert sent["access-control-request-method"] in allowed["Access-Control-Allow-Methods"]


@pytest.mark.parametrize("client", ["posthog-python", "posthog-node"])
async def test_posthogs_client_is_taken_as_it_is(house: House, keyed: Site, client: str) -> None:
    (request,) = posts(client)
    headers = {"Content-Type": "application/json"}
    url = keyed.url + request["path"]
    async with house.client.post(url, data=sent_bytes(request), headers=headers) as answer:
        assert await answer.json() == {"success": True}

    assert house.quarantined == []
    sent = items(request)
    taken = {happened.message_id: happened for happened in house.inputs}  # type: ignore[union-attr]
    assert {item["uuid"] for item in sent} == {message_id[:36] for message_id in taken}
    for item in sent:
        happened = taken[item["uuid"]]
        assert isinstance(happened, EventReceived | UserIdentified)
        assert happened.user_id == item["distinct_id"]
        match item["event"]:
            case "$create_alias":
                assert isinstance(happened, UsersMerged)
                assert happened.merged_id == item["properties"]["alias"]
            case "$groupidentify":
                group = {"group": {"name": "Acme", "id": "g1"}}
                assert group == json.loads(bytes(happened.traits))  # type: ignore[union-attr]
            case "$identify" | "$set":
                traits = json.loads(bytes(happened.traits))  # type: ignore[union-attr]
                assert traits == {"email": "a@b.c"}
            case name:
                assert isinstance(happened, EventReceived)
                assert happened.name == ("Page Viewed" if name == "$pageview" else name)
                assert item["properties"].items() <= json.loads(bytes(happened.properties)).items()
