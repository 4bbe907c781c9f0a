"""Who pushes: a key of our own and tokens signed with it (VAPID, RFC 8292).

A browser subscribes with the public key, and its push service then takes messages from the owner of
the private one alone. So the key is made once and kept: under another one, every subscription
would have to be made again.
"""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from channels.aes128gcm import encoded_point
from channels.keeping import keep_secret
from channels.settings import SettingsFault

if TYPE_CHECKING:
    from pathlib import Path

    from yarl import URL

FILE: Final = "push.key"
"""Its name in the data folder, where the settings name no key."""

TOKEN_LASTS_S: Final = 12 * 3_600
"""How long a token is good; RFC 8292 allows a day, and clocks differ."""

ORIGINS_MAX: Final = 64
"""Tokens kept, one a push service. There are a handful; an endpoint may name any host."""

_RENEWED_S: Final = 3_600
_SCALAR_BYTES: Final = 32
_HEAD: Final = urlsafe_b64encode(b'{"typ":"JWT","alg":"ES256"}').rstrip(b"=")
_encode = msgspec.json.Encoder().encode


class Vapid:
    """Signs for one key.

    Args:
        key: As `read_key` gives it.
        contact: Whom a push service may write to: `mailto:…` or `https://…`.

    Attributes:
        public_key: What browsers subscribe with (`applicationServerKey`), in base64url.
    """

    def __init__(self, key: ec.EllipticCurvePrivateKey, contact: str) -> None:
        self.public_key = to_base64url(encoded_point(key.public_key()))
        self._key = key
        self._contact = contact
        self._tokens: dict[str, tuple[int, str]] = {}

    def authorization(self, endpoint: URL, now_s: int) -> str:
        """The value of `Authorization` for a push service. O(1); a signature twice a day."""
        origin = str(endpoint.origin())
        ends_s, header = self._tokens.get(origin, (0, ""))
        # One of later than now is from before the clock was set back.
        if not now_s + _RENEWED_S < ends_s <= now_s + TOKEN_LASTS_S:
            ends_s = now_s + TOKEN_LASTS_S
            header = f"vapid t={self._token(origin, ends_s)}, k={self.public_key}"
            while len(self._tokens) >= ORIGINS_MAX:
                del self._tokens[next(iter(self._tokens))]
            self._tokens[origin] = (ends_s, header)
        return header

    def _token(self, origin: str, ends_s: int) -> str:
        """A JSON Web Token (RFC 7519) by ES256 (RFC 7518, 3.4)."""
        claims = _encode({"aud": origin, "exp": ends_s, "sub": self._contact})
        signed = _HEAD + b"." + urlsafe_b64encode(claims).rstrip(b"=")
        r, s = decode_dss_signature(self._key.sign(signed, ec.ECDSA(SHA256())))
        both = r.to_bytes(_SCALAR_BYTES, "big") + s.to_bytes(_SCALAR_BYTES, "big")
        return f"{signed.decode()}.{to_base64url(both)}"


def take_key(configured: str, data: Path) -> ec.EllipticCurvePrivateKey:
    """The key: as configured, else the one in the data folder, made where there is none.

    Only the user of the process may read the file.

    Raises:
        SettingsFault: The file cannot be read or written, or neither holds a key.
    """
    said, place = configured, "the key"
    if not configured:
        path = data / FILE
        place = str(path)
        try:
            said = path.read_text("ascii", "replace") if path.exists() else _make(path)
        except OSError as error:
            hint = "let this user read and write the data folder, or set channels.push.vapid_key"
            told = f"{path} cannot be used: {error.strerror}"
            raise SettingsFault("push", "vapid_key", told, hint=hint) from error
    key = read_key(said)
    if key is None:
        raise SettingsFault("push", "vapid_key", f"{place} is no key of P-256", hint=KEY_HINT)
    return key


KEY_HINT: Final = (
    "32 bytes in base64url, as web-push tools print a private key, or PEM; "
    "without it one is made and kept in the data folder"
)


def read_key(said: str) -> ec.EllipticCurvePrivateKey | None:
    """A private key of P-256 from base64url of its 32 bytes, or from PEM; None where it is none."""
    try:
        if "-----BEGIN" in said:
            key = load_pem_private_key(said.encode(), None)
            is_ours = isinstance(key, ec.EllipticCurvePrivateKey) and key.key_size == 256  # noqa: PLR2004 - P-256
            return key if is_ours and isinstance(key, ec.EllipticCurvePrivateKey) else None
        scalar = from_base64url(said.strip())
        if len(scalar) != _SCALAR_BYTES:
            return None
        return ec.derive_private_key(int.from_bytes(scalar, "big"), ec.SECP256R1())
    except (ValueError, TypeError):
        return None


def _make(path: Path) -> str:
    scalar = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    path.parent.mkdir(parents=True, exist_ok=True)
    return keep_secret(path, to_base64url(scalar.to_bytes(_SCALAR_BYTES, "big")))


def to_base64url(raw: bytes) -> str:
    """Without padding, as RFC 7515 writes it."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_base64url(said: str) -> bytes:
    """Of either alphabet, with padding or without. Raises ValueError on anything else."""
    plain = said.replace("-", "+").replace("_", "/").rstrip("=")
    return b64decode(plain + "=" * (-len(plain) % 4), validate=True)
