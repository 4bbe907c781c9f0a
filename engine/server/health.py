"""Whether the process lives, and whether it can take events: for load balancers, on both ports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.server.answers import Refusal, answer_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiohttp import web
    from aiohttp.typedefs import Handler


def health_handlers(why_not_ready: Callable[[], str]) -> Mapping[str, Handler]:
    """Of `GET /healthz` and `GET /readyz`; neither asks for a key nor tells of a user."""

    async def healthz(_: web.Request) -> web.Response:
        return answer_json({"status": "alive"})

    async def readyz(_: web.Request) -> web.Response:
        reason = why_not_ready()
        if reason:
            raise Refusal(503, "not_ready", reason)
        return answer_json({"status": "ready"})

    return {"/healthz": healthz, "/readyz": readyz}
