"""Whoever shuts down his sending hears what he has asked wholly; nobody else is waited for."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from engine.server import listen
from engine.server.patience import Patience
from tests.server.house import KEY, House
from tests.server.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from engine.server import Site

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /back HTTP/1.1\r\nHost: x\r\n"
WHOLE = POST + b"Content-Length: 3\r\n\r\nabc"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
NEVER_S = 1_000.0
Gate = asyncio.Event


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def serve(house: House, gate: Gate) -> AsyncIterator[Callable[[float], Awaitable[Site]]]:
    """Serves for as long as the test; with how long last answers may take."""
    sites: list[Site] = []

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="{}")

    async def answer_back(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    async def wait(_: web.Request) -> web.Response:
        await gate.wait()
        return web.Response(text="{}")

    async def stream(request: web.Request) -> web.StreamResponse:
        begun = web.StreamResponse()
        await begun.prepare(request)
        await begun.write(b"begun")
        await gate.wait()
        return begun

    async def started(last_s: float = NEVER_S) -> Site:
        app = web.Application()
        app.router.add_get("/", answer)
        app.router.add_post("/back", answer_back)
        app.router.add_get("/wait", wait)
        app.router.add_get("/stream", stream)
        patience = Patience(head_s=NEVER_S, idle_s=NEVER_S, write_s=NEVER_S, last_s=last_s)
        sites.append(await listen(app, "127.0.0.1", 0, log=house.log, patience=patience))
        return sites[-1]

    yield started
    gate.set()
    for site in sites:
        await site.aclose()


async def say_all(port: int, said: bytes) -> bytes:
    """All that is answered to who says all of it at once, and that he says no more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(said)
    writer.write_eof()
    answered = await reader.read()
    writer.close()
    return answered


@pytest.mark.parametrize("said", [GET, WHOLE, CHUNKED], ids=["no body", "a body", "chunks"])
async def test_a_whole_request_is_answered_and_the_connection_ends(
    serve: Callable[[], Awaitable[Site]], said: bytes
) -> None:
    site = await serve()
    for _ in range(20):
        answered = await say_all(site.port, said)
        assert answered.startswith(b"HTTP/1.1 200 ")
        assert answered.endswith(b"{}" if said == GET else b"abc")
    await until(lambda: site.open == 0)
    assert site.cut == 0


async def test_an_event_is_answered_once_it_is_durable(house: House) -> None:
    body = b'{"user_id": "u", "event": "E"}'
    head = f"POST /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
    house.store.gate.clear()
    said = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    answered = asyncio.create_task(say_all(house.site.port, said))
    await house.store.reached.wait()
    await until(lambda: all(one._ends for one in house.site._connections.open))
    assert not answered.done()
    house.store.gate.set()

    assert (await answered).endswith(b'{"accepted":1,"rejected":[]}')
    assert len(house.inputs) == 1


@pytest.mark.parametrize("count", [2, 9, 200])
async def test_all_requests_that_were_sent_are_answered(
    serve: Callable[[], Awaitable[Site]], count: int
) -> None:
    site = await serve()
    answered = await say_all(site.port, WHOLE * (count - 1) + GET)

    assert answered.count(b"HTTP/1.1 200 ") == count
    assert answered.endswith(b"{}")
    await until(lambda: site.open == 0)


async def test_requests_behind_one_under_way_are_answered_too(
    serve: Callable[[], Awaitable[Site]], gate: Gate
) -> None:
    site = await serve()
    answered = asyncio.create_task(say_all(site.port, GET.replace(b"/ ", b"/wait ") + 3 * GET))
    await until(lambda: any(one._ends for one in site._connections.open))
    gate.set()

    assert (await answered).count(b"HTTP/1.1 200 ") == 4


async def test_behind_whole_requests_a_part_of_one_is_dropped(
    serve: Callable[[], Awaitable[Site]],
) -> None:
    site = await serve()

    assert (await say_all(site.port, GET + GET[:20])).count(b"HTTP/1.1 200 ") == 1
    await until(lambda: site.open == 0)


@pytest.mark.parametrize(
    "said",
    [b"", GET[:20], POST + b"Content-Length: 9\r\n\r\nabc", CHUNKED[:-5], GET + WHOLE[:-1]],
    ids=["nothing", "head", "body", "chunks", "a second body"],
)
async def test_who_did_not_say_all_of_it_is_left_at_once(
    serve: Callable[[], Awaitable[Site]], said: bytes
) -> None:
    site = await serve()
    answered = await say_all(site.port, said)

    assert answered.count(b"HTTP/1.1 200 ") <= said.count(GET)
    await until(lambda: site.open == 0)


async def test_who_was_answered_and_says_no_more_is_left_at_once(
    serve: Callable[[], Awaitable[Site]],
) -> None:
    site = await serve()
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(GET)
    await reader.readuntil(b"{}")
    writer.write_eof()

    assert await reader.read() == b""
    writer.close()


async def test_an_answer_that_takes_too_long_is_not_waited_for(
    serve: Callable[[float], Awaitable[Site]],
) -> None:
    site = await serve(0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(GET.replace(b"/ ", b"/wait "))
    writer.write_eof()

    assert await reader.read() == b""
    await until(lambda: site.open == 0)
    assert site.cut == 1
    writer.close()


async def test_a_stream_ends_with_its_clients_last_word(
    serve: Callable[[], Awaitable[Site]],
) -> None:
    site = await serve()
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(GET.replace(b"/ ", b"/stream "))
    await reader.readuntil(b"begun")
    writer.write_eof()

    await until(lambda: site.open == 0)
    writer.close()


async def test_who_is_gone_holds_no_place_once_his_request_is_done(
    serve: Callable[[], Awaitable[Site]], gate: Gate, house: House
) -> None:
    site = await serve()
    for end in (socket.SHUT_WR, None):
        client = socket.create_connection(("127.0.0.1", site.port))
        client.sendall(GET.replace(b"/ ", b"/wait "))
        await until(lambda: site.open == 1)
        (ours,) = site._connections.open
        await until(lambda: ours.busy)  # noqa: B023 - of this turn
        if end is not None:
            client.shutdown(end)
            await until(lambda: ours._ends)  # noqa: B023
        client.close()
        await until(lambda: ours._ends)  # noqa: B023
        gate.set()
        await until(lambda: site.open == 0)
        gate.clear()

    assert not [one for one in house.lines.entries if one["log_level"] in {"error", "warning"}]
