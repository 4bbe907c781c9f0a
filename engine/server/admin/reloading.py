"""`POST /api/reload`: a changed shop is taken on; one with faults is refused with all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config import ShopInvalid
from engine.server.answers import Fault, Refusal, answer_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web
    from aiohttp.typedefs import Handler

    from config import Fault as ShopFault
    from engine.server.admin.operating import House


def reload_handler(enter: Callable[[web.Request], House]) -> Handler:
    """The route's handler; `enter` admits who may operate."""

    async def reload(request: web.Request) -> web.Response:
        reloading = enter(request).reloading
        if reloading is None:
            raise nowhere()
        try:
            return answer_json(await reloading.reload())
        except ShopInvalid as invalid:
            raise shop_refused(invalid) from invalid

    return reload


def nowhere() -> Refusal:
    """The answer where there is no folder."""
    message = "this shop is in no folder to be read again; start the process anew"
    return Refusal(409, "reload.nowhere", message)


def shop_refused(invalid: ShopInvalid) -> Refusal:
    """The answer to a shop with faults: all of them."""
    count = len(invalid.faults)
    return Refusal(
        422,
        "shop.invalid",
        f"the shop has {count} fault{'' if count == 1 else 's'} and stays as it was",
        faults=[_told(fault) for fault in invalid.faults],
    )


def _told(fault: ShopFault) -> Fault:
    hint = f"; {fault.hint}" if fault.hint else ""
    return Fault(f"{fault.path}:{fault.line}", f"{fault.message}{hint}")
