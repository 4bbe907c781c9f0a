"""What hostile clients do to a port: each attack holds or repeats itself until it is told to stop.

The scenario `deadlines-hostile` uses them, and tests of what a port answers meanwhile.
"""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from bench.shop import WRITE_KEY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

HEAD: Final = (
    f"POST /events HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer {WRITE_KEY}\r\n".encode()
)
TRICKLE_S: Final = 0.2
EACH_S: Final = 0.1
"""How often an attack that is a request is repeated, on a connection of its own."""

HEAD_BYTES: Final = 1 << 20
DEPTH: Final = 200_000
BOMB_BYTES: Final = 64 << 20
EVENTS: Final = 100_000


class Attack:
    """What one port is under, and what it said to it.

    Attributes:
        port: On 127.0.0.1.
        said: How often each status was answered, by the attack; 0 where it was cut without a word.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.said: dict[str, Counter[int]] = {}
        self._under_way: list[asyncio.Task[None]] = []
        whole = b"[" + b",".join([b'{"user_id":"u","event":"E"}'] * EVENTS) + b"]"
        self._requests = {
            "bomb": _request(_bomb()),
            "deep": _request(_deep()),
            "many": _request(b"[" + b"{}," * EVENTS + b"{}]"),
            "whole": _request(whole),
            "huge head": HEAD + b"X-Much: " + b"a" * HEAD_BYTES + b"\r\n\r\n",
        }

    def begin(self, crowd: int) -> None:
        """Begin all of them; those that hold connections hold `crowd` each. Returns at once."""
        holding = {
            "slow heads": self._trickled(HEAD),
            "slow bodies": self._trickled(HEAD + b"Content-Length: 1000\r\n\r\n"),
            "half closed": self._half_closed,
            "idle": self._idle,
        }
        for name, hold in holding.items():
            self._under_way += [asyncio.create_task(self._held(name, hold)) for _ in range(crowd)]
        for name, request in self._requests.items():
            self._under_way.append(asyncio.create_task(self._repeated(name, request)))

    async def end(self) -> None:
        """Stop all of them."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        self._under_way.clear()

    def _note(self, name: str, answer: bytes) -> None:
        status = int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else 0
        self.said.setdefault(name, Counter())[status] += 1

    async def _held(
        self,
        name: str,
        hold: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bytes]],
    ) -> None:
        while True:
            writer = None
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                self._note(name, await hold(reader, writer))
            except OSError:
                self._note(name, b"")
            finally:
                if writer is not None:
                    writer.close()
            await asyncio.sleep(TRICKLE_S)

    def _trickled(
        self, begun: bytes
    ) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bytes]]:
        async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
            writer.write(begun)
            answer = asyncio.ensure_future(reader.read(100))
            try:
                while not (await asyncio.wait({answer}, timeout=TRICKLE_S))[0]:
                    writer.write(b"x")
                return answer.result()
            finally:
                answer.cancel()

        return hold

    async def _half_closed(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bytes:
        writer.write(HEAD + b"Content-Length: 1000\r\n\r\nabc")
        writer.write_eof()
        return await reader.read(100)

    async def _idle(self, reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> bytes:
        return await reader.read(100)

    async def _repeated(self, name: str, request: bytes) -> None:
        while True:
            answer = b""
            with suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                try:
                    writer.write(request)
                    with suppress(OSError):  # it says no before it has all of it
                        await writer.drain()
                    answer = await reader.read(100)
                finally:
                    writer.close()
            self._note(name, answer)
            await asyncio.sleep(EACH_S)


def _request(body: bytes) -> bytes:
    return HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body


def _bomb() -> bytes:
    """Zeros without end: 64 KiB that unpack to 64 MiB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    piece = bytes(1 << 20)
    packed = b"".join([packer.compress(piece) for _ in range(BOMB_BYTES >> 20)]) + packer.flush()
    assert packed.startswith(gzip.compress(b"")[:2])
    return packed


def _deep() -> bytes:
    inner = b"[" * DEPTH + b"]" * DEPTH
    return b'{"user_id":"u","event":"E","properties":{"a":' + inner + b"}}"
