"""Who may send events, how many and from which web pages: write keys, however clients say them."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING

import msgspec

from engine.core.intake.items import mend_surrogates
from engine.server.answers import Refusal
from engine.server.clients import client_of
from engine.server.origins import ORIGIN, foreign, origin_of
from engine.server.rates import Allowance, BadKeys, EachAddress, bucket_of_events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from aiohttp import web

    from config.serving import WriteKey
    from engine.runtime.metrics import Metrics
    from engine.server.bodies import Limits

BEARER = "Bearer "
_BASIC = "basic"


class _Said(msgspec.Struct):
    """A key inside a body: Segment's `writeKey`, PostHog's `api_key`."""

    write_key: object = msgspec.field(default=None, name="writeKey")
    api_key: object = None
    batch: object = None


_decode_said = msgspec.json.Decoder(_Said).decode
_decode_any = msgspec.json.Decoder().decode


class Admitted:
    """A write key that a request came with.

    Attributes:
        allowance: What it may send.
        origins: Of web pages that may use it; None: any.
        each: What each address may send with it; None: all that the key may.
    """

    __slots__ = ("allowance", "each", "origins")

    def __init__(
        self,
        allowance: Allowance,
        origins: frozenset[str] | None,
        each: EachAddress | None = None,
    ) -> None:
        self.allowance = allowance
        self.origins = origins
        self.each = each


class WriteKeys:
    """The keys that send events.

    A write key is no secret (browsers carry it), so it is looked up, not compared in constant
    time.

    Args:
        keys: As `[keys] write` has them.
        limits: What each may send, where it has no rate of its own.
        metrics: Counts who is refused.
        monotonic_ns: What rates are held against.
    """

    def __init__(
        self,
        keys: Iterable[WriteKey],
        limits: Limits,
        metrics: Metrics,
        monotonic_ns: Callable[[], int],
    ) -> None:
        limited = metrics.refused.labels("rate").inc
        limited_each = metrics.refused.labels("address").inc
        self._keys: dict[str, Admitted] = {}
        for key in keys:
            rate = limits.rate if key.rate is None else key.rate
            told = "this write key (server.rate)" if key.rate is None else "this write key"
            origins = None if key.origins is None else frozenset(map(origin_of, key.origins))
            allowance = Allowance(
                bucket_of_events(rate, limits.events_max) if rate else None,
                what=told,
                monotonic_ns=monotonic_ns,
                on_refused=limited,
            )
            each = None
            if key.rate_each:
                each = EachAddress(
                    key.rate_each,
                    limits.events_max,
                    monotonic_ns=monotonic_ns,
                    on_refused=limited_each,
                )
            self._keys[key.key] = Admitted(allowance, origins, each)
        # What stock clients send, so that the usual request costs one look-up.
        self._headers = {
            header: admitted
            for key, admitted in self._keys.items()
            for header in (BEARER + key, "Basic " + b64encode(f"{key}:".encode()).decode())
        }
        self._bad = BadKeys(monotonic_ns, refused=metrics.refused)
        self._foreign = metrics.refused.labels("origin").inc

    @property
    def origins(self) -> list[frozenset[str] | None]:
        """Of each key, whose pages may use it; None: anybody's."""
        return [admitted.origins for admitted in self._keys.values()]

    def admit(self, request: web.Request, body: bytes) -> Allowance:
        """The allowance of the write key that a header or the body names. O(1), or O(body).

        Raises Refusal: 401 without one, 403 for a page that it is not for, 429 where it, or
        the address that it comes from, has used its rate up.
        """
        header = request.headers.get("Authorization", "")
        admitted = self._headers.get(header)
        if admitted is None:
            said = [key for key in (_from_header(header), key_in(body)) if key]
            admitted = self._look_for(request, said)
        return self._let_in(request, admitted)

    def admit_said(self, request: web.Request, said: str, *, guess: bool = False) -> Allowance:
        """As `admit`, for a request that names the key in its address, as `said`, or in a header.

        With `guess`, where there is but one key none need be named.
        """
        key = said or _from_header(request.headers.get("Authorization", ""))
        if not key and guess and len(self._keys) == 1:
            (key,) = self._keys
        return self._let_in(request, self._look_for(request, [key] if key else []))

    def _let_in(self, request: web.Request, admitted: Admitted) -> Allowance:
        if admitted.origins is not None:
            origin = request.headers.get(ORIGIN)
            if origin is not None and origin not in admitted.origins:
                self._foreign()
                raise foreign(origin)
        allowance, each = admitted.allowance, admitted.each
        if each is not None:
            allowance = each.within(allowance, client_of(request))
        allowance.begin()
        return allowance

    def _look_for(self, request: web.Request, said: Sequence[str]) -> Admitted:
        for key in said:
            if key in self._keys:
                return self._keys[key]
        self._bad.note(request, "key")
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


def key_in(body: bytes) -> str:
    """The key that a body, or the first item of a batch, an array or lines, says; else ""."""
    try:
        said = _decode_said(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _from_first(mend_surrogates(body))
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
