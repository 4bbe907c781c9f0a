"""An operator has somebody go on now, or leave: at once durable, and not twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from config import load_shop
from engine.core.inputs import EnrollmentCancelled, EnrollmentForwarded
from engine.runtime.versions import NO_VERSIONS
from tests.server.house import House

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

KEY = {"Authorization": "Bearer an-admin-key"}
CALL = """
campaign: call
enter: {event: Go}
steps: [{wait: 1h, id: first}, {wait: 1h, id: second}]
"""


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    shop = load_shop({"hairspring.toml": "", "campaigns/call.yaml": CALL})
    started = await House.start(tmp_path, plan=shop.plan)
    started.operate()
    assert (await started.post("/events", {"user_id": "ada", "event": "Go"})).status == 200
    yield started
    await started.aclose()


async def ask(house: House, path: str, headers: Any = KEY) -> tuple[int, Any]:
    async with house.client.post(house.admin.url + path, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


def place(house: House) -> str:
    (one,) = house.processor.users["ada"].enrollments
    return f"/api/users/ada/enrollments/{one.enrollment}"


async def test_an_enrollment_goes_on_now_and_then_ends(house: House) -> None:
    own = place(house)
    status, told = await ask(house, own + "/forward")
    assert (status, told["outcome"], told["inside"]) == (200, "forwarded", True)
    (one,) = house.processor.users["ada"].enrollments
    assert house.processor.plan.campaigns["call"].steps[one.position].id == "second"
    status, told = await ask(house, own + "/cancel")
    assert (status, told["outcome"], told["inside"]) == (200, "cancelled", False)
    assert house.processor.users["ada"].enrollments == ()
    kinds = [type(one) for one in house.inputs if isinstance(one, EnrollmentForwarded)]
    assert kinds == [EnrollmentForwarded, EnrollmentCancelled]


async def test_who_is_not_there_or_stands_still_is_refused_with_the_reason(house: House) -> None:
    own = place(house)
    assert (await ask(house, own + "/forward", {}))[0] == 401
    status, told = await ask(house, "/api/users/zoe/enrollments/x/cancel")
    assert (status, told["code"]) == (404, "user.unknown")
    status, told = await ask(house, "/api/users/ada/enrollments/x/cancel")
    assert (status, told["code"]) == (404, "enrollment.unknown")
    paused = CALL.replace("enter:", "status: paused\nenter:")
    shop = load_shop({"hairspring.toml": "", "campaigns/call.yaml": paused})
    house.processor.adopt(shop.plan, house.clock.now_ms(), shop.content, NO_VERSIONS)
    house.processor.sweep()
    status, told = await ask(house, own + "/forward")
    assert (status, told["code"]) == (409, "enrollment.held")
