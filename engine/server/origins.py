"""Web pages that may send events: the answers that browsers want before and behind a request.

A browser asks first (`OPTIONS`, without the key) whether a page may send what it has in mind, and
hides the answer from it unless that names its origin (Fetch, "CORS protocol"). Before the key is
known, the origins of all write keys count; with it, its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from aiohttp import web

from engine.server.answers import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping

ORIGIN: Final = "Origin"

_MAX_AGE_S: Final = 7_200
"""How long a browser keeps the answer to its question; Chromium keeps none longer."""

_READABLE: Final = "Retry-After, X-Request-Id"
_ASKED_MAX: Final = 1_000
_PORTS: Final = {"http": 80, "https": 443}


def origin_of(address: str) -> str:
    """The origin of an address, as browsers write it: small, without a usual port and a path."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return address.lower()
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    told = "" if port in {None, _PORTS.get(parts.scheme)} else f":{port}"
    return f"{parts.scheme}://{host}{told}"


class Origins:
    """Which web pages may send events at all.

    Args:
        of_keys: The origins of each write key; None: any.
    """

    def __init__(self, of_keys: Iterable[frozenset[str] | None]) -> None:
        listed = list(of_keys)
        self._any = None in listed
        self._known = frozenset().union(*(one for one in listed if one is not None))

    def allow(self, origin: str) -> bool:
        """Whether pages of this origin may use one of the keys."""
        return self._any or origin in self._known

    def mark(self, headers: MutableMapping[str, str], origin: str) -> None:
        """Let a page read an answer, if pages of its origin may send events."""
        varies = headers.get("Vary")
        headers["Vary"] = ORIGIN if varies is None else f"{varies}, {ORIGIN}"
        if self.allow(origin):
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Expose-Headers"] = _READABLE

    def answer_question(self, request: web.Request, methods: str) -> web.Response:
        """The answer to a browser that asks before it sends. Raises Refusal (403)."""
        origin = request.headers.get(ORIGIN, "")
        if origin and not self.allow(origin):
            raise foreign(origin)
        headers = {"Allow": methods}
        if origin:
            asked = request.headers.get("Access-Control-Request-Headers", "")
            headers["Access-Control-Allow-Methods"] = methods
            headers["Access-Control-Max-Age"] = str(_MAX_AGE_S)
            if asked:
                # Stock clients send headers of their own; nothing here depends on one.
                headers["Access-Control-Allow-Headers"] = asked[:_ASKED_MAX]
        return web.Response(status=204, headers=headers)


def foreign(origin: str) -> Refusal:
    """What to say to a page whose origin a key is not for."""
    told = origin[:200].encode("ascii", "replace").decode()  # a header may be of any bytes
    message = f"this write key is not for pages of {told}; list it in its origins"
    return Refusal(403, "origin.foreign", message)
