"""Work that takes long, over a real socket, and whoever does not wait for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from engine.server import listen
from engine.server.admin.progress import tell_long

if TYPE_CHECKING:
    from collections.abc import Callable

    import msgspec

    from tests.server.house import House


@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson"])
async def test_work_ends_with_the_connection_of_whoever_asked(house: House, accept: str) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def work(_: Callable[[int, int], None]) -> msgspec.Raw:
        begun.set()
        try:
            return await asyncio.get_running_loop().create_future()
        finally:
            ended.set()

    async def handle(request: web.Request) -> web.StreamResponse:
        return await tell_long(request, work)

    app = web.Application()
    app.router.add_get("/", handle)
    async with await listen(app, "127.0.0.1", 0, log=house.log) as site:
        _, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(f"GET / HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n\r\n".encode())
        await begun.wait()
        writer.close()
        await ended.wait()
