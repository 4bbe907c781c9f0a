"""Where webhooks arrive: a small aiohttp server that notes what came and when.

    python -m bench.sink

It is a process of its own, as a shop's own server would be. `POST /` takes a webhook whose body is
JSON with what is to be told apart, `GET /count` tells how many came, and `GET /arrivals` tells
each: its idempotency key, its body, and the wall clock when its head had been read.
"""

from __future__ import annotations

import asyncio
import socket
import time

import msgspec
from aiohttp import web

from engine.cli.serve import fastest_loop, stop_on_signals
from engine.runtime.memory import settle_collector


class Hook(msgspec.Struct, frozen=True):
    """A webhook's body.

    Attributes:
        name: Of the delay that it tells of.
        due_at_ms: When it was due, by the wall clock.
    """

    name: str
    due_at_ms: int


class Arrival(msgspec.Struct, frozen=True):
    """A webhook that came.

    Attributes:
        key: `Idempotency-Key`: the same for each try of one message.
        at_ns: When it came, by the wall clock.
    """

    key: str
    at_ns: int
    hook: Hook

    @property
    def late_ns(self) -> int:
        """How much later than due it came."""
        return self.at_ns - self.hook.due_at_ms * 1_000_000


def _sink() -> web.Application:
    arrivals: list[Arrival] = []
    decode = msgspec.json.Decoder(Hook).decode
    encode = msgspec.json.Encoder().encode

    async def take(request: web.Request) -> web.Response:
        at_ns = time.time_ns()
        key = request.headers.get("Idempotency-Key", "")
        arrivals.append(Arrival(key, at_ns, decode(await request.read())))
        return web.Response(status=204)

    async def count(_: web.Request) -> web.Response:
        return web.Response(body=encode(len(arrivals)))

    async def tell(_: web.Request) -> web.Response:
        return web.Response(body=encode(arrivals))

    app = web.Application()
    app.router.add_post("/", take)
    app.router.add_get("/count", count)
    app.router.add_get("/arrivals", tell)
    return app


def serve(app: web.Application) -> None:
    """Serve on a free port of this machine, which is told as `serving` reads it, until SIGTERM."""
    with asyncio.Runner(loop_factory=fastest_loop()) as runner:
        runner.run(_serve(app))


async def _serve(app: web.Application) -> None:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    with socket.create_server(("127.0.0.1", 0), backlog=1_024) as listening:
        await web.SockSite(runner, listening).start()
        settle_collector()
        print(f"events on http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
        await stop_on_signals().wait()
        await runner.cleanup()


if __name__ == "__main__":
    serve(_sink())
