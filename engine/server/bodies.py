"""Reading a body: bounded in size, time and nesting, gzip or not, JSON in UTF-8.

`Content-Type` is not asked: stock SDKs send `text/plain` and `x-www-form-urlencoded`. Nor is
`Content-Encoding`, where the first two bytes say gzip (RFC 1952) better than a proxy that may have
unpacked the body: no JSON text begins with them.
"""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING, TypeVar

import msgspec
from aiohttp import web

from engine.core.intake.items import mend_surrogates
from engine.server.answers import Fault, Refusal
from engine.server.floor import FLOOR, Floor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from config.serving import Server

_T = TypeVar("_T")

GZIP_MEMBERS_MAX = 16
"""A gzip body is one member; some clients append a few."""

BOM = b"\xef\xbb\xbf"
"""What .NET writes before a text in UTF-8; RFC 8259 (8.1) lets a reader ignore it."""

_GZIP = b"\x1f\x8b"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_PREFIXES = (_GZIP, BOM)
_GZIP_WINDOW = 31
_INFLATE_BYTES = 256 << 10
"""About half a millisecond of work; then the loop has its turn."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one request may bring (`[server]`).

    Attributes:
        body_max_bytes: Of a body, as sent and as inflated.
        events_max: Items in one body.
        event_max_bytes: Of one item.
        body_within_s: A client that takes longer to send a body is cut.
        rate: Events a second and key; 0: no limit.
    """

    body_max_bytes: int = 1 << 20
    events_max: int = 2500
    event_max_bytes: int = 32 << 10
    body_within_s: float = 15.0
    rate: int = 0

    @classmethod
    def of(cls, server: Server) -> Limits:
        """Those that a shop's settings say."""
        return cls(
            body_max_bytes=server.body_max_bytes,
            events_max=server.events_max,
            event_max_bytes=server.event_max_bytes,
            rate=server.rate,
        )


def body_at_hand(request: web.Request, limits: Limits) -> bytes:
    """The body as it was sent, where all of it has arrived and is within its limit; else b"".

    `read_body` has the rest to do where it is not `is_plain`.
    """
    content = request.content
    if content.is_eof() and content.total_bytes <= limits.body_max_bytes:
        return content.read_nowait()
    return b""


def is_plain(body: bytes) -> bool:
    """Whether a body is there, and its text from the first byte on."""
    return bool(body) and not body.startswith(_PREFIXES)


async def read_body(request: web.Request, limits: Limits, at_hand: bytes = b"") -> bytes:
    """The whole body, inflated and without a byte order mark.

    `at_hand` is it, as it was sent, where it was read before. O(size).

    Raises Refusal: 413 beyond `body_max`, 408 where it takes too long, 400 for what is no gzip or
    was cut short.
    """
    body_max = limits.body_max_bytes
    try:
        body = at_hand
        if not body:
            if (request.content_length or 0) > body_max:
                raise _too_large(body_max)
            async with asyncio.timeout(limits.body_within_s):
                body = await request.read()
    except TimeoutError:
        message = f"the body did not arrive within {limits.body_within_s:g} s"
        raise Refusal(408, "body.slow", message, headers={"Connection": "close"}) from None
    except web.HTTPRequestEntityTooLarge:
        raise _too_large(body_max) from None
    if body.startswith(_GZIP):
        body = await _inflate(body, body_max, request.app.get(FLOOR) or Floor())
    body = body.removeprefix(BOM)
    if not body:
        raise Refusal(400, "body.empty", "the body is empty")
    return body


def decode_body(decode: Callable[[bytes], _T], body: bytes) -> _T:
    """Decode a JSON text. O(size).

    Half a surrogate pair, as JavaScript writes for a text cut inside an emoji, is read as U+FFFD.
    Raises Refusal (400) for what is no JSON or not of the expected shape.
    """
    try:
        try:
            return decode(body)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            mended = mend_surrogates(body)
            if mended == body:
                raise
            return decode(mended)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `")
        fault = Fault(path.rstrip("`") or "$", message.replace("`", ""))
        raise Refusal(400, "body.invalid", "the body is not as expected", faults=[fault]) from None
    except msgspec.DecodeError as error:
        message = "the body is no JSON: " + str(error).removeprefix("JSON is malformed: ")
        if body.startswith(_UTF_16):
            message = "the body is UTF-16; send UTF-8"
        raise Refusal(400, "body.malformed", message) from None
    except UnicodeDecodeError:
        raise Refusal(400, "body.malformed", "the body is not UTF-8") from None
    except RecursionError:
        raise Refusal(400, "body.malformed", "the body nests too deep") from None


async def _inflate(body: bytes, body_max: int, floor: Floor) -> bytes:
    """What it unpacks to: what takes more than a slice, while no other long body is worked on."""
    inflated = bytearray()
    slices = _inflating(body, body_max, inflated)
    if next(slices, None) is not None:
        async with floor.given(len(body) + len(inflated)):
            for _ in slices:
                await asyncio.sleep(0)
    return bytes(inflated)


def _inflating(body: bytes, body_max: int, inflated: bytearray) -> Iterator[int]:
    """Unpack it into `inflated`; after each slice but the last, how much there is."""
    rest = body
    for _ in range(GZIP_MEMBERS_MAX):
        inflater = zlib.decompressobj(_GZIP_WINDOW)
        while not inflater.eof:
            try:
                part = inflater.decompress(rest, _INFLATE_BYTES)
            except zlib.error as error:
                raise Refusal(400, "body.gzip", f"the body is no gzip: {error}") from None
            inflated += part
            if len(inflated) > body_max:
                raise _too_large(body_max)
            rest = inflater.unconsumed_tail
            if len(part) == _INFLATE_BYTES:
                yield len(inflated)
            elif not rest and not inflater.eof:
                raise Refusal(400, "body.gzip", "the gzip body was cut short")
        rest = inflater.unused_data.lstrip(b"\0")
        if not rest:
            return
    raise Refusal(400, "body.gzip", f"the gzip body has more than {GZIP_MEMBERS_MAX} members")


def _too_large(body_max: int) -> Refusal:
    return Refusal(413, "body.too_large", f"the body exceeds {body_max} bytes (server.body_max)")
