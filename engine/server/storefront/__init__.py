"""The storefront of `hairspring demo`: a small shop with the browser SDK on it, to walk through.

It stands for a shop's own pages, and does what they would: it knows its visitor by a cookie, has a
user's token signed for him, and loads the SDK by one line. Its script draws each page and changes
the address without a load. It is served by the demo alone, whose users are made up.
"""

from __future__ import annotations

import html
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import web

from channels.tokens import Signer
from engine.runtime.clock import wall_ms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.typedefs import Handler

PAGES: Final = ("/", "/product/{product}", "/basket", "/checkout", "/thanks")
"""Addresses that the script draws a page for."""

FILES: Final = {
    "/storefront.js": "text/javascript",
    "/storefront.css": "text/css",
    "/storefront.svg": "image/svg+xml",
}

COOKIE: Final = "visitor"
VISIT_MS: Final = 24 * 3_600_000
"""How long a visitor is known, and his token good."""

_VISITOR_BYTES: Final = 4
_VISITOR: Final = re.compile(r"visitor-[0-9a-f]{8}", re.ASCII)
_FOLDER: Final = Path(__file__).parent
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types hairspring hairspring-inapp"
)
"""As strict as a policy can be that lets the SDK load: that it works under one is to be seen."""


class Storefront(msgspec.Struct, frozen=True, eq=False):
    """What stands behind the routes.

    Attributes:
        signer: Signs visitors' tokens.
        write_key: What the pages send their events with.
        shop: How the shop calls itself.
        currency: Of its prices.
    """

    signer: Signer
    write_key: str
    shop: str
    currency: str

    def routes(self) -> Mapping[str, Mapping[str, Handler]]:
        """By path, its methods and their handlers."""
        files = {path: {"GET": _file(path, kind)} for path, kind in FILES.items()}
        return {**{path: {"GET": self.page} for path in PAGES}, **files}

    async def page(self, request: web.Request) -> web.Response:
        """The one page that there is, for whoever the cookie says, or somebody new."""
        visitor = request.cookies.get(COOKIE, "")
        if not _VISITOR.fullmatch(visitor):
            visitor = f"visitor-{secrets.token_hex(_VISITOR_BYTES)}"
        said = {
            "shop": self.shop,
            "currency": self.currency,
            "key": self.write_key,
            "visitor": visitor,
            "token": self.signer.sign_user(visitor, wall_ms() + VISIT_MS),
        }
        text = (_FOLDER / "storefront.html").read_text(encoding="utf-8")
        for name, value in said.items():
            text = text.replace(f"{{{{{name}}}}}", html.escape(value))
        headers = {
            "Cache-Control": "no-store",
            "Content-Security-Policy": _POLICY,
            "Referrer-Policy": "same-origin",
        }
        answer = web.Response(text=text, content_type="text/html", headers=headers)
        answer.set_cookie(COOKIE, visitor, max_age=VISIT_MS // 1000, httponly=True, samesite="Lax")
        return answer


def _file(path: str, kind: str) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        text = (_FOLDER / path[1:]).read_text(encoding="utf-8")
        return web.Response(text=text, content_type=kind, headers={"Cache-Control": "no-cache"})

    return answer
