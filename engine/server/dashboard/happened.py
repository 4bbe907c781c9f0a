"""One line of a timeline, as people read it."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from engine.server.dashboard import words
from engine.server.dashboard.markup import Content, Html, tag
from engine.server.dashboard.people import address

_SAID_MAX: Final = 240

_GOOD: Final = frozenset({"goal", "delivered", "opened", "clicked"})
_BAD: Final = frozenset({"failed", "skipped", "refused", "unsubscribed", "erased"})
_OURS: Final = frozenset({"sent", "entered", "branched", "deferred"})

_WORDS: Final = {
    "event": "", "identify": "Traits", "merged": "Became one with", "score": "Score",
    "trigger": "Started by hand", "consent": "Consent", "reported": "Delivery reported",
    "revived": "Delivery asked for again", "erased": "Erased", "found": "Past found",
    "entered": "Entered", "refused": "Not let in", "sent": "Sent", "skipped": "Skipped",
    "deferred": "Put off", "delivered": "Delivered", "failed": "Failed", "branched": "Went by",
    "exited": "Left", "finished": "Finished", "goal": "Reached its goal", "opened": "Opened",
    "forwarded": "Forwarded by an operator", "cancelled": "Ended by an operator",
    "clicked": "Clicked", "unsubscribed": "Unsubscribed",
}  # fmt: skip
_DETAILS: Final = (
    "step",
    "channel",
    "branch",
    "variant",
    "reason",
    "template",
    "link",
    "until",
    "touch",
)


def line_of(told: dict[str, Any], *, whose: bool = False) -> Html:
    """A list item for one line of `dossier.timeline`; `whose` tells the user too."""
    kind = told.get("kind", "")
    colour = (
        "good" if kind in _GOOD else "bad" if kind in _BAD else "own" if kind in _OURS else None
    )
    user = told.get("user_id", "")
    link = [tag("a", user, href=address(user)), " "] if whose and user else None
    text = tag("span", link, _words(kind, told), " ", tag("code", _details(told)))
    return tag("li", words.instant_said(told.get("at", "")), text, class_=colour)


def _words(kind: str, told: dict[str, Any]) -> Content:
    if kind == "event":
        return tag("strong", told.get("event", ""))
    campaign = told.get("campaign", "")
    name = _WORDS.get(kind, kind)
    return [tag("strong", name), f" {campaign}" if campaign else ""]


def _details(told: dict[str, Any]) -> str:
    said = [str(told[name]) for name in _DETAILS if told.get(name)]
    for name in ("properties", "traits", "content", "outcome", "id", "model", "score", "value"):
        value = told.get(name)
        if value is not None and not (isinstance(value, str) and not value):
            said.append(value if isinstance(value, str) else _json(value))
    whole = " · ".join(one for one in said if one != "{}")
    return whole if len(whole) <= _SAID_MAX else f"{whole[:_SAID_MAX]}…"


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
