"""A connection that ends, however it does, leaves nothing that only the collector would free.

What is cyclic and was frozen while it was in use stays for ever (`engine.runtime.memory`), so that
whoever makes connections end that way would fill the memory.
"""

from __future__ import annotations

import asyncio
import gc
import socket
import struct
from collections import Counter
from typing import TYPE_CHECKING

import msgspec
import pytest
from aiohttp import web

from engine.server import Limits, Patience, listen
from engine.server.bodies import read_body
from engine.server.edge import Edge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from aiohttp.typedefs import Handler
    from structlog.typing import FilteringBoundLogger

    from engine.server import Site
    from tests.server.house import House

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\n"
WHOLE = POST + b"Content-Length: 3\r\n\r\nabc"
BEGUN = POST + b"Content-Length: 1000\r\n\r\nabc"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
RESET = struct.pack("ii", 1, 0)
EACH = 5
MEGABYTES = 8


class Visit(msgspec.Struct, frozen=True):
    """What a client sends, and how it ends; where nothing is said, it waits until it is cut."""

    sends: bytes
    later: bytes = b""
    reads: bool = False
    half_closes: bool = False
    leaves: bool = False
    resets: bool = False


VISITS = {
    "answered, then idle": Visit(GET),
    "answered, then slow": Visit(GET + b"GET /"),
    "answered, then left": Visit(WHOLE, reads=True, leaves=True),
    "answered, then reset": Visit(WHOLE, reads=True, resets=True),
    "left before the answer": Visit(WHOLE, leaves=True),
    "silent": Visit(b""),
    "slow head": Visit(POST),
    "slow body": Visit(BEGUN),
    "half closed head": Visit(POST, half_closes=True),
    "half closed body": Visit(BEGUN, half_closes=True),
    "half closed request": Visit(WHOLE, half_closes=True),
    "half closed requests": Visit(9 * WHOLE, half_closes=True),
    "half closed, and a part of another": Visit(WHOLE + BEGUN, half_closes=True),
    "half closed, and left": Visit(WHOLE, half_closes=True, leaves=True),
    "half closed, and never answered": Visit(GET.replace(b"/ ", b"/never "), half_closes=True),
    "half closed, and a fault": Visit(GET.replace(b"/ ", b"/fault "), half_closes=True),
    "half closed, and no request": Visit(WHOLE + b"\x00\r\n\r\n", half_closes=True),
    "half closed, much, and not read": Visit(GET.replace(b"/ ", b"/much "), half_closes=True),
    "left in a head": Visit(POST, leaves=True),
    "left in a body": Visit(BEGUN, leaves=True),
    "left in a chunk": Visit(CHUNKED, leaves=True),
    "reset in a body": Visit(BEGUN, resets=True),
    "left with requests waiting": Visit(BEGUN, later=b"x" * 997 + 9 * WHOLE, leaves=True),
    "no request": Visit(b"\x16\x03\x01 hello\r\n\r\n"),
    "no request after some": Visit(9 * WHOLE + b"\x00\r\n\r\n"),
    "no chunk": Visit(CHUNKED, later=b"no\r\n"),
    "long head": Visit(POST + b"X-Much: " + b"a" * (64 << 10)),
    "upgrade to nothing": Visit(GET[:-2] + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\nabc"),
    "too much announced": Visit(POST + b"Content-Length: 10000000\r\n\r\nabc"),
    "no such method": Visit(b"PUT / HTTP/1.1\r\nHost: x\r\n\r\n"),
    "much, and not read": Visit(GET.replace(b"/ ", b"/much ")),
    "much, and reset": Visit(GET.replace(b"/ ", b"/much "), resets=True),
    "piecewise, and not read": Visit(GET.replace(b"/ ", b"/pieces ")),
    "piecewise, and reset": Visit(GET.replace(b"/ ", b"/pieces "), resets=True),
    "a fault": Visit(GET.replace(b"/ ", b"/fault ")),
    "a fault after the answer began": Visit(GET.replace(b"/ ", b"/late-fault ")),
}


async def answer(_: web.Request) -> web.Response:
    return web.Response(text="{}")


async def take(request: web.Request) -> web.Response:
    await read_body(request, Limits(body_within_s=0.1))
    return web.Response(text="{}")


async def answer_much(_: web.Request) -> web.Response:
    return web.Response(body=b"." * (MEGABYTES << 20))


async def answer_in_pieces(request: web.Request) -> web.StreamResponse:
    begun = web.StreamResponse()
    await begun.prepare(request)
    for _ in range(MEGABYTES):
        await begun.write(b"." * (1 << 20))
    return begun


async def never_answer(request: web.Request) -> web.Response:
    while request.transport is not None:
        await asyncio.sleep(0)
    return web.Response()


async def fail(_: web.Request) -> web.Response:
    raise LookupError("a fault")


async def fail_late(request: web.Request) -> web.Response:
    await web.StreamResponse().prepare(request)
    raise LookupError("a fault")


def make_app(log: FilteringBoundLogger) -> web.Application:
    edge, app = Edge(log, "test"), web.Application()
    edge.add_resource(app, "/", {"GET": answer, "POST": take})
    answers: dict[str, Handler] = {"/much": answer_much, "/pieces": answer_in_pieces}
    edge.add_routes(
        app, "GET", answers | {"/never": never_answer, "/fault": fail, "/late-fault": fail_late}
    )
    edge.close(app)
    return app


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0)


