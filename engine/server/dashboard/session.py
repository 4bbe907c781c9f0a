"""Who is signed in to the dashboard.

The admin key is said once; the browser keeps a session in a cookie that scripts cannot read and
other sites cannot have sent (`HttpOnly`, `SameSite=Strict`). A session is signed with the key and
not kept anywhere: it says until when it is good, and ends with the key. Other ports of a machine
are the same site to a browser; so whatever changes anything asks for the session's *mark* too,
which only our pages know, and for the page's own origin.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import TYPE_CHECKING, Final

import msgspec

from engine.server.answers import Refusal
from engine.server.clients import origin_asked

if TYPE_CHECKING:
    from aiohttp import web

LASTS_S: Final = 12 * 3_600
"""How long a session is good: a day's work."""

_FORM = re.compile(r"([0-9]{1,12})\.([A-Za-z0-9_-]{22})\.([0-9a-f]{64})", re.ASCII)


class Sessions(msgspec.Struct, frozen=True, eq=False):
    """Makes sessions and knows them again.

    Attributes:
        key: The admin key; "" lets nobody in.
        instance: Of this run: a way in that was printed is good until it ends.
    """

    key: str
    instance: str

    def admits(self, said: str) -> bool:
        """Whether somebody knows the key, or has the way in of this run."""
        if not self.key:
            return False
        known = (self.key, self.way_in())
        given = said.encode("utf-8", "replace")
        # Both are compared each time, so that nothing is told by how long it takes.
        return sum(hmac.compare_digest(given, one.encode()) for one in known) > 0

    def way_in(self) -> str:
        """What stands in an address that lets in whoever has it, until the process ends."""
        return self._sign("way in", self.instance)

    def begin(self, now_s: int) -> str:
        """A new session, as its cookie has it."""
        head = f"{now_s + LASTS_S}.{secrets.token_urlsafe(16)}"
        return f"{head}.{self._sign('session', head)}"

    def is_good(self, cookie: str, now_s: int) -> bool:
        """Whether it is a session of this key that has not come to its end."""
        read = _FORM.fullmatch(cookie)
        if read is None or not self.key or int(read[1]) <= now_s:
            return False
        signed = self._sign("session", f"{read[1]}.{read[2]}")
        return hmac.compare_digest(read[3], signed)

    def mark(self, cookie: str) -> str:
        """What the forms of a session's pages bear, and nobody else knows."""
        return self._sign("mark", cookie)

    def check_mark(self, request: web.Request, cookie: str, said: str) -> None:
        """Raise Refusal (403) where a form did not come from a page of this session."""
        origin = request.headers.get("Origin")
        foreign = origin is not None and origin != origin_asked(request)
        fetched = request.headers.get("Sec-Fetch-Site", "same-origin")
        known = hmac.compare_digest(said.encode("utf-8", "replace"), self.mark(cookie).encode())
        if foreign or fetched not in {"same-origin", "none"} or not known:
            message = "this did not come from a page of this session; go back, load it anew"
            raise Refusal(403, "session.mark", message)

    def seal(self, cookie: str, said: str) -> str:
        """What shows that a page of this session is to say something."""
        return self._sign("said", f"{cookie}\n{said}")

    def is_sealed(self, cookie: str, said: str, by: str) -> bool:
        """Whether it was `seal`ed in this session."""
        sealed = self.seal(cookie, said).encode()
        return hmac.compare_digest(by.encode("utf-8", "replace"), sealed)

    def _sign(self, purpose: str, text: str) -> str:
        said = f"hairspring dashboard\n{purpose}\n{text}".encode()
        return hmac.new(self.key.encode(), said, hashlib.sha256).hexdigest()


def cookie_name(request: web.Request) -> str:
    """Of the session's cookie: a machine's ports share their cookies, and so have names apart."""
    _, _, port = request.headers.get("Host", "").rpartition(":")
    return f"hairspring-{port}" if port.isascii() and port.isdigit() else "hairspring"
