"""A push from its campaign to the browser, and what its push service says of the subscription."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from engine.core.plan import Plan
from tests.channels.providers import PushProvider
from tests.core.world import campaign, send
from tests.runtime.rig import Rig, ScriptedChannel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


PLAN = Plan("p", [campaign("c", send("push", "email"), purpose="transactional")])


@pytest.fixture
async def service() -> AsyncIterator[PushProvider]:
    provider = PushProvider()
    await provider.start()
    yield provider
    await provider.close()


async def test_a_browser_gets_the_push_of_its_user(service: PushProvider, tmp_path: Path) -> None:
    channels: dict[str, Any] = {"push": service.make(), "email": ScriptedChannel()}
    rig = await Rig.open(tmp_path / "hairspring.db", PLAN, **channels)
    rig.reachable("u", push=service.browser.subscription)
    rig.start()
    await rig.shell.submit([rig.event()])
    (delivered,) = await rig.until("delivered")
    await rig.close()
    ((headers, body),) = service.requests
    assert delivered.channel == "push"
    assert headers["Topic"] == delivered.message
    assert headers["Urgency"] == "high"
    assert service.browser.read(body)["id"] == delivered.message


async def test_a_browser_that_is_gone_is_forgotten_and_the_message_goes_another_way(
    service: PushProvider, tmp_path: Path
) -> None:
    async def gone(_: web.Request) -> web.Response:

        return web.Response(status=410)

    service.answer = gone
    channels: dict[str, Any] = {"push": service.make(), "email": ScriptedChannel()}
    rig = await Rig.open(tmp_path / "hairspring.db", PLAN, **channels)
    rig.reachable("u", push=service.browser.subscription)
    rig.start()
    await rig.shell.submit([rig.event()])
    (delivered,) = await rig.until("delivered")
    assert delivered.channel == "email"
    assert "push" not in rig.processor.users["u"].traits
    await rig.close()
