"""The transport `webpush`: a message to each of a user's browsers, by its push service (RFC 8030).

A push service keeps one message of a topic a subscription: the topic is the effect id, so that a
message that was sent twice shows once. What goes over the wire is encrypted anew at each attempt
(RFC 8291 wants fresh keys); what the browser reads is the same.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from typing import TYPE_CHECKING, Any, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from typing_extensions import override
from yarl import URL

from channels.aes128gcm import PLAIN_BYTES_MAX, SECRET_BYTES, encrypt
from channels.base import (
    CLOSED,
    SPREAD,
    Accepted,
    Channel,
    Message,
    Outcome,
    Rejected,
    Retry,
    decoded,
)
from channels.posting import Answer, Poster, address_fault, judge
from channels.vapid import Vapid, from_base64url, to_base64url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from channels.settings import PushSettings

SUBSCRIPTIONS_MAX: Final = 20
"""Subscriptions of one user that a message goes to: the last ones of the list."""

URGENCIES: Final = {"transactional": "high", "marketing": "normal"}
"""By a message's purpose (RFC 8030, 5.3): what somebody waits for wakes a device."""

_TOPIC: Final = re.compile(r"[A-Za-z0-9_-]{1,32}", re.ASCII)
_TOPIC_CHARS: Final = 32
_GONE: Final = frozenset({404, 410})
_KEY_REFUSED: Final = frozenset({401, 403})
_TOO_LARGE: Final = 413

_encode = msgspec.json.Encoder(order="deterministic").encode


class Subscription(msgspec.Struct, frozen=True):
    """One browser's, as its `PushSubscription` says.

    Attributes:
        endpoint: As it was said: by it the subscription is dropped.
        url: The same, read.
        receiver: The browser's public key.
        auth: The secret that it shares.
    """

    endpoint: str
    url: URL
    receiver: ec.EllipticCurvePublicKey
    auth: bytes


class _Gone(msgspec.Struct, frozen=True):
    """The push service says that there is no such subscription any more."""

    endpoint: str
    reason: str


