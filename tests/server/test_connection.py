"""A request is under way from the moment it is taken, whichever turn of the loop it begins in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from engine.server import listen
from tests.server.waiting import until

if TYPE_CHECKING:
    from engine.server import Site
    from tests.server.house import House

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n"
TURNS = range(6)


async def serve(house: House) -> Site:
    async def answer_back(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    app = web.Application()
    app.router.add_post("/", answer_back)
    return await listen(app, "127.0.0.1", 0, log=house.log)


@pytest.mark.parametrize("turns", TURNS)
async def test_a_request_that_was_read_is_answered_whenever_the_port_closes(
    house: House, turns: int
) -> None:
    site = await serve(house)
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    await until(lambda: site.open == 1)
    (ours,) = site._connections.open
    writer.write(HEAD + b"abc")
    await until(lambda: ours._request_count == 1)
    for _ in range(turns):
        await asyncio.sleep(0)
    await site.aclose()

    assert (await reader.read()).endswith(b"abc")
    writer.close()


@pytest.mark.parametrize("turns", TURNS)
async def test_the_rest_of_a_body_is_nobodys_head_whenever_it_comes(
    house: House, turns: int
) -> None:
    site = await serve(house)
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    await until(lambda: site.open == 1)
    (ours,) = site._connections.open
    writer.write(HEAD)
    await until(lambda: ours._request_count == 1)
    for _ in range(turns):
        await asyncio.sleep(0)
    ours.data_received(b"abc")
    awaited = dict(site._connections._heads.ends_s)

    assert (await reader.readuntil(b"abc")).startswith(b"HTTP/1.1 200 ")
    assert not awaited
    writer.close()
    await site.aclose()
