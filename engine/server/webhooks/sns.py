"""Amazon SES by SNS: what became of a mail, in an envelope that Amazon signs.

The certificate comes from Amazon's own host alone, and is fetched once. A topic asks first whether
it may send: it is told yes where its envelope is signed. Signatures: RSA over named fields, SHA-1
(version 1) or SHA-256 (2) (Amazon SNS Developer Guide, "Verifying message signatures").
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509 import load_pem_x509_certificate

from engine.core.instants import parse_instant_ms
from engine.server.answers import Refusal
from engine.server.webhooks.heard import at, body_as_object, object_at, objects, text
from engine.server.webhooks.mails import HARD, SOFT, UNSUBSCRIBED, tell
from engine.server.webhooks.signatures import check_near, check_token, unsigned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from engine.server.webhooks.heard import Call, Heard, Json

Fetch: TypeAlias = Callable[[str], Awaitable[bytes]]
"""The body behind an address of Amazon's; raises OSError or aiohttp's ClientError."""

_OWN: Final = r"https://sns\.[a-z]{2,6}(-[a-z]{1,20}){1,4}-[0-9]{1,2}\.amazonaws\.com(\.cn)?/"
"""A region's own host: a bucket named `sns` has one that is much alike (`sns.s3-us-west-2`)."""

_CERTIFICATE: Final = re.compile(_OWN + r"[A-Za-z0-9_.-]{1,200}\.pem")
"""A file of Amazon's: an answer of its API may hold what somebody else has put there."""

_ASKED: Final = re.compile(_OWN + r"[^\s]{1,2000}")
_NOTIFICATION: Final = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION: Final = (
    "Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type",
)  # fmt: skip
CERTIFICATES_MAX: Final = 16
ASKED_AT_ONCE_MAX: Final = 4
"""Requests to Amazon under way. Before the certificate is there anybody may have written what names
it, and there is one a region: a flood of envelopes is to be no flood of ours."""

OLD_MAX_MS: Final = 3_900_000
"""An envelope bears the instant of its publication. Amazon tries again for an hour, no longer
(Amazon SNS Developer Guide, "Message delivery retries"); five minutes more are for clocks."""

_WORDS: Final = {"open": "opened", "click": "clicked"}

_NO_COMPLAINT: Final = frozenset({"not-spam", "auth-failure"})
"""Feedback types (RFC 5965, RFC 6591) that somebody sends who does not complain of a mail."""


