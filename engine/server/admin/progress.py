"""Answers to work that takes long: the result, and to whoever asks for lines how it comes along."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from engine.errors import HairspringError
from engine.runtime.inbox import Unavailable
from engine.server.answers import Refusal, answer_json, in_one_line
from engine.server.edge import begin_answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import web

    _Working: TypeAlias = asyncio.Future[msgspec.Struct | msgspec.Raw]

NDJSON = "application/x-ndjson"

TOLD_EVERY_S = 0.25
"""How often long work says how it comes along."""

_encode = msgspec.json.Encoder().encode


Work: TypeAlias = Callable[[Callable[[int, int], None]], Awaitable[msgspec.Struct | msgspec.Raw]]
"""It is told whom to tell how it comes along."""


async def tell_long(request: web.Request, work: Work) -> web.StreamResponse:
    """Have `work` done: whoever asks for lines is told in them how it comes along.

    Everybody else gets one JSON document, and of what failed a problem, as of any other route.
    Where whoever asked goes away, the work is cancelled.

    Raises Refusal (422) for work that failed, and Unavailable.
    """
    if NDJSON in request.headers.get("Accept", ""):
        return await _in_lines(request, work)
    async with _under_way(work, lambda *_: None) as working:
        while not await _is_done(working):
            if request.transport is None:
                raise ConnectionResetError
        try:
            return answer_json({"result": working.result()})
        except Unavailable:
            raise
        except HairspringError as error:
            raise Refusal(422, error.code, in_one_line(error)) from error


async def _in_lines(request: web.Request, work: Work) -> web.StreamResponse:
    at = (0, 1)

    def told(done: int, total: int) -> None:
        nonlocal at  # set on another thread, as one object
        at = (done, total)

    answer = await begin_answer(request, NDJSON)
    async with _under_way(work, told) as working:
        while not await _is_done(working):
            await answer.write(_encode({"done": at[0], "total": at[1]}) + b"\n")
        try:
            last: dict[str, object] = {"result": working.result()}
        except HairspringError as error:
            last = {"error": {"code": error.code, "message": error.message, "hint": error.hint}}
        await answer.write(_encode(last) + b"\n")
    await answer.write_eof()
    return answer


@asynccontextmanager
async def _under_way(work: Work, told: Callable[[int, int], None]) -> AsyncIterator[_Working]:
    working = asyncio.ensure_future(work(told))
    try:
        yield working
    finally:
        if not working.done():
            working.cancel()
            await asyncio.wait({working})


async def _is_done(working: _Working) -> bool:
    """Waits for a while."""
    return bool((await asyncio.wait({working}, timeout=TOLD_EVERY_S))[0])
