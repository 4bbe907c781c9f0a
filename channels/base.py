"""The port through which a message leaves: what is handed over, and what can become of it.

A `Message` is complete and rendered. Whatever reaches the wire (a mail's `Message-ID`, `Date` and
MIME boundary, a webhook's body and key) is a function of the message alone, so that an outbox
stores its bytes once and a retry, or a restart, sends the same mail again under the same key.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias
from urllib.parse import quote, urlsplit

import msgspec
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Mapping

CHANNEL_IDS: Final = ("email", "push", "sms", "in_app", "webhook")
"""Every channel id there is, as campaigns, settings and template names spell it."""

WIDE: Final = frozenset({"push", "webhook"})
"""Channels whose messages go to many providers, each by an address of its own (`provider_of`)."""

SPREAD: Final = 4
"""Times `concurrency` attempts are under way at most on a channel that is `WIDE`."""

SAID_CHARS_MAX: Final = 300
"""How much of a provider's words an outcome keeps."""

_UNSEEMLY: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


class ChannelError(Exception):
    """A channel or a template that cannot be used as it is written.

    Attributes:
        message: What is wrong, and with what.
        hint: What would be right; may be empty.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @override
    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One rendered message to one person.

    Attributes:
        id: The effect id; the idempotency key on every wire.
        at_ms: The instant of the send's record, milliseconds since the epoch, UTC.
        user_id: Whom it is for.
        campaign: The campaign's id.
        step: The step's id.
        channel: One of `CHANNEL_IDS`.
        to: The address, as `address_of` gives it; empty for in-app and webhook.
        front: The rendered front matter (`subject`, `title`, `from`, …); absent keys are absent.
        body: The rendered body.
        html: Whether the body is HTML (in email it then gets a text part too).
        meant_for: Whose address it would have gone to, where it is redirected (`redirecting`).
        enrollment, template, variant: As in its record `sent`.
        purpose: `marketing` or `transactional`, as its campaign has it.
        expires_at_ms: Of no use later than this; 0 never expires.
        unsubscribe: Where a mail program lets its user unsubscribe (RFC 8058); "" for nowhere.
    """

    id: str
    at_ms: int
    user_id: str
    campaign: str
    step: str
    channel: str
    to: str
    body: str
    front: dict[str, str] = {}
    html: bool = False
    meant_for: str = ""
    enrollment: str = ""
    template: str = ""
    variant: str = ""
    purpose: str = "marketing"
    expires_at_ms: int = 0
    unsubscribe: str = ""

    def to_bytes(self) -> bytes:
        """The message as JSON, the same bytes for an equal message."""
        return msgspec.json.encode(self, order="deterministic")

    @classmethod
    def from_bytes(cls, data: bytes) -> Message:
        """The message that `to_bytes` wrote.

        Raises:
            msgspec.DecodeError: The bytes are not a message.
        """
        return _decoder.decode(data)

    @property
    def key(self) -> str:
        """The effect id in characters that every wire and file name takes (RFC 5322 atext).

        A hexadecimal id is its own key; in any other, what does not fit is percent-encoded.
        """
        return key_of(self.id)


_decoder = msgspec.json.Decoder(Message)


def key_of(effect_id: str) -> str:
    """As `Message.key`, for an id alone."""
    return quote(effect_id, safe="").replace(".", "%2E")


class Accepted(msgspec.Struct, frozen=True, tag="accepted"):
    """The provider has it.

    Attributes:
        detail: What the provider said of it (a queue id, a status); may be empty.
        gone: Endpoints of push subscriptions that are no more, where others took it.
    """

    detail: str = ""
    gone: tuple[str, ...] = ()


class Retry(msgspec.Struct, frozen=True, tag="retry"):
    """Not now, and nothing about the message says never.

    Attributes:
        reason: What happened, on what, in words that a person can act on. No addresses.
        after_ms: The provider's wish for how long to wait, if it had one; 0 or more.
        of_provider: Whether it tells of the provider, and so of what any other message would meet
            there; False where it put this message off and may well take the next.
        is_bounce: Whether the message has come back, should it be given up by this.
    """

    reason: str
    after_ms: int | None = None
    of_provider: bool = True
    is_bounce: bool = False


