"""Six writers, and `kill -9` again and again: nothing acknowledged is lost, nothing doubled.

`HAIRSPRING_KILLS` says how many kills; `make soak` asks for 200.
"""

from __future__ import annotations

import asyncio
import os
from random import Random  # noqa: TID251 - seeded, and printed

import aiohttp
import pytest

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


async def test_every_acknowledged_order_is_mailed_under_one_id(shop, serve, mailbox):
    seed = int(os.environ.get("HAIRSPRING_SEED", "1"))
    print(f"HAIRSPRING_SEED={seed}")
    rng = Random(seed)
    load = Load()
    serving = await asyncio.to_thread(serve, shop)
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
            serving = await asyncio.to_thread(serve, shop)
            load.url = serving.url
        load.stop = True
        await asyncio.gather(*writers)
    expected = {
        f"{kind} {order}" for kind in ("receipt", "reminder") for order in load.acknowledged
    }
    await asyncio.to_thread(mailbox.wait_for, lambda: expected <= mailbox.ids.keys(), 100)
    assert serving.drain() == 0
    print(f"{KILLS} kills, {len(load.acknowledged)} orders, {len(mailbox.mails)} mails")
    assert {subject: ids for subject, ids in mailbox.ids.items() if len(ids) > 1} == {}
