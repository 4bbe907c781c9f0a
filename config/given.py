"""What is given in a shop test: what users do, as a client would say it, and what fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from channels.base import CHANNEL_IDS
from config.cast import as_json
from config.faults import nearest, shown
from config.schema import GIVEN, HAPPENINGS
from config.source import Fields, kind_of
from config.yaml12 import Mapping, plain
from engine.core.intake.items import Item, ItemInvalid, read_item
from engine.core.intake.starts import TRIGGER, StartSaid, content_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Mapping as MappingOf

    from config.cast import Cast
    from config.moments import Moments
    from engine.core.inputs import FromClient, TriggerReceived

GIVEN_HINT: Final = "write `- {at: +0s, user: ada, event: Product Added}`"


class Outage(msgspec.Struct, frozen=True):
    """Deliveries fail on a channel, or succeed again, from an instant on.

    Attributes:
        user_id: To whom; "" is to everybody.
        reason: Why they fail; "" where they succeed again.
    """

    at_ms: int
    channel: str
    user_id: str
    reason: str


def read_given(
    fields: Fields, cast: Cast, moments: Moments, campaigns: Iterable[str]
) -> FromClient | TriggerReceived | Outage | None:
    """One thing that is given; None where it is at fault, which is told.

    `campaigns` are those that the shop has.
    """
    kind = one_of(fields, HAPPENINGS, GIVEN_HINT)
    at_ms = moments.read(fields, "at") if fields.required("at", GIVEN_HINT) else None
    if kind is None:
        return None
    for name, line in fields.node.lines.items():
        if name in GIVEN and name not in {kind, "at", "user", *HAPPENINGS[kind]}:
            fields.source.fault(line, f"{name} beside `{kind}`", "leave it out")
    if kind in {"fail", "recover"}:
        return _outage(fields, kind, at_ms)
    user_id = cast.meant(fields)
    if at_ms is None or user_id is None:
        return None
    cast.named[user_id] = None
    if kind == "alias" and (other := fields.text(kind)) is not None:
        cast.named[other] = None
    try:
        if kind == TRIGGER:
            return _start(fields, user_id, at_ms, campaigns)
        item = _item(fields, kind, user_id, at_ms, moments)
        return None if item is None else read_item(item)
    except ItemInvalid as error:
        fields.source.fault(fields.node.line, f"{kind} {error.text}", GIVEN_HINT)
        return None


def one_of(fields: Fields, kinds: MappingOf[str, object], hint: str) -> str | None:
    """The one of several keys that a map has; none of them, or more, is a fault."""
    found = [name for name in kinds if name in fields.node.entries]
    if len(found) == 1:
        return found[0]
    if found:
        told = f"several things at once: {', '.join(found)}"
        fields.source.fault(fields.node.line, told, "begin each with a `- ` of its own")
    elif fields.all_known:
        fields.source.fault(fields.node.line, "says nothing", hint)  # else a slip is told already
    return None


def known(fields: Fields, key: str, name: str, names: Iterable[str]) -> None:
    """A name under a key that is none of those that there are is a fault."""
    there = list(names)
    if name not in there:
        fields.fault(key, f"is {shown(name)}, which there is not", nearest(name, there))


def _item(fields: Fields, kind: str, user_id: str, at_ms: int, moments: Moments) -> Item | None:
    """What is given as a client would say it; None where that is no text."""
    received_at_ms = at_ms
    if "received" in fields.node.entries:
        received_at_ms = moments.read(fields, "received") or at_ms
        if received_at_ms < at_ms:
            fields.fault("received", "is before `at`", "what has not happened is not received")
    item = Item(user_id=user_id, timestamp=at_ms, received_at=received_at_ms)
    item.message_id = fields.text("id")
    if kind == "identify":
        item.type = kind
        item.traits = _object(fields, kind)
        return item
    name = fields.text(kind)
    if kind == "alias":
        item.type = kind
        item.previous_id = name
    elif kind == "event":
        item.event = name
        item.properties = _object(fields, "properties")
    else:
        item.type = kind
        item.model = name
        value = fields.get("value")
        item.score = as_json(plain(value)) if value is not None else item.score
    return item if name is not None else None


def _start(
    fields: Fields, user_id: str, at_ms: int, campaigns: Iterable[str]
) -> TriggerReceived | None:
    """A campaign that is started by hand; None where it is at fault. Raises ItemInvalid."""
    said = fields.text(TRIGGER, "the id of a campaign")
    if said is None:
        return None
    known(fields, TRIGGER, said, campaigns)
    start = StartSaid(said, content_of(_object(fields, "content")), fields.text("id") or "")
    return start.of(user_id, at_ms)


def _outage(fields: Fields, kind: str, at_ms: int | None) -> Outage | None:
    channel = fields.text(kind, "a channel")
    if channel is None or at_ms is None:
        return None
    known(fields, kind, channel, CHANNEL_IDS)
    user_id = fields.text("user") or ""
    reason = "" if kind == "recover" else fields.text("reason") or "the channel failed"
    return Outage(at_ms, channel, user_id, reason)


def _object(fields: Fields, name: str) -> msgspec.Raw:
    """A map as JSON; an empty one where there is none, or none that fits (a fault)."""
    node = fields.get(name)
    if node is None:
        return as_json({})
    if not isinstance(node, Mapping):
        fields.fault(name, f"is {kind_of(node)}", "write a map, like {price: 20.0}")
        return as_json({})
    return as_json(plain(node))