class Amazon:
    """Verifies envelopes, and confirms subscriptions.

    Args:
        fetch: Gets certificates, and says yes to topics.
    """

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._keys: dict[str, RSAPublicKey] = {}
        self._under_way = 0

    async def verify(self, call: Call, secret: str) -> None:
        """Raises Refusal (401). With a secret, the address bears it too: topics are anybody's."""
        if secret:
            check_token(call, secret)
        envelope = body_as_object(call)
        fields = _NOTIFICATION if envelope.get("Type") == "Notification" else _CONFIRMATION
        signed = "".join(
            f"{name}\n{text_as_sent(envelope[name])}\n" for name in fields if name in envelope
        )
        version = text(envelope.get("SignatureVersion"))
        try:
            given = b64decode(text(envelope.get("Signature")), validate=True)
        except (binascii.Error, ValueError):
            given = b""
        key = await self._key_at(text(envelope.get("SigningCertURL")))
        algorithm = hashes.SHA256() if version == "2" else hashes.SHA1()  # noqa: S303 - Amazon's version 1
        try:
            key.verify(given, signed.encode(), padding.PKCS1v15(), algorithm)
        except InvalidSignature:
            raise unsigned("the envelope is not signed by Amazon SNS") from None
        try:
            published_at_ms = parse_instant_ms(text(envelope.get("Timestamp")))
        except ValueError:
            raise unsigned("the envelope's Timestamp is no instant") from None
        check_near(call, published_at_ms, OLD_MAX_MS)

    async def confirm(self, call: Call) -> bool:
        """Say yes to a topic that asks whether it may send; whether it did ask."""
        envelope = body_as_object(call)
        if envelope.get("Type") != "SubscriptionConfirmation":
            return False
        await self._get(text(envelope.get("SubscribeURL")), _ASKED)
        return True

    async def _key_at(self, address: str) -> RSAPublicKey:
        known = self._keys.get(address)
        if known is not None:
            return known
        try:
            key = load_pem_x509_certificate(await self._get(address, _CERTIFICATE)).public_key()
        except ValueError:
            key = None
        if not isinstance(key, rsa.RSAPublicKey):
            raise unsigned("what SigningCertURL leads to is no certificate with an RSA key")
        while len(self._keys) >= CERTIFICATES_MAX:
            del self._keys[next(iter(self._keys))]
        self._keys[address] = key
        return key

    async def _get(self, address: str, form: re.Pattern[str]) -> bytes:
        if not form.fullmatch(address):
            raise unsigned("an address in the envelope is not one of sns.REGION.amazonaws.com")
        later = {"Retry-After": "30"}
        if self._under_way >= ASKED_AT_ONCE_MAX:
            message = "Amazon is being asked too much already for what envelopes name"
            raise Refusal(503, "webhook.amazon", message, headers=later)
        self._under_way += 1
        try:
            return await self._fetch(address)
        except Exception as error:
            message = f"Amazon could not be asked for what its envelope names: {error}"
            raise Refusal(503, "webhook.amazon", message, headers=later) from error
        finally:
            self._under_way -= 1


def text_as_sent(value: object) -> str:
    """A field as it was signed: not trimmed."""
    return value if isinstance(value, str) else text(value)


def delivery_of(call: Call) -> str:
    """The envelope's id: the same where it is sent again."""
    return text(body_as_object(call).get("MessageId"))


def read(call: Call) -> Iterator[Heard]:
    """What the envelope says of a mail."""
    envelope = body_as_object(call)
    if envelope.get("Type") != "Notification":
        return
    try:
        told = msgspec.json.decode(text(envelope.get("Message")))
    except (msgspec.MsgspecError, RecursionError):
        return  # a topic carries whatever somebody publishes to it
    if not isinstance(told, dict):
        return
    kind = (text(told.get("eventType")) or text(told.get("notificationType"))).lower()
    said = object_at(told, kind)
    for address in _mailboxes(kind, said, told):
        yield from tell(
            _word(kind, said),
            address,
            message_id=_message_id(told),
            link=said.get("link"),
            user_agent=said.get("userAgent"),
        )


def _word(kind: str, said: Json) -> str:
    """What one of Amazon's words for it means; "" for nothing that is to be told."""
    match kind:
        case "bounce":
            return HARD if text(said.get("bounceType")) == "Permanent" else SOFT
        case "complaint":
            # Of a suppressed address it was heard before, and has no type.
            is_none = text(said.get("complaintFeedbackType")) in _NO_COMPLAINT
            return "" if is_none else "complained"
        case "subscription":
            gone = at(said, "newTopicPreferences", "unsubscribeAll") is True
            return UNSUBSCRIBED if gone else ""
        case _:
            return _WORDS.get(kind, "")


def _mailboxes(kind: str, said: Json, told: Json) -> list[object]:
    """Whose it is: those it names, else all to whom the mail went."""
    named = {"bounce": "bouncedRecipients", "complaint": "complainedRecipients"}.get(kind)
    if named is not None:
        return [one.get("emailAddress") for one in objects(said.get(named))]
    to = at(told, "mail", "destination")
    return to if isinstance(to, list) else []


def _message_id(told: Json) -> str:
    """What we called the mail, where SES hands its headers on."""
    for header in objects(at(told, "mail", "headers")):
        if text(header.get("name")).lower() == "message-id":
            return text(header.get("value"))
    return text(at(told, "mail", "commonHeaders", "messageId"))
