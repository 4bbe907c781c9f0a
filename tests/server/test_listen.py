"""Sockets: ports, faults below HTTP, and stopping."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiohttp import web

from engine.errors import ServeError
from engine.server import listen

if TYPE_CHECKING:
    from tests.server.house import House


async def test_port_0_is_a_free_port(house: House) -> None:
    assert 0 < house.site.port < 65_536
    assert house.site.port != house.admin.port
    assert f"http://127.0.0.1:{house.site.port}" == house.site.url


async def test_a_port_in_use_is_said_with_what_to_do(house: House) -> None:
    with pytest.raises(ServeError) as caught:
        await listen(web.Application(), "127.0.0.1", house.site.port)

    assert caught.value.code == "serve.port"
    assert f"port {house.site.port} on 127.0.0.1 is in use" == caught.value.message
    assert "--port" in caught.value.hint


async def test_an_address_that_is_not_ours_is_said() -> None:
    with pytest.raises(ServeError) as caught:
        await listen(web.Application(), "192.0.2.1", 0)

    assert caught.value.code == "serve.host"
    assert "--host" in caught.value.hint


async def refused(port: int) -> None:
    """Return once nobody listens there any more."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return
        writer.close()
        await writer.wait_closed()


async def test_closing_lets_a_request_under_way_end() -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_: web.Request) -> web.Response:
        started.set()
        await go_on.wait()
        return web.Response(text="done")

    app = web.Application()
    app.router.add_get("/", slow)
    site = await listen(app, "127.0.0.1", 0)

    async def ask() -> str:
        async with aiohttp.ClientSession() as client, client.get(site.url) as answer:
            return await answer.text()

    asking = asyncio.create_task(ask())
    await started.wait()
    closing = asyncio.create_task(site.aclose())
    await refused(site.port)
    assert not closing.done()

    go_on.set()
    await closing

    assert await asking == "done"


async def test_closing_twice_is_closing_once(house: House) -> None:
    await house.site.aclose()
    await house.site.aclose()


async def test_what_is_no_http_is_answered_400_and_logged_without_it(house: House) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", house.site.port)
    writer.write(b"secret nonsense\r\n\r\n")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()

    assert b" 400 " in answer.splitlines()[0]
    (line,) = house.lines.entries
    assert (line["event"], line["log_level"]) == ("http.malformed", "debug")
    assert "secret" not in repr(line)
    assert "127.0.0.1" not in repr(line)


async def test_a_head_that_does_not_come_is_cut(house: House) -> None:
    app = web.Application()
    async with await listen(app, "127.0.0.1", 0, log=house.log, idle_s=0.05) as site:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(b"GET / HTTP/1.1\r\nHost:")

        assert await reader.read() == b""

        writer.close()
        await writer.wait_closed()
