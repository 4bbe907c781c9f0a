"""The links of a message: where it can be left, and who follows it.

`MessageLinks` makes those of one message, each with a token that says which message it is
(`tokens`): `unsubscribe` and `preferences`, which templates name; the pixel and the redirections
that tell who has opened and clicked, put into HTML as it is rendered. All of it is a function of
the message and the settings, so that a message rendered again has the same links.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

import msgspec

from channels.tokens import LinkFacts, pack_facts

if TYPE_CHECKING:
    from channels.rendering import Rendered
    from channels.tokens import Purpose, Signer

DAY_MS: Final = 86_400_000

DEFAULT_PORT: Final = 8080
_LOCAL: Final = "http://localhost:"

LEAVING_MIN_MS: Final = 60 * DAY_MS
"""For so long at least anybody can unsubscribe by a message, whatever `expires` says."""

LINK_CHARS_MAX: Final = 2_000
"""A longer address is left as it is: with a token around it no server would take it."""

UTM_KEYS: Final = ("source", "medium", "campaign", "content", "term")

MARKETING: Final = "marketing"

_OPENED_BY_PIXEL: Final = "email"
_URL_IN_FRONT: Final = frozenset({"push"})
"""Channels whose message leads to the `url` of its front matter."""

_LINK: Final = re.compile(
    r"""(?P<head><(?:a|area)\b(?P<before>(?:[^<>"']|"[^"]*"|'[^']*')*?\s)href\s*=\s*)"""
    r"""(?:"(?P<a>[^"]*)"|'(?P<b>[^']*)'|(?P<c>[^\s"'>]+))"""
    r"""(?P<after>(?:[^<>"']|"[^"]*"|'[^']*')*>)""",
    re.IGNORECASE,
)
_UNTRACKED: Final = re.compile(r"""\bclicktracking\s*=\s*["']?off\b""", re.IGNORECASE)
_BODY_END: Final = re.compile(r"</body\s*>", re.IGNORECASE)
_HEX: Final = b"\1"
_TEXT: Final = b"\0"
_PLACE: Final = re.compile(r"\{(campaign|step|template|variant|channel)\}")


class Tracking(msgspec.Struct, frozen=True, kw_only=True):
    """`[tracking]`: what is learnt of what becomes of messages.

    Attributes:
        opens: Put a pixel into HTML mails.
        clicks: Have links in HTML mails, and a push message's, lead over this process.
        transactional: Do so with transactional messages, too.
        utm: By key (`source`, …), what links get as `utm_…`; `{campaign}`, `{step}`, `{template}`,
            `{variant}` and `{channel}` are put in.
        expires_ms: For how long links are good, from when the message was sent.
    """

    opens: bool = True
    clicks: bool = True
    transactional: bool = False
    utm: Mapping[str, str] = {}
    expires_ms: int = 365 * DAY_MS


SURVEY_CHARS_MAX: Final = 100
"""Of a survey's name, and of an answer."""


class Links:
    """Makes the links of messages.

    Args:
        base: The address that they begin with, as `https://shop.example`.
        signer: Signs them.
        tracking: What the shop says of it.
        port: Where this process is served, on this machine: links lead there where the shop has
            no address but the one that it has by default.
    """

    def __init__(
        self,
        base: str,
        signer: Signer,
        tracking: Tracking | None = None,
        *,
        port: int = DEFAULT_PORT,
    ) -> None:
        self.signer = signer
        self._port = port
        self.follow(base, tracking or Tracking())

    def follow(self, base: str, tracking: Tracking) -> None:
        """Make those of messages from here on as the shop has it now."""
        base = base.rstrip("/")
        self.base = f"{_LOCAL}{self._port}" if base == f"{_LOCAL}{DEFAULT_PORT}" else base
        self.tracking = tracking

    def of(self, facts: LinkFacts, campaign: Mapping[str, Any]) -> MessageLinks:
        """Those of one message; `campaign` is what its template sees under that name."""
        return MessageLinks(self, facts, campaign)


class MessageLinks:
    """The links of one message.

    Attributes:
        names: What templates know of them.
    """

    def __init__(self, links: Links, facts: LinkFacts, campaign: Mapping[str, Any]) -> None:
        self._base, self._signer = links.base, links.signer
        self._facts = facts
        self._is_marketing = campaign.get("purpose") == MARKETING
        self._tracking = _overridden(links.tracking, campaign, is_marketing=self._is_marketing)
        leaving = msgspec.structs.replace(facts, about=str(campaign.get("topic") or ""))
        self.names = {
            "unsubscribe": self._address("u", "unsubscribe", leaving, leaves=True),
            "preferences": self._address("preferences", "preferences", leaving, leaves=True),
        }

    def survey(self, survey: str, value: str) -> str:
        """Where somebody gives this answer to a survey."""
        about = f"{survey[:SURVEY_CHARS_MAX]}\n{value[:SURVEY_CHARS_MAX]}"
        return self._address("s", "survey", msgspec.structs.replace(self._facts, about=about))

    @property
    def list_unsubscribe(self) -> str:
        """Where a mail program lets its user unsubscribe (RFC 8058); "" where there is no need."""
        return self.names["unsubscribe"] if self._is_marketing else ""

    def put_into(self, rendered: Rendered) -> Rendered:
        """What was rendered, with its links led over this process, and the pixel. O(body)."""
        channel, tracking = self._facts.channel, self._tracking
        if channel in _URL_IN_FRONT:
            url = rendered.front.get("url", "")
            if _is_followed(url, self._base):
                front = {**rendered.front, "url": self._led(url)}
                return msgspec.structs.replace(rendered, front=front)
            return rendered
        if channel != _OPENED_BY_PIXEL or not rendered.html:
            return rendered
        body = rendered.body
        if tracking.clicks or tracking.utm:
            body = _LINK.sub(self._relinked, body)
        if tracking.opens:
            body = self._with_pixel(body)
        return msgspec.structs.replace(rendered, body=body)

    def _relinked(self, found: re.Match[str]) -> str:
        address = html.unescape(found["a"] or found["b"] or found["c"] or "").strip()
        marks = (found["before"] or "") + (found["after"] or "")
        if not _is_followed(address, self._base) or _UNTRACKED.search(marks):
            return found[0]
        return f'{found["head"]}"{html.escape(self._led(address))}"{found["after"]}'

    def _led(self, address: str) -> str:
        """An address with what `utm` adds, and led over this process, as the settings say."""
        facts, tracking = self._facts, self._tracking
        address = with_utm(address, tracking.utm, facts)
        if not tracking.clicks:
            return address
        return self._address("c", "click", msgspec.structs.replace(facts, about=address))

    def _with_pixel(self, body: str) -> str:
        address = self._address("o", "open", self._facts)
        pixel = f'<img src="{address}.gif" width="1" height="1" alt="" style="border:0">'
        ends = [*_BODY_END.finditer(body)]
        at = ends[-1].start() if ends else len(body)
        return body[:at] + pixel + body[at:]

    def _address(
        self, route: str, purpose: Purpose, facts: LinkFacts, *, leaves: bool = False
    ) -> str:
        for_ms = self._tracking.expires_ms
        if leaves:
            for_ms = max(for_ms, LEAVING_MIN_MS)
        token = self._signer.sign(purpose, pack_facts(facts), facts.sent_at_ms + for_ms)
        return f"{self._base}/{route}/{token}"


def beside_links(body: str, put: Callable[[str], str]) -> str:
    """HTML with what `put` makes of the address of each link behind the tag it begins by. O(body).

    Links that lead elsewhere than to the web are passed over.
    """

    def beside(found: re.Match[str]) -> str:
        address = html.unescape(found["a"] or found["b"] or found["c"] or "").strip()
        return found[0] + (put(address) if _is_followed(address, "") else "")

    return _LINK.sub(beside, body)


def short_id(effect_id: str) -> bytes:
    """An id as a token has it: behind a byte that says so, 32 hex digits as 16 bytes, or UTF-8."""
    try:
        data = bytes.fromhex(effect_id)
    except ValueError:
        data = b""
    return _HEX + data if data.hex() == effect_id else _TEXT + effect_id.encode()


def long_id(short: bytes) -> str:
    """The inverse of `short_id`."""
    return short[1:].hex() if short[:1] == _HEX else short[1:].decode(errors="replace")


def with_utm(address: str, utm: Mapping[str, str], facts: LinkFacts) -> str:
    """An address with `utm_…` parameters, but for those that it has already. O(length)."""
    if not utm:
        return address
    bare, hash_mark, fragment = address.partition("#")
    query = bare.partition("?")[2]
    there = {part.partition("=")[0] for part in query.split("&")}
    added = []
    for key, value in utm.items():
        filled = _PLACE.sub(lambda found: str(getattr(facts, found[1])), value)
        if filled and f"utm_{key}" not in there:
            added.append(f"utm_{key}={quote(filled, safe='')}")
    if not added:
        return address
    join = "&" if query else "" if bare.endswith("?") else "?"
    return bare + join + "&".join(added) + hash_mark + fragment


def _is_followed(address: str, base: str) -> bool:
    """Whether it is an address of the web, and none of our own."""
    if len(address) > LINK_CHARS_MAX or any(ord(one) <= 32 for one in address):  # noqa: PLR2004 - blanks and control characters
        return False
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    if parts.scheme.lower() not in {"http", "https"} or not parts.hostname:
        return False
    return not any(
        address.startswith(f"{base}/{own}/") for own in ("u", "preferences", "c", "o", "s")
    )


def _overridden(tracking: Tracking, campaign: Mapping[str, Any], *, is_marketing: bool) -> Tracking:
    """What holds for a campaign: the shop's word, unless it has one of its own."""
    own = campaign.get("tracking")
    if not is_marketing and not tracking.transactional:
        tracking = msgspec.structs.replace(tracking, opens=False, clicks=False, utm={})
    if not isinstance(own, dict):
        return tracking
    return msgspec.structs.replace(
        tracking,
        opens=own.get("opens", tracking.opens) is True,
        clicks=own.get("clicks", tracking.clicks) is True,
        utm={**tracking.utm, **own.get("utm", {})},
    )
