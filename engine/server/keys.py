"""Who may send events: write keys, however a client says them."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING

import msgspec

from engine.server.answers import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp import web

BEARER = "Bearer "
_BASIC = "basic"


class _Said(msgspec.Struct):
    """A key inside a body: Segment's `writeKey`, PostHog's `api_key`."""

    write_key: object = msgspec.field(default=None, name="writeKey")
    api_key: object = None
    batch: object = None


_decode_said = msgspec.json.Decoder(_Said).decode
_decode_any = msgspec.json.Decoder().decode


class WriteKeys:
    """The keys that send events.

    A write key is no secret (browsers carry it), so it is looked up, not compared in constant
    time.

    Args:
        keys: As `[keys] write` has them.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = frozenset(keys)
        # What stock clients send, so that the usual request costs one look-up.
        self._headers = frozenset(
            header
            for key in self._keys
            for header in (BEARER + key, "Basic " + b64encode(f"{key}:".encode()).decode())
        )

    def check(self, request: web.Request, body: bytes) -> None:
        """Raise Refusal (401) unless a header or the body names a write key. O(1), or O(body)."""
        header = request.headers.get("Authorization", "")
        if header in self._headers:
            return
        said = [key for key in (_from_header(header), _from_body(body)) if key]
        if any(key in self._keys for key in said):
            return
        message = (
            "this write key is not known; see [keys] write in hairspring.toml"
            if said
            else "a write key is missing: as the user name of HTTP Basic, as a Bearer token, "
            "or as writeKey in the body"
        )
        code = "key.unknown" if said else "key.missing"
        challenge = {"WWW-Authenticate": 'Basic realm="hairspring", charset="UTF-8"'}
        raise Refusal(401, code, message, headers=challenge)


def _from_header(header: str) -> str:
    scheme, _, value = header.strip().partition(" ")
    value = value.strip()
    if scheme.lower() == "bearer":
        return value
    if scheme.lower() != _BASIC:
        return ""
    try:
        return b64decode(value, validate=True).decode().partition(":")[0]
    except (binascii.Error, ValueError):
        return ""


def _from_body(body: bytes) -> str:
    """The key that a body says itself, or its first item: of a batch, an array or lines."""
    try:
        said = _decode_said(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _from_first(body)
    return _key_of({"writeKey": said.write_key, "api_key": said.api_key}) or _key_of(said.batch)


def _from_first(body: bytes) -> str:
    for text in (body, body.partition(b"\n")[0]):
        try:
            return _key_of(_decode_any(text))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
    return ""


def _key_of(said: object) -> str:
    if isinstance(said, list):
        said = said[0] if said else None
    if isinstance(said, dict):
        for name in ("writeKey", "api_key"):
            if isinstance(key := said.get(name), str):
                return key
    return ""
