"""`GET /api/users/{id}/explain`: why a user came into a campaign, did not, or when he will."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.runtime.admin.explaining import Explaining, Inexplicable
from engine.runtime.admin.past import PlanUnreadable
from engine.server.answers import Refusal, answer_json, in_one_line
from engine.server.queries import instant_asked

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web
    from aiohttp.typedefs import Handler

    from engine.server.admin.operating import House

_STATUS = {"explain.instant": 400}
_NOT_FOUND = 404


def explain_handler(enter: Callable[[web.Request], House]) -> Handler:
    """The handler; `enter` asks for the key and gives the house."""

    async def explain(request: web.Request) -> web.StreamResponse:
        house, user_id = enter(request), request.match_info["id"]
        campaign_id = request.query.get("campaign", "")
        if not campaign_id:
            raise Refusal(400, "query.invalid", "say which campaign: ?campaign=ID")
        at_ms = instant_asked(request, "at")
        explaining = Explaining.running(house.store, house.processor)
        try:
            told = await explaining.explain(
                user_id, campaign_id, now_ms=house.clock.now_ms(), at_ms=at_ms
            )
        except (Inexplicable, PlanUnreadable) as error:
            status = _STATUS.get(error.code, _NOT_FOUND)
            raise Refusal(status, error.code, in_one_line(error)) from error
        return answer_json(told)

    return explain
