"""Sockets: ports, faults below HTTP, and stopping."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiohttp import web

from engine.errors import ServeError
from engine.server import bind, listen, serve

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


async def test_closing_cuts_what_does_not_end_in_time() -> None:
    started = asyncio.Event()

    async def endless(_: web.Request) -> web.Response:
        started.set()
        await asyncio.Event().wait()
        raise AssertionError

    app = web.Application()
    app.router.add_get("/", endless)
    site = await listen(app, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await started.wait()

    async with asyncio.timeout(5):
        await site.aclose(0.05)
        assert (await reader.read()).startswith(b"HTTP/1.1 503 ")
    assert site.open == 0
    writer.close()


async def test_closing_does_not_wait_for_who_asks_nothing(house: House) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", house.site.port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readuntil(b"}")
    async with asyncio.timeout(5):
        await house.site.aclose(60)
        assert await reader.read() == b""
    writer.close()


async def test_an_address_that_is_bound_refuses_clients_until_it_is_served() -> None:
    bound = await bind("127.0.0.1", 0)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", bound.port)

    async with await serve(web.Application(), bound) as site:
        assert site.port == bound.port
        _, writer = await asyncio.open_connection("127.0.0.1", bound.port)
        writer.close()


async def test_all_addresses_of_a_name_share_one_port() -> None:
    bound = await bind("localhost", 0)

    assert {own.getsockname()[1] for own in bound.sockets} == {bound.port}
    bound.close()


async def test_an_admin_port_in_use_names_its_setting(house: House) -> None:
    with pytest.raises(ServeError) as caught:
        await bind("127.0.0.1", house.site.port, name="admin port", port_option="server.admin_port")

    assert caught.value.message == f"admin port {house.site.port} on 127.0.0.1 is in use"
    assert caught.value.hint.endswith("server.admin_port")
