"""Telling who follows a link: a person, or a machine on the way to one.

A mail provider fetches pictures before anybody sees them (Apple's Mail Privacy Protection, Gmail's
image proxy), a scanner follows every link before it lets a mail through, and a chat program makes a
preview. None of that says that somebody has read anything. A library's name alone (a script, a
shop's own app) is not held against a request: those speak for people, too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.core.inputs import Answer

AGENT_CHARS_MAX: Final = 512
"""How much of a user agent is looked at."""

PREFETCH_MS: Final = 30_000
"""What Gmail's proxy fetches so soon after the sending was not asked for by a person."""

HEAD_ONLY: Final = "head"
PREFETCH: Final = "prefetch"
SCANNER: Final = "scanner"
APPLE: Final = "apple-mail-privacy"
GMAIL: Final = "gmail-proxy"

_APPLE: Final = "Mozilla/5.0"
"""Apple's proxies say this and nothing behind it; mail programs and browsers say more."""

_GMAIL: Final = re.compile(
    r"GoogleImageProxy|via ggpht\.com|Edge/12\.246 Mozilla/5\.0", re.IGNORECASE
)
_PROXIES: Final = re.compile(r"YahooMailProxy|YahooCacheSystem|OutlookImageProxy", re.IGNORECASE)
_SCANNERS: Final = re.compile(
    r"bot\b|bot/|crawl|spider|preview|scan|slurp|monitor|headless"
    r"|barracuda|proofpoint|mimecast|safelinks|fireeye|trendmicro|symantec|sophos|forcepoint"
    r"|cloudmark|messagelabs|virustotal|urlscan|zscaler|ironport|trustwave|bitdefender|kaspersky"
    r"|facebookexternalhit|whatsapp|telegram|skypeuri|slack-imgproxy|embedly|microsoft-safelinks",
    re.IGNORECASE,
)
_AHEAD: Final = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")
_NOT_YET: Final = re.compile(r"prefetch|preview|prerender", re.IGNORECASE)


def machine_of(method: str, headers: Mapping[str, str], answer: Answer, since_sent_ms: int) -> str:
    """Why a request is taken for a machine's, in a word; "" for a person's. O(headers looked at).

    Args:
        method: HEAD asks for nothing that could be seen.
        headers: Of the request.
        answer: `opened` for a picture, `clicked` for a link.
        since_sent_ms: How long ago the message was sent.
    """
    if method == "HEAD":
        return HEAD_ONLY
    if any(_NOT_YET.search(headers.get(name, "")) for name in _AHEAD):
        return PREFETCH
    agent = headers.get("User-Agent", "")[:AGENT_CHARS_MAX]
    if _GMAIL.search(agent):
        # Later it fetches what somebody looks at, as he does.
        return GMAIL if answer != "opened" or since_sent_ms < PREFETCH_MS else ""
    if answer == "opened":
        if agent.strip() == _APPLE:
            return APPLE
        if _PROXIES.search(agent):
            return PREFETCH if since_sent_ms < PREFETCH_MS else ""
    return SCANNER if _SCANNERS.search(agent) else ""


def wants_no_tracking(headers: Mapping[str, str]) -> bool:
    """Whether a browser says so: `Sec-GPC` (Global Privacy Control) or `DNT`."""
    return headers.get("Sec-GPC", "").strip() == "1" or headers.get("DNT", "").strip() == "1"
