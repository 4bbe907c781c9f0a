"""Campaigns that are started by hand: who may, what is asked of a body, and what comes of it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.inputs import TriggerReceived
from engine.core.plan import Plan
from engine.runtime.tombstones import Tombstones
from engine.server import Limits
from tests.core.world import MINUTE, campaign, wait
from tests.server.house import House

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

CART = campaign("cart-abandonment", wait(MINUTE))
PAUSED = campaign("paused", wait(MINUTE), status="paused")
PLAN = Plan("by hand", [CART, PAUSED])
FROM_AN_ARTICLE = b"""{
  "user_id": "12345",
  "trigger_type": "cart_abandonment",
  "content": {
    "discount_code": "SAVE20",
    "message": "We noticed you left items in your cart! Here's 20% off."
  }
}"""


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    started = await House.start(tmp_path, plan=PLAN)
    yield started
    await started.aclose()


async def start(house: House, body: Any, **headers: str) -> tuple[int, Any]:
    answer = await house.post("/trigger", body, headers=headers)
    return answer.status, answer.json


def starts(house: House) -> list[TriggerReceived]:
    return [one for one in house.inputs if isinstance(one, TriggerReceived)]


async def test_the_request_that_articles_show_starts_the_campaign(house: House) -> None:
    status, said = await start(house, FROM_AN_ARTICLE, Authorization="Bearer ")
    (enrollment,) = house.processor.users["12345"].enrollments
    assert status == 200
    assert said == {
        "campaign": "cart-abandonment",
        "entered": 1,
        "refused": 0,
        "known": 0,
        "results": [
            {"user_id": "12345", "outcome": "entered", "enrollment": enrollment.enrollment}
        ],
    }
    assert json.loads(enrollment.content)["discount_code"] == "SAVE20"
    (taken,) = starts(house)
    assert (taken.campaign, taken.at_ms > 0) == ("cart-abandonment", True)


async def test_the_answer_waits_for_the_commit(house: House) -> None:
    house.store.gate.clear()
    asking = asyncio.create_task(start(house, FROM_AN_ARTICLE))
    await house.store.reached.wait()
    assert not asking.done()
    house.store.gate.set()
    assert (await asking)[0] == 200
    assert len(starts(house)) == 1


async def test_each_of_many_users_hears_what_came_of_him(house: House) -> None:
    body = {"user_ids": ["a", 7, "a", None, True, " ", {}], "campaign": "cart-abandonment"}
    status, said = await start(house, body)
    assert status == 200
    assert [(one["user_id"], one["outcome"]) for one in said["results"]] == [
        ("a", "entered"),
        ("7", "entered"),
        ("a", "known"),
    ]
    assert [(one["index"], one["path"]) for one in said["rejected"]] == [
        (index, f"$.user_ids[{index}]") for index in (3, 4, 5, 6)
    ]
    status, said = await start(house, {"user_ids": ["a"], "campaign": "paused"})
    assert said["results"] == [{"user_id": "a", "outcome": "refused", "reason": "status"}]
    status, said = await start(house, {"user_id": "a", "campaign": "cart-abandonment"})
    assert (status, said["results"][0]["reason"]) == (200, "active")


async def test_a_dry_run_tells_what_would_come_of_it_and_starts_nobody(house: House) -> None:
    await start(house, {"user_id": "a", "campaign": "cart-abandonment", "message_id": "m"})
    assert len(starts(house)) == 1
    body = {"user_ids": ["a", "b", {}], "campaign": "cart-abandonment", "dry_run": True}
    status, said = await start(house, body)
    assert (status, said["dry_run"], said["entered"], said["refused"]) == (200, True, 1, 1)
    a, b = said["results"]
    assert a == {"user_id": "a", "outcome": "refused", "reason": "active"}
    assert (b["user_id"], b["outcome"]) == ("b", "entered")
    assert [one["index"] for one in said["rejected"]] == [2]
    again = {"user_id": "a", "campaign": "cart-abandonment", "message_id": "m", "dry_run": True}
    assert (await start(house, again))[1]["results"][0]["outcome"] == "known"
    assert len(starts(house)) == 1
    assert list(house.processor.users) == ["a"]
    assert (await start(house, {**body, "dry_run": 1}))[0] == 400


async def test_a_message_id_is_taken_once_for_each_user(house: House) -> None:
    body = {"user_ids": ["a", "b"], "campaign": "cart_abandonment", "message_id": "m"}
    assert (await start(house, body))[1]["entered"] == 2
    assert (await start(house, {**body, "user_ids": ["b", "c"]}))[1] == {
        "campaign": "cart-abandonment",
        "entered": 1,
        "refused": 0,
        "known": 1,
        "results": [
            {"user_id": "b", "outcome": "known"},
            {
                "user_id": "c",
                "outcome": "entered",
                "enrollment": house.processor.users["c"].enrollments[0].enrollment,
            },
        ],
        "rejected": [],
    }
    single = {"user_id": "d", "campaign": "cart-abandonment", "message_id": 5}
    assert (await start(house, single))[1]["entered"] == 1
    assert (await start(house, single))[1]["known"] == 1
    assert len(starts(house)) == 4


async def test_nobody_is_started_whose_erasure_is_under_way(house: House) -> None:
    house.processor.tombstones = Tombstones()
    house.processor.tombstones.add("a", 1 << 48)
    _, said = await start(house, {"user_ids": ["a", "b"], "campaign": "cart-abandonment"})
    assert [one.get("reason", one["outcome"]) for one in said["results"]] == ["erased", "entered"]


@pytest.mark.parametrize(
    ("body", "status", "path", "hint"),
    [
        (b"", 400, "$", "empty"),
        (b"{", 400, "$", "no JSON"),
        (b"[]", 400, "$", "Expected `object`".replace("`", "")),
        ({"trigger_type": "cart-abandonment"}, 400, "$.user_id", "missing"),
        ({"user_id": "a"}, 400, "$.trigger_type", "missing"),
        ({"user_id": "a", "campaign": ""}, 400, "$.campaign", "empty"),
        ({"user_id": "a", "campaign": "x", "trigger_type": "x"}, 400, "$.trigger_type", "say one"),
        ({"user_id": "a", "user_ids": ["b"], "campaign": "x"}, 400, "$.user_id", "say one of them"),
        ({"user_ids": [], "campaign": "x"}, 400, "$.user_ids", "empty"),
        ({"user_ids": [None], "campaign": "x"}, 400, "$.user_ids[0]", "missing"),
        ({"user_ids": "a", "campaign": "x"}, 400, "$.user_ids", "array"),
        ({"user_id": True, "campaign": "x"}, 400, "$.user_id", "bool"),
        ({"user_id": "a" * 1_001, "campaign": "x"}, 400, "$.user_id", "1000"),
        ({"user_id": "a", "campaign": "x" * 101}, 400, "$.campaign", "100"),
        ({"user_id": "a", "campaign": "x", "content": [1]}, 400, "$.content", "object"),
        ({"user_id": "a", "campaign": "x", "content": "text"}, 400, "$.content", "object"),
        ({"user_id": "a", "campaign": "x", "content": {"a": "b" * 17_000}}, 400, "$.content", "17"),
        ({"user_id": "a", "campaign": "x", "usr": 1}, 400, "$.usr", "not known"),
        ({"user_id": "a", "campaign": "x", "message_id": {}}, 400, "$.message_id", "object"),
        ({"user_id": "a", "campaign": "x", "message_id": "m" * 1_001}, 400, "$.message_id", "1000"),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_a_body_is_told_with_its_place(
    house: House, body: Any, status: int, path: str, hint: str
) -> None:
    answer = await house.post("/trigger", body, headers={})
    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert [fault["path"] for fault in answer.json["errors"]] == [path]
    assert hint in answer.text
    assert starts(house) == []


async def test_an_unknown_campaign_is_told_with_the_nearest(house: House) -> None:
    status, said = await start(house, {"user_id": "a", "trigger_type": "cart_abandonmet"})
    assert (status, said["code"]) == (404, "campaign.unknown")
    assert "cart-abandonment" in said["detail"]
    assert house.processor.users == {}


async def test_too_many_users_are_refused_whole(tmp_path: Path) -> None:
    house = await House.start(tmp_path, Limits(events_max=2), plan=PLAN)
    body = {"user_ids": ["a", "b", "c"], "campaign": "cart-abandonment"}
    status, said = await start(house, body)
    assert (status, said["code"], house.processor.users) == (413, "body.too_many", {})
    await house.aclose()


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Via", "Origin"])
async def test_without_a_key_no_proxy_and_no_page_starts_anything(
    house: House, header: str
) -> None:
    status, said = await start(house, FROM_AN_ARTICLE, **{header: "http://127.0.0.1"})
    assert (status, said["code"], house.processor.users) == (403, "key.none", {})


@pytest.mark.parametrize("client", [None, "127.0.0.1", "::1", "203.0.113.7", "unknown"])
async def test_without_a_key_nobody_starts_anything_by_a_proxy_that_is_listed(
    tmp_path: Path, client: str | None
) -> None:
    house = await House.start(tmp_path, plan=PLAN, proxies=("127.0.0.0/8",))
    headers = {} if client is None else {"X-Forwarded-For": client}
    status, said = await start(house, FROM_AN_ARTICLE, **headers)
    assert (status, said["code"], house.processor.users) == (403, "key.none", {})
    await house.aclose()


async def test_with_keys_each_of_them_does_and_nothing_else(tmp_path: Path) -> None:
    house = await House.start(tmp_path, plan=PLAN, trigger_keys=("one", "ü"))
    for said in ("", "Bearer", "Bearer on", "Bearer onee", "one", "Bearer a-write-key"):
        status, answer = await start(house, FROM_AN_ARTICLE, Authorization=said)
        assert (status, answer["code"].partition(".")[0]) == (401, "key")
    assert house.processor.users == {}
    headers = {"Authorization": "Bearer one", "Origin": "https://shop.example", "Via": "a proxy"}
    assert (await start(house, FROM_AN_ARTICLE, **headers))[0] == 200
    assert (await start(house, FROM_AN_ARTICLE, Authorization="Bearer ü"))[0] == 200
    await house.aclose()


async def test_no_write_key_starts_anything_among_events(house: House) -> None:
    item = {"type": "trigger", "user_id": "a", "campaign": "cart-abandonment"}
    for path, body in (("/events", item), ("/v1/batch", {"batch": [{**item, "userId": "a"}]})):
        assert (await house.post(path, body)).status == 400
    assert house.processor.users == {}


scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9)
)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
bodies = st.fixed_dictionaries(
    {},
    optional={
        "user_id": st.sampled_from(["a", "b", 7]) | anything,
        "user_ids": st.lists(st.sampled_from(["a", "b", 7]) | scalars, max_size=5) | anything,
        "trigger_type": st.sampled_from(["cart_abandonment", "paused", "nowhere"]) | anything,
        "content": st.dictionaries(st.text(max_size=5), anything, max_size=3) | anything,
        "message_id": st.sampled_from(["m", "n"]) | anything,
        "more": anything,
    },
)


def test_whatever_a_body_says_who_is_answered_is_started_once(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with asyncio.Runner() as runner:
        house = runner.run(House.start(tmp_path_factory.mktemp("house"), plan=PLAN))

        @settings(max_examples=120)
        @given(bodies)
        def answers(body: dict[str, Any]) -> None:
            before = len(starts(house))
            status, said = runner.run(start(house, json.dumps(body)))
            taken = starts(house)[before:]
            if status != 200:
                assert status in {400, 404}
                assert taken == []
                return
            results = said["results"]
            new = [one for one in results if one["outcome"] != "known"]
            assert [one["user_id"] for one in new] == [one.user_id for one in taken]
            assert said["entered"] + said["refused"] == len(taken)
            for one in new:
                user = house.processor.users[one["user_id"]]
                entered = [e.enrollment for e in user.enrollments]
                assert one.get("enrollment", "") in {*entered, ""}

        answers()
        runner.run(house.aclose())
