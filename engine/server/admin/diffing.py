"""`POST /api/diff`: what would come of a changed shop, told before it is taken on."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from config import ContentInvalid, ShopInvalid, decode_content, load_shop
from engine.runtime.admin.diffing import Diffing
from engine.runtime.aside import aside
from engine.runtime.reloading import restart_needed
from engine.server.admin.progress import tell_long
from engine.server.admin.reloading import nowhere, shop_refused
from engine.server.answers import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web
    from aiohttp.typedefs import Handler

    from config import Shop
    from engine.server.admin.operating import House


def diff_handler(enter: Callable[[web.Request], House]) -> Handler:
    """The route's handler; `enter` admits who may operate.

    The body is the content of a shop, as `hairspring diff` sends it; an empty one asks about the
    folder that the process runs.
    """

    async def diff(request: web.Request) -> web.StreamResponse:
        house = enter(request)
        if house.reloading is None:
            raise nowhere()
        reloading = house.reloading
        body = await request.read()
        try:
            shop = await (aside(partial(_read, body)) if body else reloading.read())
        except ShopInvalid as invalid:
            raise shop_refused(invalid) from invalid
        except ContentInvalid as invalid:
            raise Refusal(400, "body.invalid", invalid.message) from invalid
        await house.shell.durable()  # the plan in force is in the store then
        differing = restart_needed(reloading.settings, shop.settings)
        return await tell_long(
            request,
            lambda told: Diffing(house.store, house.processor, told).diff(
                shop, house.clock.now_ms, differing
            ),
        )

    return diff


def _read(content: bytes) -> Shop:
    """On a thread: reading some hundred campaigns takes longer than a deadline may."""
    return load_shop(decode_content(content), env=os.environ)
