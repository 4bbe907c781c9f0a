"""A shop is run beside the process that serves, over events or its archive, and nothing waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.core.inputs import EventReceived
from tests.cart import CART
from tests.server.admin.opened import KEY, open_house

if TYPE_CHECKING:
    from tests.server.house import House

QUICK = CART["campaigns/cart.yaml"].replace("1h", "1s")
EVENTS = [
    {"user_id": name, "event": "Go", "timestamp": "2026-01-05T09:00:00Z"} for name in ("ada", "bob")
]


async def ask(house: House, path: str, **body: Any) -> tuple[int, Any]:
    """The status, and the result or what was refused."""
    async with house.client.post(house.admin.url + path, headers=KEY, **body) as answer:
        lines = [msgspec.json.decode(line) for line in (await answer.read()).splitlines()]
    return answer.status, lines[-1].get("result", lines[-1])


@pytest.mark.parametrize("form", ["object", "array", "lines", "text"])
async def test_events_that_are_sent_along_are_run_in_virtual_time(house: House, form: str) -> None:
    open_house(house)
    lines = msgspec.json.Encoder().encode_lines(EVENTS)
    body: dict[str, Any] = {
        "object": {"json": {"events": EVENTS, "records": 10}},
        "array": {"json": EVENTS},
        "lines": {"data": lines, "headers": {**KEY, "Content-Type": "application/x-ndjson"}},
        "text": {"json": {"events": lines.decode(), "records": 10}},
    }[form]
    headers = body.pop("headers", KEY)
    url = house.admin.url + "/api/simulate"
    async with house.client.post(url, headers=headers, **body) as answer:
        result = msgspec.json.decode((await answer.read()).splitlines()[-1])["result"]
    (cart,) = result["summary"]["campaigns"]
    assert (cart["entered"], cart["sent"]) == (2, {"in_app": 2})
    assert result["records_total"] == 8  # entered, sent, delivered, finished: each of two
    assert len(result["records"]) == (8 if form in {"object", "text"} else 0)


async def test_an_edited_file_takes_the_place_of_the_running_shops(house: House) -> None:
    open_house(house)
    asked = {"events": EVENTS, "files": {"campaigns/cart.yaml": QUICK}, "records": 9}
    status, result = await ask(house, "/api/simulate", json=asked)
    assert status == 200
    sent = [one for one in result["records"] if one["kind"] == "sent"]
    assert {one["at"] for one in sent} == {"2026-01-05T09:00:01.000Z"}
    none = {"events": EVENTS, "files": {"campaigns/cart.yaml": None}}
    _, result = await ask(house, "/api/simulate", json=none)
    assert result["summary"]["campaigns"] == []


async def test_a_backtest_tells_what_would_have_been_sent_beside_what_was(house: House) -> None:
    began_ms = open_house(house)
    for place in range(3):
        event = EventReceived(f"u{place}", "Go", began_ms, began_ms)
        await house.shell.submit([event])
    asked = {"campaign": "cart", "days": 1, "files": {"campaigns/cart.yaml": QUICK}}
    quick = QUICK.replace("1s", "1ms")
    asked["files"] = {"campaigns/cart.yaml": quick}
    _, result = await ask(house, "/api/backtest", json={**asked, "records": 100})
    (before,), (after,) = result["before"], result["after"]
    assert (before["entered"], before["sent"]) == (3, {})
    assert after["entered"] == 3
    assert after["sent"] == {"in_app": result["compared"]["users"]}
    assert result["compared"]["entered"] == {}
    _, same = await ask(house, "/api/backtest", json={"days": 1})
    assert same["before"] == same["after"]
    assert same["compared"]["changes"] == []


async def test_the_archive_is_run_as_days(house: House) -> None:
    began_ms = open_house(house)
    await house.shell.submit([EventReceived("ada", "Go", began_ms, began_ms)])
    _, result = await ask(house, "/api/simulate", json={"days": 2, "records": 5})
    assert result["summary"]["campaigns"][0]["entered"] == 1
    assert [one["kind"] for one in result["records"]] == ["entered"]
    assert result["exact_from"] == ""


@pytest.mark.parametrize(
    ("path", "asked", "status", "code"),
    [
        ("simulate", {}, 400, "body.invalid"),
        ("simulate", {"events": [], "days": 3}, 400, "body.invalid"),
        ("simulate", {"days": 401}, 400, "body.invalid"),
        ("simulate", {"days": 1, "fail": {"fax": 0.1}}, 400, "body.invalid"),
        ("simulate", {"days": 1, "fail": {"push": 2}}, 400, "body.invalid"),
        ("simulate", {"days": 1, "records": -1}, 400, "body.invalid"),
        ("simulate", {"events": [], "until": "soon"}, 400, "body.invalid"),
        ("simulate", {"days": 1, "shop": {"version": 9, "files": {}}}, 400, "body.invalid"),
        ("simulate", {"days": 1, "files": {"campaigns/x.yaml": "campaign:"}}, 422, "shop.invalid"),
        ("backtest", {"campaign": "nothing"}, 404, "campaign.unknown"),
        ("backtest", {"days": 0}, 400, "body.invalid"),
        ("backtest", {"many": 1}, 400, "body.invalid"),
    ],
)
async def test_what_cannot_be_meant_is_refused_before_anything_is_run(
    house: House, path: str, asked: dict[str, Any], status: int, code: str
) -> None:
    open_house(house)
    answered, told = await ask(house, f"/api/{path}", json=asked)
    assert (answered, told["code"]) == (status, code)


async def test_what_fails_on_the_way_is_a_problem(house: House) -> None:
    open_house(house)
    status, told = await ask(house, "/api/simulate", json={"events": "no event"})
    assert (status, told["code"]) == (422, "events.unreadable")


async def test_whoever_asks_for_lines_is_told_how_it_comes_along(house: House) -> None:
    open_house(house)
    headers = {**KEY, "Accept": "application/x-ndjson"}
    url = house.admin.url + "/api/simulate"
    for events, last in ((EVENTS, "result"), ("no event", "error")):
        async with house.client.post(url, json={"events": events}, headers=headers) as answer:
            told = [msgspec.json.decode(line) for line in (await answer.read()).splitlines()]
        assert (answer.status, answer.content_type) == (200, "application/x-ndjson")
        assert {tuple(line) for line in told[:-1]} <= {("done", "total")}
        assert list(told[-1]) == [last]


async def test_whoever_does_not_ask_for_lines_gets_one_document(house: House) -> None:
    open_house(house)
    url = house.admin.url + "/api/simulate"
    async with house.client.post(url, json={"events": EVENTS}, headers=KEY) as answer:
        assert list(await answer.json()) == ["result"]
