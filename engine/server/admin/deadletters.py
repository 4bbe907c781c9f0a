"""Dead letters: what could not be delivered, told to operators, and delivered after all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.runtime.delivery.letters import LISTED, LISTED_MAX, Chosen, page, retry
from engine.server.admin.progress import tell_long
from engine.server.answers import Refusal, answer_json
from engine.server.forms import EVERYTHING, read_form
from engine.server.queries import whole_number_asked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiohttp import web
    from aiohttp.typedefs import Handler

    from engine.server.admin.operating import House


def deadletter_handlers(
    enter: Callable[[web.Request], House],
) -> Mapping[str, Mapping[str, Handler]]:
    """By path, its methods and their handlers; `enter` asks for the key and gives the house."""

    async def tell(request: web.Request) -> web.StreamResponse:
        house = enter(request)
        limit = whole_number_asked(request, "limit", LISTED, 1, LISTED_MAX)
        after = whole_number_asked(request, "after", 0, 0, (1 << 63) - 1)
        query = request.query
        chosen = Chosen(campaign=query.get("campaign"), channel=query.get("channel"))
        return answer_json(await page(house.store, chosen, limit=limit, after=after))

    async def try_again(request: web.Request) -> web.StreamResponse:
        house = enter(request)
        chosen = await read_form(request, Chosen, EVERYTHING)
        if not chosen.is_clear:
            message = (
                'say which: {"ids": […]}, {"campaign": "…", "channel": "…"} (one or both), '
                'or {"all": true}, as no body does'
            )
            raise Refusal(400, "body.invalid", message)
        return await tell_long(
            request,
            lambda told: retry(house.store, house.shell, house.processor, chosen, told),
        )

    return {
        "/api/deadletters": {"GET": tell},
        "/api/deadletters/retry": {"POST": try_again},
    }