async def until_idle(site: Site) -> None:
    """Until nobody is there any more, and nothing works for one who was."""
    connections = site._connections
    await until(lambda: not connections.open and not connections.leaving)
    server = site._runner.server
    assert server is not None
    await until(lambda: not server.connections)
    for _ in range(3):  # what was called back by then is let go a turn of the loop later
        await asyncio.sleep(0)


async def pay(visit: Visit, site: Site) -> socket.socket:
    """One visit, until the client has done its part."""
    loop = asyncio.get_running_loop()
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    seen = set(site._connections.open)
    turned_away = site.turned_away
    await loop.sock_connect(client, ("127.0.0.1", site.port))
    await until(
        lambda: bool(site._connections.open.keys() - seen) or site.turned_away > turned_away
    )
    await loop.sock_sendall(client, visit.sends)
    ours = next(iter(site._connections.open.keys() - seen), None)
    if ours is None:
        return client
    if visit.later or visit.leaves or visit.resets:
        await until(lambda: ours.busy or ours._begun)
    if visit.reads:
        assert await loop.sock_recv(client, 1) == b"H"
    if visit.later:
        await loop.sock_sendall(client, visit.later)
    if visit.half_closes:
        client.shutdown(socket.SHUT_WR)
    if visit.resets:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    if visit.leaves or visit.resets:
        client.close()
    return client


async def left_by(visit: Visit, site: Site) -> Counter[str]:
    """What it leaves to the collector, by type."""
    first = await pay(visit, site)  # fills caches
    await until_idle(site)
    first.close()
    gc.collect()
    gc.disable()
    try:
        clients = [await pay(visit, site) for _ in range(EACH)]
        await until_idle(site)
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        found = Counter(type(one).__name__ for one in gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    for client in clients:
        client.close()
    return found


@pytest.fixture
async def site(house: House) -> AsyncIterator[Site]:
    patience = Patience(head_s=0.1, idle_s=0.1, write_s=0.1, last_s=0.1)
    async with await listen(
        make_app(house.log), "127.0.0.1", 0, log=house.log, patience=patience
    ) as site:
        yield site


@pytest.mark.parametrize("how", VISITS)
async def test_a_connection_that_ended_leaves_nothing_to_the_collector(
    site: Site, how: str
) -> None:
    assert await left_by(VISITS[how], site) == {}


async def test_a_connection_that_was_turned_away_leaves_nothing_to_the_collector(
    house: House,
) -> None:
    async with await listen(
        make_app(house.log), "127.0.0.1", 0, log=house.log, connections_max=0
    ) as site:
        assert await left_by(Visit(GET), site) == {}
        assert site.turned_away == 1 + EACH
