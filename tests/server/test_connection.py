"""A request is under way from the moment it is taken, whichever turn of the loop it begins in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

import pytest
from aiohttp import web

from engine.server import listen
from tests.server.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from engine.server import Site
    from engine.server.connection import Connection
    from tests.server.house import House

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n"
TURNS = range(6)


class Begun(NamedTuple):
    """A request of which something was read, and its connection as either end has it."""

    site: Site
    ours: Connection
    reader: asyncio.StreamReader


@pytest.fixture
async def begin(house: House) -> AsyncIterator[Callable[[bytes, int], Awaitable[Begun]]]:
    """Begins one of a server that answers bodies back, and lets so many turns pass."""
    writers: list[asyncio.StreamWriter] = []

    async def answer_back(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    app = web.Application()
    app.router.add_post("/", answer_back)
    site = await listen(app, "127.0.0.1", 0, log=house.log)

    async def begun(said: bytes, turns: int) -> Begun:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writers.append(writer)
        await until(lambda: site.open == 1)
        (ours,) = site._connections.open
        writer.write(said)
        await until(lambda: ours._request_count == 1)
        for _ in range(turns):
            await asyncio.sleep(0)
        return Begun(site, ours, reader)

    yield begun
    for writer in writers:
        writer.close()
    await site.aclose()


@pytest.mark.parametrize("turns", TURNS)
async def test_a_request_that_was_read_is_answered_whenever_the_port_closes(
    begin: Callable[[bytes, int], Awaitable[Begun]], turns: int
) -> None:
    begun = await begin(HEAD + b"abc", turns)
    await begun.site.aclose()

    assert (await begun.reader.read()).endswith(b"abc")


@pytest.mark.parametrize("turns", TURNS)
async def test_the_rest_of_a_body_is_nobodys_head_whenever_it_comes(
    begin: Callable[[bytes, int], Awaitable[Begun]], turns: int
) -> None:
    begun = await begin(HEAD, turns)
    begun.ours.data_received(b"abc")
    awaited = dict(begun.site._connections._heads.ends_s)

    assert (await begun.reader.readuntil(b"abc")).startswith(b"HTTP/1.1 200 ")
    assert not awaited
