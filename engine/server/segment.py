"""The Segment HTTP tracking API: bodies as its and RudderStack's stock SDKs send them.

`POST /v1/track`, `identify`, `page`, `screen` and their one-letter forms carry one call, the route
says which; `POST /v1/batch` (and `import`) carries many, each with its own `type`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from engine.core.intake.items import ItemInvalid, decode_item, read_item
from engine.server.bodies import decode_body

if TYPE_CHECKING:
    from engine.core.inputs import FromClient
    from engine.core.intake.items import Instant
    from engine.server.sorting import Sorted

ROUTES: Final = {
    "/v1/track": "track",
    "/v1/identify": "identify",
    "/v1/page": "page",
    "/v1/screen": "screen",
    "/v1/group": "group",
    "/v1/alias": "alias",
    "/v1/t": "track",
    "/v1/i": "identify",
    "/v1/p": "page",
    "/v1/s": "screen",
    "/v1/g": "group",
    "/v1/a": "alias",
    "/v1/batch": "",
    "/v1/b": "",
    "/v1/import": "",
}
"""The kind of call that a route carries; "" is a batch."""

_SPELLING: Final = {
    "$.user_id": "$.userId",
    "$.message_id": "$.messageId",
    "$.sent_at": "$.sentAt",
    "$.anonymous_id": "$.anonymousId",
    "$.previous_id": "$.previousId",
    "$.group_id": "$.groupId",
}


class SegmentBatch(msgspec.Struct, rename="camel"):
    """The body of `POST /v1/batch`."""

    batch: list[msgspec.Raw]
    sent_at: object = None


_decode_batch = msgspec.json.Decoder(SegmentBatch).decode
_decode_any = msgspec.json.Decoder(msgspec.Raw).decode


async def sort_batch(body: bytes, into: Sorted) -> None:
    """The items of a batch. Raises Refusal where the body is no batch. O(size)."""
    batch = decode_body(_decode_batch, body)
    sent_at = batch.sent_at
    if not isinstance(sent_at, str | int | float):
        sent_at = None if sent_at is None else str(sent_at)
    read = partial(read_call, received_at_ms=into.received_at_ms, kind="", sent_at=sent_at)
    await into.take_all(batch.batch, into.judging(read), "$.batch")


def sort_call(body: bytes, into: Sorted, kind: str) -> None:
    """The one call of a body. Raises Refusal where it is no JSON. O(size)."""
    read = into.judging(
        partial(read_call, received_at_ms=into.received_at_ms, kind=kind, sent_at=None)
    )
    if not into.take_at_once(body, read):
        into.take(decode_body(_decode_any, body), read)


def read_call(raw: bytes, *, received_at_ms: int, kind: str, sent_at: Instant = None) -> FromClient:
    """What a call of this kind says, or of the one that it names. Raises ItemInvalid. O(size)."""
    try:
        item = decode_item(raw)
        if kind:
            item.type = kind
        if sent_at is not None and item.segment_sent_at is None:
            item.segment_sent_at = sent_at
        return read_item(item, received_at_ms)
    except ItemInvalid as fault:
        fault.path = _SPELLING.get(fault.path, fault.path)
        raise
