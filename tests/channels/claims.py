"""What a token of VAPID says."""

from __future__ import annotations

from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from channels.vapid import (
    from_base64url,
)


def claims(header: str) -> dict[str, Any]:
    """What a push service reads, once it has verified who says it (RFC 8292)."""
    assert header.startswith("vapid t=")
    token, _, key = header.removeprefix("vapid t=").partition(", k=")
    head, said, signature = token.split(".")
    raw = from_base64url(signature)
    encoded = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), from_base64url(key))
    public.verify(encoded, f"{head}.{said}".encode(), ec.ECDSA(SHA256()))
    assert msgspec.json.decode(from_base64url(head)) == {"typ": "JWT", "alg": "ES256"}
    return msgspec.json.decode(from_base64url(said))
