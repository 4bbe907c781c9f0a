"""`GET /push/key`: what a browser needs to subscribe to push messages of this shop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.server.answers import Refusal, answer_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web
    from aiohttp.typedefs import Handler


def push_handlers(key: str) -> Mapping[str, Handler]:
    """Of `GET /push/key`.

    Args:
        key: In base64url; "" where no push leaves by push services.
    """

    async def push_key(_: web.Request) -> web.Response:
        if not key:
            message = 'this shop sends no web push: channels.push.transport is not "webpush"'
            raise Refusal(404, "push.off", message)
        return answer_json({"key": key})

    return {"/push/key": push_key}
