"""The cascade of the demo shop, live: inboxes, a push service and files, at a quick clock."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from channels.file import lines_in_files
from config import load_shop
from config.folder import read_folder
from config.starter import demo_shop
from engine.app import App, Options
from engine.runtime.clock import wall_ms
from tests.channels.providers import PushProvider

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.acceptance

RATE = 20_000.0
"""A day is four seconds, and a quarter of an hour a twentieth of one."""

SETTINGS = """
[channels.in_app]
transport = "inbox"

[channels.push]
transport = "webpush"
trusted = ["127.0.0.1"]
"""


class Life:
    """A running process with that campaign of the shop, and its one shopper."""

    def __init__(self, app: App, data: Path, service: PushProvider) -> None:
        self.app = app
        self.service = service
        self._data = data
        self.client = aiohttp.ClientSession()

    async def tell(self, **event: Any) -> None:
        key = {"Authorization": "Bearer demo-write-key"}
        said = {"user_id": "ada", **event}
        url = f"{self.app.ingest.url}/events"
        async with self.client.post(url, json=said, headers=key) as answer:
            assert answer.status == 200

    async def leaves_a_cart(self) -> None:
        traits = {
            "email": "ada@example.com",
            "consent": {"email": True},
            "push": self.service.browser.subscription,
        }
        await self.tell(type="identify", traits=traits)
        product = {"product_id": "p1", "name": "Fern", "price": 30}
        await self.tell(event="Product Added", properties=product)

    async def until_gone(self) -> None:
        """Return once she is in no campaign and nothing is under way to her."""
        user = self.app.processor.users["ada"]
        async with asyncio.timeout(60):
            while user.enrollments or user.pending:
                await asyncio.sleep(0.01)  # a day passes meanwhile

    async def inbox(self) -> list[dict[str, Any]]:
        token = self.app._links.signer.sign_user("ada", wall_ms() + 60_000)
        url = f"{self.app.ingest.url}/inbox?token={token}"
        async with self.client.get(url) as answer:
            return (await answer.json())["messages"]

    def mails(self) -> list[dict[str, Any]]:
        lines = lines_in_files(self._data / "outbox", ("ada",)).get("email", [])
        return [msgspec.json.decode(line) for line in lines]

    def pushes(self) -> list[dict[str, Any]]:
        return [self.service.browser.read(body) for _, body in self.service.requests]


@pytest.fixture
async def life(tmp_path: Path) -> AsyncIterator[Life]:
    service = PushProvider()
    await service.start()
    campaign = "campaigns/cart-abandonment.yaml"
    files = {
        name: text
        for name, text in read_folder(demo_shop()).items()
        if name.startswith(("templates/cart", campaign))
    }
    # Five minutes are a few milliseconds here, and no machine is as quick as that.
    files[campaign] = re.sub(r"expires: \w+", "expires: 20h", files[campaign])
    shop = load_shop({**files, "hairspring.toml": SETTINGS})
    data = tmp_path / "data"
    app = await App.start(shop, Options(data=data, port=0, rate=RATE))
    running = Life(app, data, service)
    yield running
    await running.client.close()
    await app.stop()
    await service.close()


async def test_each_channel_has_its_turn_and_no_word_is_said_twice(life: Life) -> None:
    await life.leaves_a_cart()
    await life.until_gone()
    (shown,) = await life.inbox()
    assert (shown["step"], shown["style"], shown["title"]) == ("nudge", "banner", "Saved for you")
    (push,) = life.pushes()
    assert push["title"] == "Fern is waiting"
    (mail,) = life.mails()
    assert mail["step"] == "email"


async def test_a_purchase_ends_it_before_the_mail(life: Life) -> None:
    pushed = asyncio.Event()

    async def take(_: web.Request) -> web.Response:
        pushed.set()
        return web.Response(status=201)

    life.service.answer = take
    await life.leaves_a_cart()
    await pushed.wait()
    await life.tell(event="Order Completed", properties={"order_id": "o1"})
    await life.until_gone()
    assert len(await life.inbox()) == 1
    assert len(life.pushes()) == 1
    assert life.mails() == []


async def test_where_the_browser_is_gone_the_mail_stands_in_and_no_second_one_follows(
    life: Life,
) -> None:
    async def gone(_: web.Request) -> web.Response:
        return web.Response(status=410)

    life.service.answer = gone
    await life.leaves_a_cart()
    await life.until_gone()
    assert len(life.pushes()) == 1
    (mail,) = life.mails()
    assert mail["step"] == "push"
    assert "push" not in life.app.processor.users["ada"].traits
