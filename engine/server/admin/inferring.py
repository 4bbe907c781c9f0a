"""`GET /api/plan/infer`: a tracking plan that fits what the archive has."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from engine.runtime.admin.inferring import infer
from engine.server.admin.progress import tell_long

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web
    from aiohttp.typedefs import Handler

    from engine.server.admin.operating import House


def infer_handler(enter: Callable[[web.Request], House]) -> Handler:
    """The handler; `enter` asks for the key and gives the house."""

    async def propose(request: web.Request) -> web.StreamResponse:
        return await tell_long(request, partial(infer, enter(request).store))

    return propose
