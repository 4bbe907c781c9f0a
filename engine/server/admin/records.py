"""`GET /api/records`: what happened, record by record, as a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, get_args

from aiohttp import web

from engine.core.effects import Kind
from engine.runtime.admin.listing import Chosen, listed
from engine.server.answers import Refusal
from engine.server.queries import whole_number_asked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiohttp.typedefs import Handler

    from engine.runtime.admin.listing import Form
    from engine.server.admin.operating import House

NUMBER_MAX: Final = 1 << 62

KINDS: Final = frozenset(get_args(Kind))
"""All there are; refusals are counted, and none is kept."""


def record_handlers(enter: Callable[[web.Request], House]) -> Mapping[str, Mapping[str, Handler]]:
    """By path, its methods and their handlers; `enter` asks for the key and gives the house."""

    def handler(form: Form, content_type: str) -> Handler:
        async def show(request: web.Request) -> web.StreamResponse:
            house = enter(request)
            pieces = listed(house.store, _chosen(request), form)
            return web.Response(body=pieces, headers={"Content-Type": content_type})

        return show

    return {
        "/api/records.csv": {"GET": handler("csv", "text/csv; charset=utf-8")},
        "/api/records.ndjson": {"GET": handler("ndjson", "application/x-ndjson")},
    }


def _chosen(request: web.Request) -> Chosen:
    kinds = tuple(request.query.getall("kind", ()))
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        message = f"kind: {unknown[0][:50]!r} is none of {', '.join(sorted(KINDS))}"
        raise Refusal(400, "query.invalid", message)
    after = whole_number_asked(request, "after", 0, 0, NUMBER_MAX)
    return Chosen(request.query.get("campaign"), kinds, after)