class Rejected(msgspec.Struct, frozen=True, tag="rejected"):
    """Never: another attempt with the same bytes would fare no better.

    Attributes:
        reason: As in `Retry`.
        address_invalid: The provider says that the address itself is no good, so that nothing
            else should be sent to it either.
        gone: Endpoints of push subscriptions that are no more.
        is_bounce: Whether the message has come back: it was refused for what it is, or for whom it
            is for, and not because of who sends it. One whose address is invalid always has.
    """

    reason: str
    address_invalid: bool = False
    gone: tuple[str, ...] = ()
    is_bounce: bool = False


Outcome: TypeAlias = Accepted | Retry | Rejected


def legible(said: str) -> str:
    """A provider's words as an outcome may bear them: one line, cut to `SAID_CHARS_MAX`.

    Outcomes are journaled, so what came as bytes of no known charset (half surrogates, in Python)
    becomes question marks: neither JSON nor SQLite takes it as it is.
    """
    return _UNSEEMLY.sub(" ", said.encode("utf-8", "replace").decode())[:SAID_CHARS_MAX]


def provider_of(message: Message) -> str:
    """Who takes a message: its channel, or on a channel that is `WIDE` whom its address names.

    Of a webhook that is scheme, host and port of its url, of a push those of its subscription.
    """
    if message.channel == "webhook":
        address = message.front.get("url", "")
    elif message.channel == "push":
        address = _endpoint(message.to)
    else:
        return message.channel
    try:
        parts = urlsplit(address)
    except ValueError:
        return message.channel
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}".lower()


def decoded(text: str) -> object:
    """The JSON that a text is; None where it is none, or nests deeper than can be read."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None


def _endpoint(to: str) -> str:
    said = decoded(to)
    first = said[0] if isinstance(said, list) and said else said
    endpoint = first.get("endpoint", "") if isinstance(first, dict) else ""
    return endpoint if isinstance(endpoint, str) else ""


class Channel(Protocol):
    """A way out. An implementation is made by the registry and owned by the dispatcher."""

    async def deliver(self, message: Message) -> Outcome:
        """Hand one message over, at least once, under its key.

        Never raises for what a disk, a network or a provider does: that is an outcome. Concurrent
        calls are welcome; a cancelled call leaves open whether the message left.
        """
        ...

    async def aclose(self) -> None:
        """Let go of connections and files. May be called again; `deliver` then gives `Retry`."""
        ...


CLOSED: Final = Retry("the channel is closed; the message goes out after the next start")
"""What `deliver` answers once a channel is closed."""


def address_of(channel_id: str, traits: Mapping[str, object]) -> str | None:
    """A user's address on a channel, from the reserved traits, or None where there is none.

    Args:
        channel_id: One of `CHANNEL_IDS`.
        traits: The user's traits.

    Returns:
        `email` and `phone` as text; the push subscription (or the list of them) as JSON; an empty
        text for in-app and webhook, which reach everybody and address nobody.
    """
    match channel_id:
        case "email":
            return _text(traits.get("email"))
        case "sms":
            return _text(traits.get("phone"))
        case "push":
            return _subscription(traits.get("push"))
        case "in_app" | "webhook":
            return ""
        case _:
            raise AssertionError(f"no such channel: {channel_id}")


def _text(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # a phone number that a shop sent as a number
    return (value.strip() or None) if isinstance(value, str) else None


def _subscription(value: object) -> str | None:
    if isinstance(value, str):
        value = decoded(value)
    several = value if isinstance(value, list) else [value]
    usable = [one for one in several if isinstance(one, dict) and _text(one.get("endpoint"))]
    if not usable:
        return None
    kept = usable if isinstance(value, list) else usable[0]
    return msgspec.json.encode(kept, order="deterministic").decode()
