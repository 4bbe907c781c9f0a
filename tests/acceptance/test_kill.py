"""Six writers, and `kill -9` again and again: nothing acknowledged is lost, nothing doubled.

Each order is told by two mails and a webhook. `HAIRSPRING_KILLS` says how many kills; `make soak`
asks for 200.
"""

from __future__ import annotations

import asyncio
import os
from random import Random  # noqa: TID251 - seeded, and printed

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.acceptance.conftest import settings

pytestmark = [pytest.mark.acceptance, pytest.mark.crash]

WRITERS = 6
KILLS = int(os.environ.get("HAIRSPRING_KILLS", "4"))
USERS = 20
HEADERS = {"Authorization": "Bearer demo-write-key"}


class Load:
    """What the writers sent and what was acknowledged."""

    def __init__(self) -> None:
        self.acknowledged: set[str] = set()
        self.url = ""
        self.stop = False

    async def write(self, session: aiohttp.ClientSession, writer: int) -> None:
        number = 0
        while not self.stop:
            order_id = f"w{writer}-{number}"
            number += 1
            await self.send(
                session,
                {
                    "user_id": f"u{(writer * 7 + number) % USERS}",
                    "message_id": order_id,
                    "event": "Order Completed",
                    "properties": {"order_id": order_id},
                },
            )
            self.acknowledged.add(order_id)

    async def send(self, session: aiohttp.ClientSession, item: dict[str, object]) -> None:
        """Send until it is acknowledged, as a careful client does."""
        while True:
            try:
                async with session.post(f"{self.url}/events", json=item) as answer:
                    if answer.status == 200:
                        return
                    assert answer.status == 503, await answer.text()
            except (aiohttp.ClientError, ConnectionError):
                pass
            await asyncio.sleep(0.01)  # the process is away: a client waits and tries again


class Hooks:
    """A web server that keeps the idempotency keys of each webhook, by the order that it tells."""

    def __init__(self) -> None:
        self.keys: dict[str, set[str]] = {}
        self.count = 0
        self._arrived = asyncio.Condition()
        app = web.Application()
        app.router.add_post("/", self._take)
        self.server = TestServer(app)

    async def _take(self, request: web.Request) -> web.Response:
        order = (await request.json())["order"]
        async with self._arrived:
            self.count += 1
            self.keys.setdefault(order, set()).add(request.headers["Idempotency-Key"])
            self._arrived.notify_all()
        return web.Response(status=204)

    async def wait_for(self, orders: set[str], within_s: float) -> None:
        """Return once each of these came; the limit only keeps a broken run from hanging."""
        async with self._arrived, asyncio.timeout(within_s):
            await self._arrived.wait_for(lambda: orders <= self.keys.keys())


@pytest.fixture
async def hooks():
    hooks = Hooks()
    async with hooks.server:
        yield hooks


@pytest.fixture
def telling_shop(shop, mailbox, hooks):
    """The shop, which tells of each order by a webhook as well, behind the reminder."""
    url = f"http://127.0.0.1:{hooks.server.port}/"
    channel = f'\n[channels.webhook]\ntransport = "http"\nurl = "{url}"\n'
    (shop / "hairspring.toml").write_text(settings(mailbox) + channel)
    with (shop / "campaigns" / "receipt.yaml").open("a") as campaign:
        campaign.write("  - {send: webhook, template: told, id: told}\n")
    told = '---\n---\n{"order": "{{ event.order_id }}"}\n'
    (shop / "templates" / "told.webhook.liquid").write_text(told)
    return shop


async def test_every_acknowledged_order_is_told_under_one_id(telling_shop, serve, mailbox, hooks):
    seed = int(os.environ.get("HAIRSPRING_SEED", "1"))
    print(f"HAIRSPRING_SEED={seed}")
    rng = Random(seed)
    load = Load()
    serving = await asyncio.to_thread(serve, telling_shop)
    load.url = serving.url
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        for number in range(USERS):
            traits = {"email": f"u{number}@example.com", "first_name": f"U{number}"}
            await load.send(
                session, {"type": "identify", "user_id": f"u{number}", "traits": traits}
            )
        writers = [asyncio.create_task(load.write(session, n)) for n in range(WRITERS)]
        for _ in range(KILLS):
            before = len(load.acknowledged)
            await asyncio.sleep(rng.uniform(0.2, 1.2))
            while len(load.acknowledged) == before:
                await asyncio.sleep(0.01)
            serving.kill()
            serving = await asyncio.to_thread(serve, telling_shop)
            load.url = serving.url
        load.stop = True
        await asyncio.gather(*writers)
    expected = {
        f"{kind} {order}" for kind in ("receipt", "reminder") for order in load.acknowledged
    }
    await asyncio.to_thread(mailbox.wait_for, lambda: expected <= mailbox.ids.keys(), 100)
    await hooks.wait_for(load.acknowledged, 100)
    assert await asyncio.to_thread(serving.drain) == 0
    print(
        f"{KILLS} kills, {len(load.acknowledged)} orders, "
        f"{len(mailbox.mails)} mails, {hooks.count} webhooks"
    )
    assert {name: ids for name, ids in (mailbox.ids | hooks.keys).items() if len(ids) > 1} == {}
