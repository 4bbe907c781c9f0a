"""How sources sign: each compared in constant time, each bounded in time where it bears an instant.

A refusal says what did not fit, and never what would have.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode
from binascii import b2a_base64, hexlify
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from channels.signing import signing_key
from engine.server.answers import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.server.webhooks.heard import Call

TOLERANCE_MS: Final = 300_000
"""How far a signature's instant may lie from now, as Stripe and Standard Webhooks have it."""

SIGNATURES_MAX: Final = 10
"""Of one request: while a secret is changed there are two."""


def unsigned(what: str) -> Refusal:
    """A request whose signature is missing or not of this secret."""
    return Refusal(401, "webhook.signature", what)


def fits(given: str, right: bytes) -> bool:
    """Whether a signature is that one, in a time that tells nothing of it."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), right)


def _any_fits(given: Iterable[str], right: bytes) -> bool:
    """Whether one of several is; all are compared."""
    fitting = 0
    for one in given:
        fitting += fits(one, right)
    return fitting > 0


@lru_cache(maxsize=64)
def _keyed(key: bytes) -> hmac.HMAC:
    """The HMAC of nothing by a key: to copy. A shop has few, and the calls of each are many."""
    return hmac.new(key, digestmod="sha256")


def _hmac(key: bytes, before: str, body: bytes) -> bytes:
    """HMAC-SHA256 of both, one after the other; neither is copied."""
    keyed = _keyed(key).copy()
    if before:
        keyed.update(before.encode())
    keyed.update(body)
    return keyed.digest()


def check_age(call: Call, seconds: str) -> None:
    """Raise Refusal (401) unless an instant is near: a request that was kept is not taken."""
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) < 15):  # noqa: PLR2004 - longer than any instant
        raise unsigned("the signature's timestamp is no number")
    check_near(call, int(seconds) * 1_000, TOLERANCE_MS)


def check_near(call: Call, at_ms: int, old_max_ms: int) -> None:
    """Raise Refusal (401) for what was signed longer ago, or is more than `TOLERANCE_MS` ahead."""
    if not -TOLERANCE_MS <= call.now_ms - at_ms <= old_max_ms:
        minutes = old_max_ms // 60_000
        message = f"it was signed more than {minutes} minutes ago, or is ahead: are clocks right?"
        raise Refusal(401, "webhook.stale", message)


def check_hmac_base64(call: Call, header: str, secret: str) -> None:
    """Base64 of the HMAC-SHA256 of the body (Shopify, WooCommerce)."""
    digest = _hmac(secret.encode(), "", call.body)
    if not fits(call.headers.get(header, "").strip(), b2a_base64(digest, newline=False)):
        raise unsigned(f"{header} is missing, or not of this secret")


def check_hmac_hex(call: Call, header: str, secret: str) -> None:
    """Hexadecimal HMAC-SHA256 of the body, maybe behind `sha256=`."""
    given = call.headers.get(header, "").strip().removeprefix("sha256=").lower()
    if not fits(given, hexlify(_hmac(secret.encode(), "", call.body))):
        raise unsigned(f"{header} is missing, or not of this secret")


def check_stripe(call: Call, secret: str) -> None:
    """`Stripe-Signature: t=…,v1=…`: hexadecimal HMAC-SHA256 of `t.body`; several v1 may stand."""
    instants: list[str] = []
    given: list[str] = []
    for field in call.headers.get("Stripe-Signature", "").split(","):
        name, _, value = field.strip().partition("=")
        if name == "v1":
            given.append(value)
        elif name == "t":
            instants.append(value)
    if len(instants) != 1 or not given:
        raise unsigned("Stripe-Signature is missing, or has no t and v1")
    right = hexlify(_hmac(secret.encode(), f"{instants[0]}.", call.body))
    if not _any_fits(given[:SIGNATURES_MAX], right):
        raise unsigned("Stripe-Signature is not of this secret")
    check_age(call, instants[0])


def check_standard(call: Call, secret: str) -> str:
    """Standard Webhooks, symmetric (`v1`); Svix's older names of the headers too. Gives the id."""
    headers = call.headers
    message_id = headers.get("webhook-id") or headers.get("svix-id")
    instant = headers.get("webhook-timestamp") or headers.get("svix-timestamp")
    given = headers.get("webhook-signature") or headers.get("svix-signature")
    if not (message_id and instant and given):
        raise unsigned("webhook-id, webhook-timestamp or webhook-signature is missing")
    check_age(call, instant)
    key = signing_key(secret)
    digest = b"" if key is None else _hmac(key, f"{message_id}.{int(instant)}.", call.body)
    right = b"v1," + b2a_base64(digest, newline=False)
    if not digest or not _any_fits(given.split(" ")[:SIGNATURES_MAX], right):
        raise unsigned("webhook-signature is not of this secret")
    return message_id


def check_sendgrid(call: Call, key: str) -> None:
    """ECDSA over P-256 and SHA-256 of the timestamp and the body; the key is base64 of its DER."""
    instant = call.headers.get("X-Twilio-Email-Event-Webhook-Timestamp", "")
    given = call.headers.get("X-Twilio-Email-Event-Webhook-Signature", "")
    if not instant or not given:
        raise unsigned("X-Twilio-Email-Event-Webhook-Signature or -Timestamp is missing")
    try:
        public = load_der_public_key(b64decode(key))
        assert isinstance(public, ec.EllipticCurvePublicKey)
        public.verify(
            b64decode(given, validate=True), instant.encode() + call.body, ec.ECDSA(hashes.SHA256())
        )
    except (InvalidSignature, binascii.Error, ValueError, AssertionError):
        raise unsigned("the signature is not of this verification key") from None
    check_age(call, instant)


def check_mailgun(call: Call, key: str, *, instant: str, token: str, given: str) -> None:
    """Hexadecimal HMAC-SHA256 of timestamp and token, which stand in the body."""
    right = hexlify(hmac.digest(key.encode(), (instant + token).encode(), "sha256"))
    if not token or not fits(given.lower(), right):
        raise unsigned("the body's signature is missing, or not of this signing key")
    check_age(call, instant)


def check_token(call: Call, secret: str) -> None:
    """A shared secret: in the address (`?token=`), as a Bearer token or as Basic's password."""
    said = [call.query.get("token", "")]
    scheme, _, value = call.headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() == "bearer":
        said.append(value.strip())
    elif scheme.lower() == "basic":
        with suppress(binascii.Error, ValueError):
            said.append(b64decode(value.strip(), validate=True).decode().partition(":")[2])
    if not sum(bool(one) and fits(one, secret.encode()) for one in said):
        raise unsigned(
            "the secret is missing or wrong: ?token=…, a Bearer token or Basic's password"
        )
