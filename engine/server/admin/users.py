"""What operators ask of one user: his state, his timeline, why, all that is held, and erasure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from engine.core.state import NEVER
from engine.runtime.admin import dossier
from engine.runtime.admin.previewing import snapshot_of
from engine.server.admin.explaining import explain_handler
from engine.server.answers import JSON, Refusal, answer_json
from engine.server.queries import instant_asked, whole_number_asked
from engine.store import holdings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiohttp.typedefs import Handler

    from engine.core.state import User
    from engine.runtime.erasing import Erased
    from engine.server.admin.operating import House

TIMELINE_LIMIT = 1_000
"""Lines of a timeline, unless asked for more or fewer."""


def user_handlers(enter: Callable[[web.Request], House]) -> Mapping[str, Mapping[str, Handler]]:
    """By path, its methods and their handlers; `enter` asks for the key and gives the house."""

    async def show(request: web.Request) -> web.StreamResponse:
        house = enter(request)
        return answer_json(dossier.told_state(_known(request, house), house.processor.plan))

    async def snapshot(request: web.Request) -> web.StreamResponse:
        house = enter(request)
        return answer_json(snapshot_of(_known(request, house), house.processor.plan))

    async def timeline(request: web.Request) -> web.StreamResponse:
        house, user_id = enter(request), request.match_info["id"]
        limit, before_ms = _window(request)
        if user_id not in house.processor:
            raise unknown_user(user_id)
        ids = house.processor.ids_of(user_id)
        lines = await dossier.timeline(house.store, *ids, limit=limit, before_ms=before_ms)
        return answer_json({"user_id": ids[0], "timeline": lines})

    async def export(request: web.Request) -> web.StreamResponse:
        return await export_user(enter(request), request.match_info["id"])

    async def erase(request: web.Request) -> web.StreamResponse:
        erased = await erase_user(enter(request), request.match_info["id"])
        return answer_json(msgspec.to_builtins(erased))

    return {
        "/api/users/{id}": {"GET": show, "DELETE": erase},
        "/api/users/{id}/snapshot": {"GET": snapshot},
        "/api/users/{id}/timeline": {"GET": timeline},
        "/api/users/{id}/explain": {"GET": explain_handler(enter)},
        "/api/users/{id}/export": {"GET": export},
    }


def _known(request: web.Request, house: House) -> User:
    """The user whom the path names. Raises Refusal for nobody."""
    user_id = request.match_info["id"]
    user = house.processor.find(user_id)
    if user is None:
        raise unknown_user(user_id)
    return user


async def export_user(house: House, user_id: str) -> web.Response:
    """Everything that is held of a user, in pieces. Raises Refusal (404) for nobody."""
    user, ids = house.processor.find(user_id), house.processor.ids_of(user_id)
    # Who was refused at the door is no user, and may ask what is kept of that all the same.
    if user is None and not await holdings.quarantined_of(house.store, user_id):
        raise unknown_user(user_id)
    pieces = dossier.export(
        house.store, house.erasing.outbox, ids, user, made_at_ms=house.clock.now_ms()
    )
    return web.Response(body=pieces, headers={"Content-Type": JSON})


async def erase_user(house: House, user_id: str) -> Erased:
    """Erase all that is held of a user; what went. Raises Refusal: 404 for nobody."""
    if not house.erasing.is_unfinished(user_id) and (
        user_id not in house.processor and not await holdings.quarantined_of(house.store, user_id)
    ):
        raise unknown_user(user_id)
    try:
        return await house.erasing.erase(user_id)
    except OSError as error:
        message = (
            f"a file of the transport file cannot be written: {error.strerror}; see that the "
            "data folder can be written and has room, and erase him once more"
        )
        raise Refusal(500, "erase.files", message) from error


def _window(request: web.Request) -> tuple[int, int]:
    limit = whole_number_asked(request, "limit", TIMELINE_LIMIT, 1, dossier.TIMELINE_MAX)
    before_ms = instant_asked(request, "before")
    return limit, NEVER if before_ms is None else before_ms


def unknown_user(user_id: str) -> Refusal:
    """What to say of an id that is nobody's."""
    message = f"there is no user {user_id[:100]!r}; ids are taken letter by letter"
    return Refusal(404, "user.unknown", message)
