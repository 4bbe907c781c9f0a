"""The transport `inbox`: an in-app message waits in its user's inbox until his browser asks.

The inbox is the process's own (`Shelf`): a message is in it once, under its id, however often it is
handed over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import msgspec
from typing_extensions import override

from channels.base import CLOSED, Accepted, Channel, Message, Outcome, Rejected, Retry
from channels.templates.lasting import lasting_ms

if TYPE_CHECKING:
    from channels.settings import InAppSettings

MESSAGE_BYTES_MAX: Final = 64 << 10
"""Of one message, as JSON."""

STYLE: Final = "banner"
"""How a message looks whose template does not say."""


class InAppMessage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A message as an inbox keeps it.

    Attributes:
        id, user_id, at_ms, campaign, enrollment, step, template, variant: As in `Message`.
        expires_at_ms: Not shown later than this.
        style: `modal`, `banner`, `toast` or `tooltip`.
        title, body, url, image: What is shown; `body` is HTML.
        button: What the link to `url` says; "": a word of the page's language.
        target: Of a tooltip, the selector of the element that it stands at.
        survey, choices: What is asked, and the answers that may be given, as its template says.
    """

    id: str
    user_id: str
    at_ms: int
    expires_at_ms: int
    campaign: str
    step: str
    style: str = STYLE
    title: str = ""
    body: str = ""
    url: str = ""
    image: str = ""
    target: str = ""
    survey: str = ""
    choices: str = ""
    button: str = ""
    enrollment: str = ""
    template: str = ""
    variant: str = ""


class Shelf(Protocol):
    """Where inboxes are."""

    async def put(self, message: InAppMessage) -> str:
        """Keep a message, once under its id. Returns why it could not be kept now, or ""."""
        ...


class InboxChannel(Channel):
    """Puts messages into inboxes.

    Args:
        settings: How long one is kept.
        shelf: Where.
    """

    def __init__(self, settings: InAppSettings, shelf: Shelf) -> None:
        self._settings = settings
        self._shelf = shelf
        self._closed = False

    @override
    async def deliver(self, message: Message) -> Outcome:
        if self._closed:
            return CLOSED
        kept = in_app(message, self._settings.keep_ms)
        size = len(msgspec.json.encode(kept))
        if size > MESSAGE_BYTES_MAX:
            told = f"the in-app message is {size} bytes long, and {MESSAGE_BYTES_MAX} fit"
            return Rejected(f"{told}; shorten its text, or put its picture at an address")
        reason = await self._shelf.put(kept)
        return Retry(f"the inbox could not be written: {reason}") if reason else Accepted()

    @override
    async def aclose(self) -> None:
        self._closed = True


def in_app(message: Message, keep_ms: int) -> InAppMessage:
    """The message as an inbox keeps it, for as long as it says or is kept."""
    said = lasting_ms(message.front.get("expires", ""))
    expires_at_ms = message.at_ms + min(keep_ms, keep_ms if said is None else said)
    shown = {key: value for key, value in message.front.items() if key in _SHOWN}
    return InAppMessage(
        id=message.id,
        user_id=message.user_id,
        at_ms=message.at_ms,
        expires_at_ms=expires_at_ms,
        campaign=message.campaign,
        step=message.step,
        body=message.body,
        enrollment=message.enrollment,
        template=message.template,
        variant=message.variant,
        **shown,
    )


_SHOWN: Final = frozenset(
    {"style", "title", "url", "button", "image", "target", "survey", "choices"}
)
