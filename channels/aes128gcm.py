"""Encryption of a push message for one browser: `aes128gcm` (RFC 8188) with keys of RFC 8291."""

from __future__ import annotations

import hmac
import secrets
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

RECORD_BYTES: Final = 4096
"""The size of the one record, and what every push service takes of a body (RFC 8291, 4)."""

SALT_BYTES: Final = 16
POINT_BYTES: Final = 65
"""Of a public key of P-256 as X9.62 writes it without compression."""

SECRET_BYTES: Final = 16
"""Of a subscription's `auth`."""

PLAIN_BYTES_MAX: Final = RECORD_BYTES - (SALT_BYTES + 4 + 1 + POINT_BYTES) - 1 - 16
"""What of a message fits: a record less its header, the delimiter and the tag of AES-GCM."""

_LAST_RECORD: Final = b"\x02"


def encrypt(plain: bytes, receiver: ec.EllipticCurvePublicKey, auth: bytes) -> bytes:
    """The body of a push request; another each time. About 0.1 ms.

    Args:
        plain: At most `PLAIN_BYTES_MAX`.
        receiver: The subscription's `p256dh`, a key of P-256.
        auth: The subscription's `auth`, `SECRET_BYTES` long.
    """
    assert len(plain) <= PLAIN_BYTES_MAX, "the caller refuses what is longer"
    own = ec.generate_private_key(ec.SECP256R1())
    salt = secrets.token_bytes(SALT_BYTES)
    own_point, point = encoded_point(own.public_key()), encoded_point(receiver)
    shared = own.exchange(ec.ECDH(), receiver)
    # Two extractions and expansions of HKDF (RFC 5869), each of one block.
    extracted = hmac.digest(auth, shared, "sha256")
    keying = hmac.digest(extracted, b"WebPush: info\0" + point + own_point + b"\x01", "sha256")
    extracted = hmac.digest(salt, keying, "sha256")
    key = hmac.digest(extracted, b"Content-Encoding: aes128gcm\0\x01", "sha256")[:16]
    nonce = hmac.digest(extracted, b"Content-Encoding: nonce\0\x01", "sha256")[:12]
    head = salt + RECORD_BYTES.to_bytes(4, "big") + bytes([POINT_BYTES]) + own_point
    return head + AESGCM(key).encrypt(nonce, plain + _LAST_RECORD, None)


def encoded_point(key: ec.EllipticCurvePublicKey) -> bytes:
    """A public key as the wire has it, `POINT_BYTES` long."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
