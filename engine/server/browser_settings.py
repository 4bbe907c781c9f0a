"""What stock browser SDKs fetch before they send anything: where to send, and that nothing else is.

Segment's analytics.js asks `GET /v1/projects/KEY/settings` of its `cdnURL`, RudderStack's
`GET /sourceConfig/` of its `configUrl`. Both say here: send your events to the host that you asked,
to nobody beside, and load nothing more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.server.answers import answer_json

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiohttp import web

    from engine.server.keys import WriteKeys


def settings_handlers(
    keys: WriteKeys,
) -> Mapping[str, Callable[[web.Request], Awaitable[web.Response]]]:
    """The handlers of both, by route."""

    async def segment(request: web.Request) -> web.Response:
        key = request.match_info["key"]
        keys.admit_said(request, key)
        return answer_json(_segment(key, _scheme(request), _host(request)))

    async def rudder(request: web.Request) -> web.Response:
        key = request.query.get("writeKey", "")
        keys.admit_said(request, key)
        return answer_json(_rudder(key))

    return {
        "/v1/projects/{key}/settings": segment,
        "/sourceConfig": rudder,
        "/sourceConfig/": rudder,
    }


def _scheme(request: web.Request) -> str:
    """How the browser came: TLS ends at a proxy, which says so.

    Whoever says so is told it back, and nobody else is: so it need be no proxy that is listed.
    """
    forwarded = request.headers.get("X-Forwarded-Proto", "").partition(",")[0].strip().lower()
    return forwarded if forwarded in {"http", "https"} else request.scheme


def _host(request: web.Request) -> str:
    """What the browser asked for; a header may be of any bytes, and no name has others."""
    return request.host.encode("ascii", "replace").decode()


def _segment(key: str, scheme: str, host: str) -> dict[str, Any]:
    here = {"apiKey": key, "apiHost": f"{host}/v1", "protocol": scheme}
    return {
        "integrations": {"Segment.io": here},
        "plan": {"track": {"__default": {"enabled": True, "integrations": {}}}},
        "enabledMiddleware": {},
        "metrics": {"sampleRate": 0},
        "remotePlugins": [],
    }


def _rudder(key: str) -> dict[str, Any]:
    quiet = {"errors": {"enabled": False}, "metrics": {"enabled": False}}
    return {
        "source": {
            "id": "hairspring",
            "name": "hairspring",
            "writeKey": key,
            "enabled": True,
            "workspaceId": "hairspring",
            "config": {"statsCollection": quiet},
            "destinations": [],
            "connections": [],
            "dataplanes": {},
        }
    }
