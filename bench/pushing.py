"""Web push: a channel's deliveries beside bare encryption and a bare POST of the same messages.

Both go to a push service on this machine (`python -m bench.pushing`, a process of its own), which
answers 201 to whatever comes and says how much that was. The reference has what it needs at hand:
the subscription read, the token signed, the payload written.
"""

from __future__ import annotations

import asyncio
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Final

import aiohttp
import msgspec
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from typing_extensions import override

from bench.harness import Laps, Run, Scenario, Standing
from bench.process import serving
from bench.sink import serve
from channels.aes128gcm import encoded_point, encrypt
from channels.base import Accepted, Message
from channels.registry import PushSettings, build_channels
from channels.vapid import to_base64url
from channels.webpush import payload, topic
from engine.cli.serve import fastest_loop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import ExitStack

CONCURRENCY: Final = 8
_VAPID: Final = "b7hUFnCEFWWoQBkSoO4s5HBcgkTsNEnnJkkqlF2ZDtU"
_AUTH: Final = bytes(16)


class Pushes(Standing):
    """Messages to one browser of a push service that runs meanwhile."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self._n = n
        self.receiver = ec.generate_private_key(ec.SECP256R1()).public_key()
        self.url = ""
        self.messages: list[Message] = []

    @override
    def open(self, opening: ExitStack) -> None:
        port = opening.enter_context(serving(["-m", "bench.pushing"])).port
        self.url = f"http://127.0.0.1:{port}/"
        keys = {"p256dh": to_base64url(encoded_point(self.receiver)), "auth": to_base64url(_AUTH)}
        to = msgspec.json.encode({"endpoint": self.url, "keys": keys}).decode()
        front = {"title": "You left something", "url": "https://shop.example/cart"}
        self.messages = [
            Message(
                id=f"{number:032x}", at_ms=0, user_id="u", campaign="c", step="s", channel="push",
                to=to, front=front, body=f"Message number {number}, and it is still there",
            )
            for number in range(self._n)
        ]  # fmt: skip

    def taken(self) -> int:
        """How many pushes have come since the last call."""
        with urllib.request.urlopen(f"{self.url}count", timeout=10) as answer:
            return int(answer.read())


async def _each(messages: list[Message], deliver: Callable[[Message], Awaitable[None]]) -> float:
    """Have them delivered, `CONCURRENCY` at a time; the seconds that it took."""
    waiting = iter(messages)

    async def work() -> None:
        for message in waiting:
            await deliver(message)

    laps = Laps()
    await deliver(messages[0])  # connections, tokens and imports are there
    with laps.running():
        await asyncio.gather(*(work() for _ in range(CONCURRENCY)))
    return laps.seconds


async def _ours(load: Pushes) -> float:
    settings = PushSettings(
        transport="webpush",
        vapid_key=_VAPID,
        trusted=("127.0.0.1",),
        concurrency=CONCURRENCY,
    )
    channel = build_channels({"push": settings}, data=Path())["push"]

    async def deliver(message: Message) -> None:
        outcome = await channel.deliver(message)
        assert isinstance(outcome, Accepted), outcome

    seconds = await _each(load.messages, deliver)
    await channel.aclose()
    return seconds


async def _reference(load: Pushes) -> float:
    ready = {message.id: payload(message) for message in load.messages}
    connector = aiohttp.TCPConnector(limit=CONCURRENCY)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def deliver(message: Message) -> None:
            body = encrypt(ready[message.id], load.receiver, _AUTH)
            headers = {
                "Authorization": "vapid t=a-token-of-two-hundred-bytes, k=a-key",
                "Content-Encoding": "aes128gcm",
                "TTL": "86400",
                "Topic": topic(message.id),
            }
            async with session.post(load.url, data=body, headers=headers) as answer:
                await answer.read()

        return await _each(load.messages, deliver)


class Pushing(Scenario[Pushes]):
    """The channel `webpush` beside encryption and POST alone."""

    name = "push"
    title = "web pushes a second, beside bare encryption and POST"
    n = 2_000
    n_small = 200
    limit = 1.43
    repetitions = 7

    @override
    def prepare(self, n: int) -> Pushes:
        return Pushes(n)

    @override
    def reference(self, load: Pushes) -> Run:
        return self._run(load, _reference)

    @override
    def ours(self, load: Pushes) -> Run:
        return self._run(load, _ours)

    def _run(self, load: Pushes, side: Callable[[Pushes], Awaitable[float]]) -> Run:
        async def run() -> float:
            return await side(load)

        with asyncio.Runner(loop_factory=fastest_loop()) as runner:
            seconds = runner.run(run())
        return Run(seconds, load.taken())


SCENARIOS = (Pushing(),)


def _push_service() -> web.Application:
    taken = 0

    async def take(request: web.Request) -> web.Response:
        nonlocal taken
        await request.read()
        taken += 1
        return web.Response(status=201)

    async def tell(_: web.Request) -> web.Response:
        nonlocal taken
        told, taken = taken, 0
        return web.Response(text=str(told))

    app = web.Application()
    app.router.add_post("/", take)
    app.router.add_get("/count", tell)
    return app


if __name__ == "__main__":
    serve(_push_service())
