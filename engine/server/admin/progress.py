"""Answers to work that takes long: lines of JSON, how it comes along and then the result."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from engine.errors import HairspringError
from engine.server.edge import begin_answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

NDJSON = "application/x-ndjson"

TOLD_EVERY_S = 0.25
"""How often long work says how it comes along."""

_encode = msgspec.json.Encoder().encode


async def tell_long(
    request: web.Request,
    work: Callable[[Callable[[int, int], None]], Awaitable[msgspec.Struct | msgspec.Raw]],
) -> web.StreamResponse:
    """Have `work` done and say in lines how it comes along; it is told whom to tell.

    Where whoever asked goes away, the work is cancelled.
    """
    at = (0, 1)

    def told(done: int, total: int) -> None:
        nonlocal at  # set on another thread, as one object
        at = (done, total)

    answer = await begin_answer(request, NDJSON)
    working = asyncio.ensure_future(work(told))
    try:
        while not (await asyncio.wait({working}, timeout=TOLD_EVERY_S))[0]:
            await answer.write(_encode({"done": at[0], "total": at[1]}) + b"\n")
        try:
            last: dict[str, object] = {"result": working.result()}
        except HairspringError as error:
            last = {"error": {"code": error.code, "message": error.message, "hint": error.hint}}
        await answer.write(_encode(last) + b"\n")
    finally:
        if not working.done():
            working.cancel()
            await asyncio.wait({working})
    await answer.write_eof()
    return answer
