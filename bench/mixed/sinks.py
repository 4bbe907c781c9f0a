"""Where mails and webhooks arrive: a mail server and a web server in a process of its own.

    python -m bench.mixed.sinks

It says where it listens: `events on URL, mails on port N`. One attempt in two hundred is told to
come again later. `GET /count` tells how many messages were taken, and `GET /taken` the keys
(`Message-ID`, `Idempotency-Key`) that each came under, by its name, once for each time.
"""

from __future__ import annotations

import asyncio
from email.parser import BytesHeaderParser
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web
from aiosmtpd.smtp import SMTP

from engine.cli.serve import stop_on_signals
from engine.runtime.memory import settle_collector

if TYPE_CHECKING:
    from aiosmtpd.smtp import Envelope, Session

BUSY_EVERY = 200
"""One attempt in so many is to come again."""


class Named(msgspec.Struct, frozen=True):
    """A webhook's body."""

    name: str


class Taken:
    """What was taken, by name."""

    def __init__(self) -> None:
        self.keys: dict[str, list[str]] = {}
        self.count = 0
        self._attempts = 0

    def is_busy(self) -> bool:
        """Whether this attempt is to come again."""
        self._attempts += 1
        return self._attempts % BUSY_EVERY == 0

    def take(self, name: str, key: str) -> None:
        """Note a message."""
        self.count += 1
        self.keys.setdefault(name, []).append(key)


class _Mails:
    def __init__(self, taken: Taken) -> None:
        self._taken = taken
        self._parse = BytesHeaderParser().parsebytes

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        if self._taken.is_busy():
            return "451 busy"
        assert isinstance(envelope.content, bytes)
        head = self._parse(envelope.content)
        self._taken.take(str(head["Subject"]), str(head["Message-ID"]))
        return "250 taken"


def _hooks(taken: Taken) -> web.Application:
    decode = msgspec.json.Decoder(Named).decode
    encode = msgspec.json.Encoder().encode

    async def take(request: web.Request) -> web.Response:
        if taken.is_busy():
            return web.Response(status=503)
        taken.take(decode(await request.read()).name, request.headers.get("Idempotency-Key", ""))
        return web.Response(status=204)

    async def count(_: web.Request) -> web.Response:
        return web.Response(body=encode(taken.count))

    async def tell(_: web.Request) -> web.Response:
        return web.Response(body=encode(taken.keys))

    app = web.Application()
    app.router.add_post("/", take)
    app.router.add_get("/count", count)
    app.router.add_get("/taken", tell)
    return app


def _port(server: asyncio.Server | asyncio.AbstractServer | None) -> int:
    assert isinstance(server, asyncio.Server)
    address: tuple[Any, ...] = server.sockets[0].getsockname()
    return int(address[1])


async def _serve() -> None:
    taken = Taken()
    loop = asyncio.get_running_loop()
    mails = await loop.create_server(lambda: SMTP(_Mails(taken), loop=loop), "127.0.0.1", 0)
    runner = web.AppRunner(_hooks(taken), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    settle_collector()
    url = f"http://127.0.0.1:{_port(site._server)}"  # noqa: SLF001 - aiohttp tells it nowhere else
    print(f"events on {url}, mails on port {_port(mails)}", flush=True)
    await stop_on_signals().wait()
    mails.close()
    await runner.cleanup()


def main() -> None:
    """Take messages until SIGTERM."""
    asyncio.run(_serve())


if __name__ == "__main__":
    main()
