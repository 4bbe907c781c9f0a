"""Email: a channel's deliveries beside a bare aiosmtplib loop that sends ready-made mails.

Both go to an SMTP server on this machine (`python -m bench.emailing`, a process of its own), which
takes whatever comes and says how many mails that was. The reference has the same number of kept
connections, and each mail's bytes at hand; ours makes each mail of a rendered message.
"""

from __future__ import annotations

import asyncio
import smtplib
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aiosmtplib import SMTP
from typing_extensions import override

from bench.harness import Laps, Run, Scenario, Standing
from bench.process import serving
from channels.base import Accepted, Message
from channels.email import build_mail
from channels.registry import EmailSettings, build_channels
from engine.cli.serve import fastest_loop, stop_on_signals
from engine.runtime.memory import settle_collector

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import ExitStack

CONCURRENCY: Final = 8
_SENDER: Final = "My shop <shop@example.com>"
_BODY: Final = "<h1>You left something</h1>" + "<p>It is still there, number {}.</p>" * 4


class Mails(Standing):
    """Messages to people whose mail server runs meanwhile."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self._n = n
        self.port = 0
        self.messages: list[Message] = []

    @override
    def open(self, opening: ExitStack) -> None:
        self.port = opening.enter_context(serving(["-m", "bench.emailing"])).port
        self.messages = [
            Message(
                id=f"{number:032x}", at_ms=1_767_225_600_000, user_id="u", campaign="c", step="s",
                channel="email", to=f"user-{number}@example.org",
                front={"subject": f"Number {number}", "from": _SENDER},
                body=_BODY.replace("{}", str(number)), html=True,
            )
            for number in range(self._n)
        ]  # fmt: skip

    def taken(self) -> int:
        """How many mails have come since the last call."""
        with smtplib.SMTP("127.0.0.1", self.port) as client:
            return int(client.docmd("VRFY", "count")[1])


async def _each(
    messages: list[Message], deliverers: list[Callable[[Message], Awaitable[None]]]
) -> float:
    """Have them delivered by so many at a time; the seconds that it took."""
    waiting = iter(messages)

    async def work(deliver: Callable[[Message], Awaitable[None]]) -> None:
        for message in waiting:
            await deliver(message)

    laps = Laps()
    await asyncio.gather(*(deliver(messages[0]) for deliver in deliverers))  # connections are there
    with laps.running():
        await asyncio.gather(*map(work, deliverers))
    return laps.seconds


async def _ours(load: Mails) -> float:
    settings = EmailSettings(
        transport="smtp", host="127.0.0.1", port=load.port, concurrency=CONCURRENCY
    )
    channel = build_channels({"email": settings}, data=Path())["email"]

    async def deliver(message: Message) -> None:
        outcome = await channel.deliver(message)
        assert isinstance(outcome, Accepted), outcome

    seconds = await _each(load.messages, [deliver] * CONCURRENCY)
    await channel.aclose()
    return seconds


async def _reference(load: Mails) -> float:
    ready = {message.id: build_mail(message, _SENDER) for message in load.messages}
    clients = [
        SMTP(hostname="127.0.0.1", port=load.port, start_tls=False) for _ in range(CONCURRENCY)
    ]
    await asyncio.gather(*(client.connect() for client in clients))

    def by(client: SMTP) -> Callable[[Message], Awaitable[None]]:
        async def deliver(message: Message) -> None:
            mail = ready[message.id]
            await client.sendmail(mail.sender, [mail.recipient], mail.data)

        return deliver

    seconds = await _each(load.messages, [by(client) for client in clients])
    await asyncio.gather(*(client.quit() for client in clients))
    return seconds


class Emailing(Scenario[Mails]):
    """The channel `smtp` beside aiosmtplib alone."""

    name = "email"
    title = "mails a second, beside a bare aiosmtplib loop with ready-made mails"
    n = 1_000  # many short pairs: what disturbs the machine for seconds spoils both of a pair alike
    n_small = 200
    limit = 1.25
    repetitions = 21

    @override
    def prepare(self, n: int) -> Mails:
        return Mails(n)

    @override
    def reference(self, load: Mails) -> Run:
        return self._run(load, _reference)

    @override
    def ours(self, load: Mails) -> Run:
        return self._run(load, _ours)

    def _run(self, load: Mails, side: Callable[[Mails], Awaitable[float]]) -> Run:
        async def run() -> float:
            return await side(load)

        with asyncio.Runner(loop_factory=fastest_loop()) as runner:
            seconds = runner.run(run())
        return Run(seconds, load.taken())


SCENARIOS = (Emailing(),)


async def _serve() -> None:
    taken = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal taken
        writer.write(b"220 sink\r\n")
        while line := await reader.readline():
            match line[:4].upper():
                case b"EHLO":
                    writer.write(b"250-sink\r\n250 SIZE 1000000\r\n")
                case b"DATA":
                    writer.write(b"354 go on\r\n")
                    await reader.readuntil(b"\r\n.\r\n")
                    taken += 1
                    writer.write(b"250 taken\r\n")
                case b"VRFY":
                    writer.write(b"250 %d\r\n" % taken)
                    taken = 0
                case b"QUIT":
                    writer.write(b"221 bye\r\n")
                    break
                case _:
                    writer.write(b"250 OK\r\n")
        writer.close()

    with socket.create_server(("127.0.0.1", 0), backlog=256) as listening:
        server = await asyncio.start_server(serve, sock=listening, limit=1 << 20)
        settle_collector()
        print(f"events on http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
        await stop_on_signals().wait()
        server.close()


def main() -> None:
    """Be a mail server until SIGTERM."""
    with asyncio.Runner(loop_factory=fastest_loop()) as runner:
        runner.run(_serve())


if __name__ == "__main__":
    main()