class WebPushChannel(Channel):
    """Pushes to the subscriptions of one user.

    Args:
        settings: A `ca_file` is read here.
        vapid: Signs for us.
        now_ms: The wall clock, for tokens. Without it they bear the message's own instant.

    Raises:
        OSError: The `ca_file` cannot be read, or holds no certificate.
    """

    def __init__(
        self, settings: PushSettings, vapid: Vapid, now_ms: Callable[[], int] | None = None
    ) -> None:
        self._now_ms = now_ms
        self._settings = settings
        self._vapid = vapid
        self._poster = Poster(
            connections=settings.concurrency * SPREAD,
            timeout_ms=settings.timeout_ms,
            ca_file=settings.ca_file,
        )
        self._slots = asyncio.Semaphore(settings.concurrency * SPREAD)
        self._closed = False

    @override
    async def deliver(self, message: Message) -> Outcome:
        """To all subscriptions at once; delivered where any of them took it.

        Those that may have taken it later are not tried again then: the others would have it twice.
        """
        plain = payload(message)
        if len(plain) > PLAIN_BYTES_MAX:
            return Rejected(
                f"the push is {len(plain)} bytes long, and {PLAIN_BYTES_MAX} fit; shorten its text"
            )
        said = _subscriptions(message.to)
        if not said:
            return Rejected("there is no push subscription")
        posts = (self._post(one, plain, message) for one in said[-SUBSCRIPTIONS_MAX:])
        return _summed(await asyncio.gather(*posts))

    @override
    async def aclose(self) -> None:
        self._closed = True
        await self._poster.aclose()

    async def _post(self, said: object, plain: bytes, message: Message) -> Outcome | _Gone:
        read = read_subscription(said)
        if isinstance(read, str):
            return Rejected(f"a push subscription cannot be used: {read}")
        is_trusted = read.url.host in self._settings.trusted
        if read.url.scheme != "https" and not is_trusted:
            return Rejected("a push subscription cannot be used: its endpoint is not https")
        async with self._slots:
            if self._closed:
                return CLOSED
            now_ms = message.at_ms if self._now_ms is None else self._now_ms()
            body = encrypt(plain, read.receiver, read.auth)
            headers = self._headers(message, read.url, now_ms)
            answer = await self._poster.post(read.url, body, headers, is_trusted=is_trusted)
        return _judge(answer, read.endpoint) if isinstance(answer, Answer) else answer

    def _headers(self, message: Message, endpoint: URL, now_ms: int) -> dict[str, str]:
        ttl_ms = self._settings.ttl_ms
        if message.expires_at_ms:
            ttl_ms = max(0, min(ttl_ms, message.expires_at_ms - now_ms))
        return {
            "Authorization": self._vapid.authorization(endpoint, now_ms // 1000),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(ttl_ms // 1000),
            "Topic": topic(message.id),
            "Urgency": URGENCIES.get(message.purpose, "normal"),
        }


def payload(message: Message) -> bytes:
    """What the browser's service worker reads: JSON, without what the template does not say."""
    said = {key: message.front.get(key, "") for key in ("title", "url", "image")}
    shown = {key: value for key, value in said.items() if value}
    return _encode({"id": message.id, "body": message.body, **shown})


def topic(effect_id: str) -> str:
    """The effect id where it is fit for a `Topic` (RFC 8030, 5.4), else its digest."""
    if _TOPIC.fullmatch(effect_id):
        return effect_id
    return to_base64url(hashlib.sha256(effect_id.encode()).digest())[:_TOPIC_CHARS]


def read_subscription(said: object) -> Subscription | str:
    """A subscription as a browser's `toJSON()` gives it, or what is wrong with it."""
    if not isinstance(said, dict) or not isinstance(said.get("endpoint"), str):
        return "it has no endpoint"
    endpoint = said["endpoint"]
    if fault := address_fault(endpoint.strip()):
        return f"its endpoint is {fault}"
    keys = said.get("keys")
    try:
        key, auth = _keys(keys if isinstance(keys, dict) else {})
    except (ValueError, TypeError, AttributeError):
        return "its keys are not a p256dh of P-256 and an auth of 16 bytes"
    return Subscription(endpoint, URL(endpoint.strip()), key, auth)


def _keys(keys: Mapping[str, Any]) -> tuple[ec.EllipticCurvePublicKey, bytes]:
    point, auth = from_base64url(keys.get("p256dh", "")), from_base64url(keys.get("auth", ""))
    if len(auth) != SECRET_BYTES:
        raise ValueError(len(auth))
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point), auth


def _subscriptions(to: str) -> list[object]:
    said = decoded(to)
    if said is None:
        return []
    return said if isinstance(said, list) else [said]


def _judge(answer: Answer, endpoint: str) -> Outcome | _Gone:
    name, status = answer.name, answer.status
    if status in _GONE:
        return _Gone(endpoint, f"{name} answered {status}: the subscription is no more")
    if status in _KEY_REFUSED:
        return Rejected(
            f"{name} answered {status}: it does not take our key; the subscription may have been "
            "made with another one (channels.push.vapid_key)"
        )
    if status == _TOO_LARGE:
        return Rejected(f"{name} answered {status}: the push is too long; shorten its text")
    return judge(status, answer.headers, name)


def _summed(each: list[Outcome | _Gone]) -> Outcome:
    """What became of a message, from what became of it at each subscription."""
    gone = tuple(one.endpoint for one in each if isinstance(one, _Gone))
    taken = [one for one in each if isinstance(one, Accepted)]
    if taken:
        return Accepted(f"{len(taken)} of {len(each)}: {taken[0].detail}", gone)
    again = [one for one in each if isinstance(one, Retry)]
    if again:
        waits = [one.after_ms for one in again if one.after_ms is not None]
        # What holds for its provider is that of the first (`provider_of`): others may be elsewhere.
        first = each[0]
        of_provider = isinstance(first, Retry) and first.of_provider
        return Retry(again[0].reason, max(waits) if waits else None, of_provider)
    refused = [one.reason for one in each if isinstance(one, Rejected | _Gone)]
    return Rejected(refused[0], gone=gone)
