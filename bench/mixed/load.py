"""Shoppers, a few clients at a moderate rate, and which messages their events have to bring about.

A client sends on as planned, whatever becomes of what it sent before, and sends a body again under
the same ids until it hears 200. Of all of them only so many bodies are under way, and what a
machine without a core to spare kept them from sending is not made up for: a load that piles up
would measure itself. What it then expects is exact: a message that no answer vouches for is not
expected, one that an order took back must not come.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, TypeAlias

import aiohttp
import msgspec

from bench.shop import WRITE_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CLIENTS = 6
UNDER_WAY_MAX = 24
"""Bodies of all clients that wait for an answer."""

BEHIND_MAX_S = 1.0
IN_A_BATCH = 25
APART_S = 60.0
"""A shopper who left a cart, or ordered, does neither again for so long: what comes of it is then
the same whatever the order in which two clients are heard."""

ANSWER_WITHIN_S = 30.0
AGAIN_AFTER_S = 0.5

Item: TypeAlias = dict[str, object]

_ACTS = ("view", "visit", "order", "cart", "identify", "newcomer", "garbage")
_WEIGHTS = (50.0, 5.0, 8.0, 5.0, 5.0, 0.2, 1.0)
_NO_BODIES = (
    b'{"batch": [{"type": "track", "userId": "user-1", "ev',
    b"[]",
    b'{"type": "track", "event": "Product Viewed"}',
    b'{"type": "track", "userId": "user-1", "event": "Late", "timestamp": "yesterday"}',
)


class Load:
    """Draws what shoppers do and sends it.

    Args:
        port: Of the process on 127.0.0.1.
        rate: Items a second.
        users: Shoppers who are there from the start.
        seed: Where all is drawn from.

    Attributes:
        expected: Names of messages that have to come, by events that were acknowledged.
        barred: Names of messages that must not come.
        acknowledged: Items.
        refused: Bodies that were none, and were told so.
        again: Bodies that had to be sent again.
        newcomers: Shoppers who came meanwhile.
    """

    def __init__(self, port: int, *, rate: float, users: int, seed: int = 0) -> None:
        self._url = f"http://127.0.0.1:{port}"
        self._rate = rate
        self._draw = random.Random(seed)
        self._users = users
        self._numbers = 0
        self._apart_until_s: dict[int, float] = {}
        self.expected: set[str] = set()
        self.barred: set[str] = set()
        self.acknowledged = self.refused = self.again = self.newcomers = 0
        self._session: aiohttp.ClientSession | None = None
        self._under_way = asyncio.Semaphore(UNDER_WAY_MAX)

    async def run(self, for_s: float) -> None:
        """Send for so long, and wait until every body is acknowledged."""
        async with self._open() as self._session, asyncio.TaskGroup() as sending:
            for _ in range(CLIENTS):
                sending.create_task(self._shop(sending, for_s))

    async def introduce(self) -> None:
        """Tell who is there from the start, in batches."""
        async with self._open() as self._session:
            people = range(self._users)
            for at in range(0, self._users, 1_000):
                await self._send_until_taken(
                    [self._identify(user) for user in people[at : at + 1_000]]
                )

    def _open(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {WRITE_KEY}"},
            timeout=aiohttp.ClientTimeout(total=ANSWER_WITHIN_S),
            connector=aiohttp.TCPConnector(limit=UNDER_WAY_MAX),
        )

    async def _shop(self, sending: asyncio.TaskGroup, for_s: float) -> None:
        began_s = time.monotonic()
        at_s = self._draw.random() * CLIENTS / self._rate
        while at_s < for_s:
            await asyncio.sleep(began_s + at_s - time.monotonic())
            at_s = max(at_s, time.monotonic() - began_s - BEHIND_MAX_S)
            await self._under_way.acquire()
            task, count = self._act(sending)
            task.add_done_callback(lambda _: self._under_way.release())
            at_s += count * CLIENTS / self._rate

    def _act(self, sending: asyncio.TaskGroup) -> tuple[asyncio.Task[None], int]:
        """Have something sent; who sends it, and how many items it has."""
        act = self._draw.choices(_ACTS, _WEIGHTS)[0]
        if act == "garbage":
            return sending.create_task(self._send_garbage(self._draw.choice(_NO_BODIES))), 1
        taken: Callable[[], None] = _nothing
        items: list[Item]
        if act == "order":
            items, taken = self._order()
        elif act == "cart":
            items, taken = self._cart()
        elif act == "newcomer":
            items = list(self._newcomer())
        elif act == "identify":
            items = [self._identify(self._draw.randrange(self._users))]
        else:
            count = 1 if act == "view" else IN_A_BATCH
            items = [self._view(self._draw.randrange(self._users)) for _ in range(count)]
        return sending.create_task(self._send_until_taken(items, taken)), len(items)

    # What shoppers do

    def _item(self, user: int, event: str, **properties: object) -> Item:
        self._numbers += 1
        return {
            "type": "track",
            "userId": f"user-{user}",
            "messageId": f"message-{self._numbers}",
            "event": event,
            "properties": properties,
        }

    def _view(self, user: int) -> Item:
        draw = self._draw
        sku, price = f"sku-{draw.randrange(500)}", draw.randrange(100, 10_000) / 100
        return self._item(user, "Product Viewed", product_id=sku, price=price, currency="EUR")

    def _identify(self, user: int) -> Item:
        self._numbers += 1
        traits = {
            "email": f"user-{user}@example.com",
            "first_name": f"Ada {user}",
            "points": self._draw.randrange(1_000),
        }
        return {
            "type": "identify",
            "userId": f"user-{user}",
            "messageId": f"message-{self._numbers}",
            "traits": traits,
        }

    def _newcomer(self) -> Iterator[Item]:
        user = self._users
        self._users += 1
        self.newcomers += 1
        # Nobody draws one who may not be there yet: what comes first is in one body.
        self._apart_until_s[user] = time.monotonic() + APART_S
        yield self._identify(user)
        yield self._item(user, "Signed Up")
        yield self._view(user)

    def _somebody_alone(self) -> int:
        now_s = time.monotonic()
        if len(self._apart_until_s) > self._users // 2:
            apart = self._apart_until_s.items()
            self._apart_until_s = {user: at_s for user, at_s in apart if at_s > now_s}
        user = self._draw.randrange(self._users)
        while self._apart_until_s.get(user, 0.0) > now_s:
            user = self._draw.randrange(self._users)
        self._apart_until_s[user] = now_s + APART_S
        return user

    def _order(self) -> tuple[list[Item], Callable[[], None]]:
        return self._ordered(self._somebody_alone())

    def _ordered(self, user: int) -> tuple[list[Item], Callable[[], None]]:
        order = f"o-{self._numbers}"
        items = [self._item(user, "Order Completed", order_id=order, total=99.5)]
        return items, lambda: self.expected.update((f"receipt {order}", f"after {order}"))

    def _cart(self) -> tuple[list[Item], Callable[[], None]]:
        user = self._somebody_alone()
        cart = f"c-{self._numbers}"
        items = [self._item(user, "Product Added", cart_id=cart, product_id="sku-1", price=20.5)]
        if self._draw.random() < 0.7:
            return items, lambda: self.expected.add(f"cart {cart}")
        # Bought in the same breath: the cart's message must not come, the order's have to.
        ordered, taken = self._ordered(user)
        self.barred.add(f"cart {cart}")
        return [*items, *ordered], taken

    # Sending

    async def _send_until_taken(
        self, items: list[Item], taken: Callable[[], None] | None = None
    ) -> None:
        path = "/v1/track" if len(items) == 1 and items[0]["type"] == "track" else "/v1/batch"
        body = items[0] if path == "/v1/track" else {"batch": items}
        while not await self._is_taken(path, body):
            self.again += 1
            await asyncio.sleep(AGAIN_AFTER_S)
        self.acknowledged += len(items)
        if taken is not None:
            taken()

    async def _is_taken(self, path: str, body: object) -> bool:
        # Anything but a yes or "not known" is a fault of this program, or of the process.
        return await self._status(path, msgspec.json.encode(body), 200) == 200

    async def _send_garbage(self, body: bytes) -> None:
        """Once: nobody is told to send nonsense again."""
        self.refused += await self._status("/v1/track", body, 400) == 400

    async def _status(self, path: str, body: bytes, expected: int) -> int:
        """What is answered: the status that is expected, or 503, also where no answer comes."""
        assert self._session is not None
        try:
            async with self._session.post(self._url + path, data=body) as answer:
                await answer.read()
        except (aiohttp.ClientError, TimeoutError):
            return 503
        assert answer.status in {expected, 503}, f"{answer.status} for {body!r}"
        return answer.status


def _nothing() -> None:
    """What nobody waits for."""
