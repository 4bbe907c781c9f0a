"""Campaigns started for many users by an operator: looked at first, at a pace, once in a run."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from config import load_shop
from engine.core.inputs import TriggerReceived
from engine.runtime import bulk
from tests.server.house import House

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from engine.core.plan import Plan

FILES = {
    "hairspring.toml": "",
    "segments.yaml": 'gold: user.tier == "gold"\n',
    "campaigns/call.yaml": """
campaign: call-back
enter: {manual: true}
audience: '!has(user.asked)'
steps: [{wait: 1h, id: w}]
""",
}
USERS = [{"type": "identify", "user_id": f"u{i}", "traits": {"tier": "gold"}} for i in range(9)]


def plan_of(**files: str) -> Plan:
    return load_shop({**FILES, **files}).plan


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    started = await House.start(tmp_path, plan=plan_of())
    started.operate()
    assert (await started.post("/events", USERS)).status == 200
    yield started
    await started.aclose()


async def ask(house: House, **body: Any) -> tuple[int, Any]:
    """The status, and the last line of what was told, or the problem."""
    headers = {"Authorization": "Bearer an-admin-key", "Accept": "application/x-ndjson"}
    asked = {"campaign": "call_back", "segment": "gold"} | body
    url = house.admin.url + "/api/trigger"
    async with house.client.post(url, json=asked, headers=headers) as answer:
        last = (await answer.text()).splitlines()[-1]
        return answer.status, json.loads(last)


def starts(house: House) -> list[TriggerReceived]:
    return [one for one in house.inputs if isinstance(one, TriggerReceived)]


async def test_a_dry_run_tells_what_a_run_does_and_does_nothing(house: House) -> None:
    for user in ("u1", "u2"):
        assert (await ask(house, segment="", user_ids=[user]))[1]["result"]["entered"] == 1
    said = {"type": "identify", "user_id": "u3", "traits": {"asked": False}}
    await house.post("/events", said)
    before = len(house.inputs)
    _, would = await ask(house, dry_run=True)
    assert len(house.inputs) == before
    _, did = await ask(house)
    for told in (would["result"], did["result"]):
        assert (told["asked"], told["entered"]) == (9, 6)
        assert told["refused"] == {"active": 2, "audience": 1}
        assert [one["user_id"] for one in told["started"]] == [f"u{i}" for i in range(9)]


async def test_a_run_that_is_said_again_passes_over_whom_it_has_started(house: House) -> None:
    _, first = await ask(house, segment="", user_ids=["u1", "u2", "u2", "new"], run="spring")
    assert (first["result"]["asked"], first["result"]["entered"]) == (3, 3)
    _, dry = await ask(house, run="spring", dry_run=True)
    _, again = await ask(house, run="spring")
    for told in (dry["result"], again["result"]):
        assert (told["asked"], told["entered"], told["known"]) == (9, 7, 2)
    assert len(starts(house)) == 3 + 7
    _, other = await ask(house, run="summer")
    assert other["result"]["refused"] == {"active": 9}


async def test_a_process_that_is_told_to_stop_breaks_it_off_and_says_how_far_it_came(
    house: House,
) -> None:
    operated = house.operated()
    assert operated is not None
    submit = house.shell.submit

    async def and_stop(*what: Any, **more: Any) -> None:
        await submit(*what, **more)
        operated.stopping.set()

    house.shell.submit = and_stop  # type: ignore[method-assign]
    # The next piece has its turn in an hour: nobody waits for that.
    _, broken = await ask(house, run="spring", over="9h")
    assert broken["error"]["code"] == "unavailable"
    assert broken["error"]["message"] == "the process is stopping: 1 of 9 users were started"
    assert "the same run" in broken["error"]["hint"]
    assert len(starts(house)) == 1

    operated.stopping.clear()
    house.shell.submit = submit  # type: ignore[method-assign]
    _, again = await ask(house, run="spring")
    assert (again["result"]["entered"], again["result"]["known"]) == (8, 1)


async def test_whoever_left_the_segment_is_passed_over_when_his_turn_comes(house: House) -> None:
    left = [{**one, "traits": {"tier": "none"}} for one in USERS[-3:]]
    submit = house.shell.submit

    async def and_three_leave(*what: Any, **more: Any) -> None:
        house.shell.submit = submit  # type: ignore[method-assign]
        await submit(*what, **more)
        await house.post("/events", left)

    house.shell.submit = and_three_leave  # type: ignore[method-assign]
    told = (await ask(house, per_second=10.0))[1]["result"]
    assert (told["asked"], told["entered"], told["left"]) == (9, 6, 3)


@pytest.mark.parametrize("segments", ["", "gold: user.tier == 'gold' && user.vip\n"])
async def test_a_run_whose_segment_another_shop_has_not_is_broken_off(
    house: House, segments: str
) -> None:
    """What it asked of the past is let go of by then: `!did("Left")` would hold of everybody."""
    submit = house.shell.submit
    asked = plan_of(**{"segments.yaml": 'gold: user.tier == "gold" && !did("Left")\n'})
    house.processor.adopt(asked, house.clock.now_ms())

    async def and_change(*what: Any, **more: Any) -> None:
        house.shell.submit = submit  # type: ignore[method-assign]
        await submit(*what, **more)
        changed = plan_of(**{"segments.yaml": segments})
        house.processor.adopt(changed, house.clock.now_ms())

    house.shell.submit = and_change  # type: ignore[method-assign]
    _, broken = await ask(house, run="spring", per_second=10.0)
    assert broken["error"]["code"] == "segment.changed"
    assert "1 of 9 users were started" in broken["error"]["message"]
    assert "the same run" in broken["error"]["hint"]
    assert len(starts(house)) == 1


async def test_a_run_goes_on_where_a_changed_shop_has_its_segment_as_it_was(house: House) -> None:
    submit = house.shell.submit

    async def and_change(*what: Any, **more: Any) -> None:
        house.shell.submit = submit  # type: ignore[method-assign]
        await submit(*what, **more)
        more_of_it = FILES["segments.yaml"] + "other: user.tier == 'none'\n"
        changed = plan_of(**{"segments.yaml": more_of_it})
        house.processor.adopt(changed, house.clock.now_ms())

    house.shell.submit = and_change  # type: ignore[method-assign]
    assert (await ask(house, per_second=10.0))[1]["result"]["entered"] == 9


async def test_a_pace_spreads_the_users(house: House) -> None:
    instants: list[float] = []
    submit = house.shell.submit

    async def noted(*what: Any, **more: Any) -> None:
        instants.append(asyncio.get_running_loop().time())
        await submit(*what, **more)

    house.shell.submit = noted  # type: ignore[method-assign]
    began_s = asyncio.get_running_loop().time()
    await ask(house, over="400ms")
    assert len(instants) == 5  # nine users in 400 ms: 22 a second, two at a time
    assert [
        place for place, at_s in enumerate(instants) if at_s < began_s + place * 2 * 0.4 / 9 - 1e-3
    ] == []


async def test_a_process_that_can_take_nothing_is_asked_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "AGAIN_AFTER_S", 0.01)
    house.store.broken = True
    asking = asyncio.create_task(ask(house, run="r"))
    await house.store.failed.wait()
    house.store.broken = False
    told = (await asking)[1]["result"]
    assert told["entered"] + told["known"] == 9
    assert len(starts(house)) == 9


async def test_one_that_is_asked_for_without_a_run_is_not_tried_twice(house: House) -> None:
    house.shell.failure = "no room"
    _, told = await ask(house)
    house.shell.failure = ""
    assert told["error"]["code"] == "unavailable"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"campaign": "call-bak"}, 404, "campaign.unknown"),
        ({"segment": "gild"}, 404, "segment.unknown"),
        ({"segment": ""}, 400, "body.invalid"),
        ({"user_ids": ["u1"]}, 400, "body.invalid"),
        ({"segment": "", "user_ids": [None]}, 400, "body.invalid"),
        ({"content": []}, 400, "body.invalid"),
        ({"per_second": 0}, 400, "body.invalid"),
        ({"per_second": 1e9}, 400, "body.invalid"),
        ({"over": "soon"}, 400, "body.invalid"),
        ({"run": "r" * 201}, 400, "body.invalid"),
        ({"sgement": "gold"}, 400, "body.invalid"),
    ],
)
async def test_what_cannot_be_done_is_told(
    house: House, body: dict[str, Any], status: int, code: str
) -> None:
    found, told = await ask(house, **body)
    assert (found, told["code"]) == (status, code)
    assert starts(house) == []


async def test_a_segment_is_asked_of_users_who_have_not_taken_a_changed_shop_on(
    house: House,
) -> None:
    changed = plan_of(**{"segments.yaml": 'gold: user.tier == "gold" && !did("Left")\n'})
    house.processor.adopt(changed, house.clock.now_ms())
    assert (await ask(house))[1]["result"]["entered"] == 9
