"""PostHog's capture API: `POST /batch/`, as its stock server SDKs send it.

What one of its items says is often two things: an event, and under `$set` traits of the user. Each
becomes an input of its own, traits first, so that a condition over the event sees them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from engine.core.intake.items import (
    Id,
    Instant,
    Item,
    ItemInvalid,
    invalid_of,
    mend_surrogates,
    message_id_of,
    read_item,
)
from engine.server.bodies import decode_body

if TYPE_CHECKING:
    from engine.core.inputs import FromClient
    from engine.core.intake.tracking_plan import TrackingPlan
    from engine.server.sorting import Sorted

ROUTES: Final = ("/batch/", "/batch")
"""Where its clients send; the form without a slash is for those who type it."""

_PAGE_PROPERTIES: Final = {"$current_url": "url", "$pathname": "path", "$referrer": "referrer"}
"""What Segment's clients call the same; the original stays beside it."""

_SPELLING: Final = {
    "$.user_id": "$.distinct_id",
    "$.message_id": "$.uuid",
    "$.traits": "$.$set",
    "$.anonymous_id": "$.properties.$anon_distinct_id",
    "$.previous_id": "$.properties.alias",
    "$.group_id": "$.properties.$group_key",
}
"""Where its items have what ours call so."""


class CapturedBatch(msgspec.Struct):
    """The body: many items, or itself one."""

    batch: list[msgspec.Raw] | None = None
    sent_at: Instant = None


class Captured(msgspec.Struct):
    """One item."""

    distinct_id: Id = None
    event: str | None = None
    properties: dict[str, Any] = {}
    timestamp: Instant = None
    sent_at: Instant = None
    uuid: Id = None
    set: dict[str, Any] | None = msgspec.field(default=None, name="$set")
    set_once: dict[str, Any] | None = msgspec.field(default=None, name="$set_once")


_decode_batch = msgspec.json.Decoder(CapturedBatch).decode
_decode_captured = msgspec.json.Decoder(Captured).decode
_encode = msgspec.json.Encoder().encode


async def sort_captured(body: bytes, into: Sorted) -> None:
    """The items of a body. Raises Refusal where it is no JSON object. O(size)."""
    said = decode_body(_decode_batch, body)

    def read(raw: bytes) -> FromClient:
        inputs = read_captured(raw, into.received_at_ms, said.sent_at, into.plan)
        into.inputs += inputs[:-1]
        return inputs[-1]

    if said.batch is None:
        into.take(body, read)
    else:
        await into.take_all(said.batch, read, "$.batch")


def read_captured(
    raw: bytes,
    received_at_ms: int,
    sent_at: Instant = None,
    plan: TrackingPlan | None = None,
) -> list[FromClient]:
    """What an item says, at least one input; all of them fit the plan. Raises ItemInvalid. O(size).

    Of one of which a part cannot be taken, nothing is.
    """
    captured = _decode(raw)
    if captured.sent_at is None:
        captured.sent_at = sent_at
    try:
        inputs = [read_item(item, received_at_ms) for item in _items(captured)]
        return inputs if plan is None else [plan.judge(one) for one in inputs]
    except ItemInvalid as fault:
        fault.path = _spelled(fault.path)
        raise


def _spelled(path: str) -> str:
    """A path of ours, as it is in the item: of what lies within, by where it begins."""
    if path.startswith("$.traits."):
        return path.replace("$.traits", _SPELLING["$.traits"], 1)
    return _SPELLING.get(path, path)


def _decode(raw: bytes) -> Captured:
    try:
        return _decode_captured(mend_surrogates(raw))
    except msgspec.MsgspecError as error:
        raise invalid_of(error, "$") from error
    except UnicodeDecodeError:
        raise ItemInvalid("is not UTF-8") from None
    except RecursionError:
        raise ItemInvalid("nests too deep") from None


def _items(captured: Captured) -> list[Item]:
    """What an item says, in the forms that `read_item` knows; at least one."""
    said = captured.properties
    items = []
    identified = _identified(captured)
    if identified is not None:
        items.append(identified)
    once = captured.set_once or said.get("$set_once")
    if once:
        items.append(_item(captured, type="default", traits=_object(once)))
    match captured.event:
        case "$identify" | "$set" | "$create_alias":
            pass
        case "$groupidentify":
            group = _object(said.get("$group_set") or {})
            items.append(
                _item(captured, type="group", group_id=said.get("$group_key"), traits=group)
            )
        case "$pageview":
            page = said | {new: said[old] for old, new in _PAGE_PROPERTIES.items() if old in said}
            items.append(_item(captured, type="page", properties=_object(page)))
        case "$screen":
            name = said.get("$screen_name")
            items.append(
                _item(
                    captured,
                    type="screen",
                    name=name if isinstance(name, str) else None,
                    properties=_object(said),
                )
            )
        case name:
            items.append(_item(captured, type="track", event=name, properties=_object(said)))
    uuid = message_id_of(captured.uuid)
    for place, item in enumerate(items):
        # The event keeps the id: duplicates of it are found by whoever sends it in another form.
        item.message_id = f"{uuid}:{place}" if uuid and item is not items[-1] else uuid
    return items


def _identified(captured: Captured) -> Item | None:
    """What it says of who the user is: traits, a second id, or nothing."""
    said = captured.properties
    if captured.event == "$create_alias":
        return _item(captured, type="alias", previous_id=said.get("alias"))
    traits = captured.set or said.get("$set")
    device = said.get("$anon_distinct_id") if captured.event == "$identify" else None
    if not traits and captured.event not in {"$identify", "$set"}:
        return None
    return _item(captured, type="identify", anonymous_id=device, traits=_object(traits or {}))


def _item(captured: Captured, **what: Any) -> Item:  # noqa: ANN401 - fields of an item
    who = {"user_id": captured.distinct_id}
    if _is_nobodys_name(captured.properties) and what["type"] not in {"alias", "group"}:
        who = {"anonymous_id": captured.distinct_id}
    item = Item(**{**who, **what})
    item.timestamp, item.sent_at = captured.timestamp, captured.sent_at
    _judge_ids(item)
    return item


def _is_nobodys_name(said: dict[str, Any]) -> bool:
    """Whether the client says that it has drawn the id itself."""
    return said.get("$process_person_profile") is False or said.get("$is_identified") is False


def _judge_ids(item: Item) -> None:
    """Properties are of any type, and three of them are ids."""
    for field in ("anonymous_id", "previous_id", "group_id"):
        if not isinstance(getattr(item, field), str | int | None):
            raise ItemInvalid("is no text", path=f"$.{field}")


def _object(value: object) -> msgspec.Raw:
    return msgspec.Raw(_encode(value))
