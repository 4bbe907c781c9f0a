"""How sources sign: each compared in constant time, each bounded in time where it bears an instant.

A refusal says what did not fit, and never what would have.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode, b64encode
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from channels.signing import signature as standard_signature
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


def fits(given: str, right: str) -> bool:
    """Whether a signature is that one, in a time that tells nothing of it."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), right.encode())


def _any_fits(given: Iterable[str], right: str) -> bool:
    """Whether one of several is; all are compared."""
    return sum([fits(one, right) for one in given]) > 0


def check_age(call: Call, seconds: str, scale_ms: int = 1_000) -> None:
    """Raise Refusal (401) unless an instant is near: a request that was kept is not taken."""
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) < 15):  # noqa: PLR2004 - longer than any instant
        raise unsigned("the signature's timestamp is no number")
    if abs(call.now_ms - int(seconds) * scale_ms) > TOLERANCE_MS:
        message = "the signature is more than five minutes old, or ahead: see that clocks are right"
        raise Refusal(401, "webhook.stale", message)


def check_hmac_base64(call: Call, header: str, secret: str) -> None:
    """Base64 of the HMAC-SHA256 of the body (Shopify, WooCommerce)."""
    digest = hmac.digest(secret.encode(), call.body, "sha256")
    if not fits(call.headers.get(header, "").strip(), b64encode(digest).decode()):
        raise unsigned(f"{header} is missing, or not of this secret")


def check_hmac_hex(call: Call, header: str, secret: str) -> None:
    """Hexadecimal HMAC-SHA256 of the body, maybe behind `sha256=`."""
    given = call.headers.get(header, "").strip().removeprefix("sha256=").lower()
    if not fits(given, hmac.digest(secret.encode(), call.body, "sha256").hex()):
        raise unsigned(f"{header} is missing, or not of this secret")


def check_stripe(call: Call, secret: str) -> None:
    """`Stripe-Signature: t=…,v1=…`: hexadecimal HMAC-SHA256 of `t.body`; several v1 may stand."""
    fields = [
        part.strip().partition("=") for part in call.headers.get("Stripe-Signature", "").split(",")
    ]
    instants = [value for name, _, value in fields if name == "t"]
    given = [value for name, _, value in fields if name == "v1"][:SIGNATURES_MAX]
    if len(instants) != 1 or not given:
        raise unsigned("Stripe-Signature is missing, or has no t and v1")
    signed = instants[0].encode() + b"." + call.body
    right = hmac.digest(secret.encode(), signed, "sha256").hex()
    if not _any_fits(given, right):
        raise unsigned("Stripe-Signature is not of this secret")
    check_age(call, instants[0])


def check_standard(call: Call, secret: str) -> str:
    """Standard Webhooks, symmetric (`v1`); Svix's older names of the headers too. Gives the id."""
    said = [
        _either(call, f"webhook-{name}", f"svix-{name}")
        for name in ("id", "timestamp", "signature")
    ]
    message_id, instant, given = said
    if not all(said):
        raise unsigned("webhook-id, webhook-timestamp or webhook-signature is missing")
    check_age(call, instant)
    key = signing_key(secret)
    right = "" if key is None else standard_signature(key, message_id, int(instant), call.body)
    if not right or not _any_fits(given.split(" ")[:SIGNATURES_MAX], right):
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
    right = hmac.digest(key.encode(), (instant + token).encode(), "sha256").hex()
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
    if not sum(bool(one) and fits(one, secret) for one in said):
        raise unsigned(
            "the secret is missing or wrong: ?token=…, a Bearer token or Basic's password"
        )


def _either(call: Call, name: str, other: str) -> str:
    return call.headers.get(name, "") or call.headers.get(other, "")
