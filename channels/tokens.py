"""Signed tokens: what stands in the links of a message, and what says who a browser's user is.

A link's token is base64url of `version | expiry | payload | mac`. The MAC is HMAC-SHA256 (RFC 2104)
over the token's purpose and all before it, cut to 128 bits: forging one is a guess in 2^128, and a
link stays short. A token of one purpose is none of another. What is in a token is signed, not
hidden: whoever has it can read it.

A user's token is made by the shop's own server, so its form is one that any language has at hand:

    v1.USER.EXPIRES.MAC

`USER` is the id in base64url without padding, `EXPIRES` seconds since the epoch, and `MAC`
base64url of HMAC-SHA256 with the signing key over `hairspring-user.v1.USER.EXPIRES`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

Purpose: TypeAlias = Literal["open", "click", "unsubscribe", "preferences", "survey"]

TOKEN_CHARS_MAX: Final = 6_000
"""A longer text is none: no request with it fits a server's line."""

_VERSION: Final = b"\x01"
_MAC_BYTES: Final = 16
_EXPIRY_BYTES: Final = 5
_HEAD_BYTES: Final = len(_VERSION) + _EXPIRY_BYTES
_USER_FORM: Final = re.compile(r"v1\.([A-Za-z0-9_-]{1,1400})\.([0-9]{1,12})\.([A-Za-z0-9_-]{43})")
_USER_DOMAIN: Final = "hairspring-user."


class TokenInvalid(Exception):  # noqa: N818 - what it is, as the page says
    """A text that was never signed here, or not for this; or altered since.

    Attributes:
        is_expired: It was, and its time is over; then `payload` is what it says.
    """

    def __init__(self, *, is_expired: bool = False, payload: bytes = b"") -> None:
        super().__init__("the token has expired" if is_expired else "this is no token of ours")
        self.is_expired = is_expired
        self.payload = payload


class Signer:
    """Signs and verifies.

    Args:
        keys: Secrets. The first one signs; what any of them has signed is taken, so that a key
            can be followed by another while links of before are still about.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        assert keys, "nothing can be signed without a key"
        self._keys = [hmac.new(key.encode(), digestmod=hashlib.sha256) for key in keys]

    def sign(self, purpose: Purpose, payload: bytes, expires_at_ms: int) -> str:
        """The token of a payload; the same for the same. About 3 µs."""
        expires_s = min(expires_at_ms // 1000, (1 << 8 * _EXPIRY_BYTES) - 1)
        said = _VERSION + expires_s.to_bytes(_EXPIRY_BYTES) + payload
        return _encode(said + _mac(self._keys[0], purpose, said))

    def read(self, purpose: Purpose, token: str, now_ms: int) -> bytes:
        """The payload of a token. Raises TokenInvalid. O(length), whatever it is."""
        data = _decode(token)
        said, mac = data[:-_MAC_BYTES], data[-_MAC_BYTES:]
        if len(said) < _HEAD_BYTES or said[:1] != _VERSION:
            raise TokenInvalid
        # All keys are asked, so that the time it takes says nothing of which one it was.
        known = [hmac.compare_digest(_mac(key, purpose, said), mac) for key in self._keys]
        if not any(known):
            raise TokenInvalid
        payload = said[_HEAD_BYTES:]
        if int.from_bytes(said[len(_VERSION) : _HEAD_BYTES]) * 1000 < now_ms:
            raise TokenInvalid(is_expired=True, payload=payload)
        return payload

    def sign_user(self, user_id: str, expires_at_ms: int) -> str:
        """What proves, until then, that a browser is that user's."""
        user = _encode(user_id.encode())
        said = f"v1.{user}.{expires_at_ms // 1000}"
        return f"{said}.{_user_mac(self._keys[0], said)}"

    def read_user(self, token: str, now_ms: int) -> str:
        """The user whose token it is. Raises TokenInvalid."""
        found = _USER_FORM.fullmatch(token)
        if found is None:
            raise TokenInvalid
        user, expires_s, mac = found.groups()
        said = f"v1.{user}.{expires_s}"
        known = [hmac.compare_digest(_user_mac(key, said), mac) for key in self._keys]
        if not any(known):
            raise TokenInvalid
        try:
            user_id = _decode(user).decode()
        except UnicodeDecodeError as fault:
            raise TokenInvalid from fault
        if int(expires_s) * 1000 < now_ms:
            raise TokenInvalid(is_expired=True, payload=user_id.encode())
        return user_id


class LinkFacts(msgspec.Struct, array_like=True, frozen=True, omit_defaults=True):
    """What a link in a message knows of it; its ids in few bytes (`links.short_id`).

    Attributes:
        channel: Its channel's id.
        about: What the link is for beside that: the address that a click leads to, or the topic of
            the message.
    """

    user_id: str
    message: bytes
    channel: str
    campaign: str
    enrollment: bytes
    step: str
    template: str
    variant: str
    sent_at_ms: int
    about: str = ""


_encode_facts = msgspec.msgpack.Encoder().encode
_decode_facts = msgspec.msgpack.Decoder(LinkFacts).decode


def pack_facts(facts: LinkFacts) -> bytes:
    """As short as they come."""
    return _encode_facts(facts)


def unpack_facts(payload: bytes) -> LinkFacts:
    """The inverse of `pack_facts`. Raises TokenInvalid where another version has packed them."""
    try:
        return _decode_facts(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        raise TokenInvalid from fault


def _mac(key: hmac.HMAC, purpose: str, said: bytes) -> bytes:
    return _signed(key, purpose.encode() + b"\0" + said)[:_MAC_BYTES]


def _user_mac(key: hmac.HMAC, said: str) -> str:
    return _encode(_signed(key, (_USER_DOMAIN + said).encode()))


def _signed(key: hmac.HMAC, said: bytes) -> bytes:
    # Not by `hmac.digest`: that lets go of the interpreter's lock for a microsecond's work, and has
    # it back when the thread that writes to the database is through with it.
    signing = key.copy()
    signing.update(said)
    return signing.digest()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    if not text.isascii() or len(text) > TOKEN_CHARS_MAX:
        raise TokenInvalid
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as fault:
        raise TokenInvalid from fault
    if _encode(data) != text:
        raise TokenInvalid  # the last character has bits to spare: one token has one spelling
    return data
