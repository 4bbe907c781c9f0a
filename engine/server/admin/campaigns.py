"""`GET /api/campaigns`: how campaigns do, in a list, and each with its steps and experiments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.runtime.admin.performance import HOURS, HOURS_MAX
from engine.server.answers import Refusal, answer_json
from engine.server.queries import whole_number_asked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiohttp import web
    from aiohttp.typedefs import Handler

    from engine.runtime.admin.performance import Performance
    from engine.server.admin.operating import House


def campaign_handlers(
    enter: Callable[[web.Request], House],
) -> Mapping[str, Mapping[str, Handler]]:
    """By path, its methods and their handlers; `enter` asks for the key and gives the house."""

    async def listed(request: web.Request) -> web.StreamResponse:
        house = enter(request)
        hours = whole_number_asked(request, "hours", HOURS, 1, HOURS_MAX)
        return answer_json((await performance(house)).campaigns(hours))

    async def show(request: web.Request) -> web.StreamResponse:
        house, campaign_id = enter(request), request.match_info["id"]
        hours = whole_number_asked(request, "hours", HOURS, 1, HOURS_MAX)
        told = (await performance(house)).campaign(campaign_id, hours)
        if told is None:
            message = f"there is no campaign {campaign_id[:100]!r} in the shop"
            raise Refusal(404, "campaign.unknown", message)
        return answer_json(told)

    async def performance(house: House) -> Performance:
        assert house.overview is not None, "whoever serves has one"
        return await house.overview.performance()

    return {"/api/campaigns": {"GET": listed}, "/api/campaigns/{id}": {"GET": show}}
