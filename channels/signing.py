"""Signatures by the Standard Webhooks specification, symmetric form (`v1`, HMAC-SHA256)."""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import Final

_PREFIX: Final = "whsec_"


def signing_key(secret: str) -> bytes | None:
    """The key that a secret stands for, or None where it is not base64.

    The specification writes secrets as `whsec_` and base64; the prefix and the padding may be
    missing, as its reference implementations allow.
    """
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX) + "==") or None
    except (binascii.Error, ValueError):
        return None


def signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature` for one body.

    Args:
        key: As `signing_key` gives it.
        message_id: The value of `webhook-id`; without dots, which separate what is signed.
        timestamp: The value of `webhook-timestamp`, seconds since the epoch.
        body: The request's body.
    """
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    digest = hmac.digest(key, signed, "sha256")
    return f"v1,{base64.b64encode(digest).decode()}"
