"""Calls as each source signs them."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import json
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from channels.signing import signature, signing_key
from engine.core.instants import format_instant
from engine.runtime.clock import wall_ms

TIMED = ("stripe", "standard", "sendgrid", "mailgun", "resend")
"""Sources whose signature bears an instant."""

SECRET = "whsec_" + base64.b64encode(b"a secret of twenty-four!").decode()
_KEY = ec.generate_private_key(ec.SECP256R1())
SENDGRID_KEY = base64.b64encode(
    _KEY.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
).decode()


def hmac_base64(body: bytes, secret: str = SECRET) -> str:
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def hmac_hex(body: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def signed(kind: str, value: Any, now_ms: int, **more: str) -> tuple[bytes, dict[str, str]]:
    """The body and headers of a call; `more` are headers besides."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    now_s = now_ms // 1000
    headers: dict[str, str] = {}
    match kind:
        case "shopify":
            headers["X-Shopify-Hmac-Sha256"] = hmac_base64(body)
        case "woocommerce":
            headers["X-WC-Webhook-Signature"] = hmac_base64(body)
        case "stripe":
            given = hmac_hex(f"{now_s}.".encode() + body)
            headers["Stripe-Signature"] = f"t={now_s},v1={given}"
        case "standard" | "resend":
            key = signing_key(SECRET)
            assert key is not None
            message_id = more.pop("id", "msg_1")
            headers["webhook-id"] = message_id
            headers["webhook-timestamp"] = str(now_s)
            headers["webhook-signature"] = signature(key, message_id, now_s, body)
        case "sendgrid":
            given = _KEY.sign(str(now_s).encode() + body, ec.ECDSA(hashes.SHA256()))  # type: ignore[assignment]
            headers["X-Twilio-Email-Event-Webhook-Timestamp"] = str(now_s)
            headers["X-Twilio-Email-Event-Webhook-Signature"] = base64.b64encode(given).decode()  # type: ignore[arg-type]
        case "postmark" | "brevo":
            headers["Authorization"] = "Basic " + base64.b64encode(f"u:{SECRET}".encode()).decode()
        case "mailgun":
            token = more.pop("token", "a-token")
            stamp = {"timestamp": str(now_s), "token": token}
            stamp["signature"] = hmac_hex(f"{now_s}{token}".encode())
            is_new = "event-data" in value
            body = json.dumps(
                {**value, "signature": stamp} if is_new else {**value, **stamp}
            ).encode()
        case _:
            raise AssertionError(kind)
    return body, headers | more


class Amazon:
    """A topic of Amazon's, with a key of its own."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        day = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(1)
            .not_valid_before(day)
            .not_valid_after(day + dt.timedelta(days=9_000))
            .sign(self.key, hashes.SHA256())
            .public_bytes(serialization.Encoding.PEM)
        )
        self.asked: list[str] = []

    async def fetch(self, address: str) -> bytes:
        self.asked.append(address)
        return self.certificate

    def envelope(
        self, kind: str, message: str, *, at_ms: int | None = None, **more: str
    ) -> dict[str, str]:
        """What it sends, now unless told otherwise: signed over the fields that SNS signs.

        These are all that it is given.
        """
        published = format_instant(wall_ms() if at_ms is None else at_ms)
        said = {"Type": kind, "MessageId": "m1", "TopicArn": "arn:aws:sns:eu-west-1:1:mail",
                "Message": message, "Timestamp": published} | more  # fmt: skip
        signed = "".join(f"{name}\n{said[name]}\n" for name in sorted(said))
        given = self.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return said | {
            "SignatureVersion": "2",
            "Signature": base64.b64encode(given).decode(),
            "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/cert.pem",
        }
