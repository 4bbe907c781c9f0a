"""The browser SDK as it is served: `/sdk.js`, its in-app renderer, and the service worker of push.

The files beside this one are built from `src` by `build.mjs` (`make sdk`) and committed, so that
nobody needs Node to serve them. They are read once, and compressed once.
"""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.typedefs import Handler

FILES: Final = ("sdk.js", "sdk-inapp.js", "sdk-sw.js")
"""What the SDK is, what it loads where a page shows messages, and what receives pushes."""

CORE_BYTES_MAX: Final = 6_000
"""What `sdk.js` may be at most, compressed: each page of a shop waits for it."""

_MAX_AGE_S: Final = 3_600
"""How long a browser keeps a file before it asks whether there is another."""

_FOLDER: Final = Path(__file__).parent
_COMPRESSION: Final = 9


class SdkFile(msgspec.Struct, frozen=True, eq=False):
    """One file, ready to be sent.

    Attributes:
        plain: Its bytes.
        packed: The same, by gzip; of the same file always the same bytes.
        tag: Its `ETag`: a weak one, since both forms have it.
    """

    plain: bytes
    packed: bytes
    tag: str

    @classmethod
    def read(cls, name: str) -> SdkFile:
        """One of `FILES`. Raises OSError. O(size)."""
        plain = (_FOLDER / name).read_bytes()
        tag = f'W/"{hashlib.sha256(plain).hexdigest()[:16]}"'
        return cls(plain, gzip.compress(plain, _COMPRESSION, mtime=0), tag)

    async def answer(self, request: web.Request) -> web.Response:
        """The file, or 304 for who has it."""
        headers = {
            "Content-Type": "text/javascript; charset=utf-8",
            "Cache-Control": f"public, max-age={_MAX_AGE_S}",
            "ETag": self.tag,
            "Vary": "Accept-Encoding",
            # A service worker lives by the policy of its own file, and must be able to fetch.
            "Content-Security-Policy": "frame-ancestors 'none'",
            # Pages that isolate themselves (COEP) load what says that it may be loaded.
            "Cross-Origin-Resource-Policy": "cross-origin",
        }
        known = request.headers.get("If-None-Match", "")
        if self.tag in known or known.strip() == "*":
            return web.Response(status=304, headers=headers)
        if "gzip" in request.headers.get("Accept-Encoding", "").lower():
            return web.Response(body=self.packed, headers=headers | {"Content-Encoding": "gzip"})
        return web.Response(body=self.plain, headers=headers)


def sdk_handlers() -> Mapping[str, Handler]:
    """Of each file, by its route."""
    return {f"/{name}": SdkFile.read(name).answer for name in FILES}
