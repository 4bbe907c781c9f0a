"""The native form: one JSON object, an array of them, or one a line (NDJSON)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from engine.core.intake.items import decode_item, mend_surrogates, read_item
from engine.server.answers import Refusal
from engine.server.bodies import decode_body

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.core.inputs import FromClient
    from engine.server.sorting import Sorted

_decode_any = msgspec.json.Decoder(msgspec.Raw).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


async def sort_events(body: bytes, into: Sorted, kind: str = "") -> bool:
    """The items of a body; whether it was one object. O(size).

    An item without a `type` is of this `kind`, or else a track call.

    A body is taken for NDJSON where it is no JSON text but one of its lines is an object: then a
    malformed line is one bad item. Raises Refusal (400) where it is neither.
    """
    read = into.judging(partial(read_native, received_at_ms=into.received_at_ms, kind=kind))
    if into.take_at_once(body, read):
        return True
    many = body.lstrip()[:1] == b"["
    items: Sequence[bytes]
    try:
        items = decode_body(_decode_list, body) if many else [decode_body(_decode_any, body)]
    except Refusal:
        items = _lines(body)
        if not items:
            raise
        many = True
    if many:
        await into.take_all(items, read, "$")
    else:
        into.take(items[0], read)
    return not many


def _lines(body: bytes) -> list[bytes]:
    """The lines of NDJSON that are not blank, or none where it is something else."""
    lines = [line for line in mend_surrogates(body).split(b"\n") if line.strip()]
    return lines if len(lines) > 1 and any(map(_is_object, lines)) else []


def _is_object(line: bytes) -> bool:
    try:
        _decode_object(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def read_native(raw: bytes, *, received_at_ms: int, kind: str = "") -> FromClient:
    """What an item says. Raises ItemInvalid. O(size)."""
    item = decode_item(raw)
    if kind and item.type is None:
        item.type = kind
    return read_item(item, received_at_ms)
