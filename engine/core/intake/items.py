"""One event as a client says it, in Segment's form or the native one, to an input of the core.

Whoever reads such items (the HTTP server, recorded files in virtual time) shares this: what an item
may say, which instant it happened at, and what is wrong with one that cannot be taken.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, TypeAlias

import msgspec

from engine.core.inputs import (
    EMPTY,
    EventNoticed,
    EventReceived,
    TraitsDefaulted,
    UserIdentified,
    UserScored,
    UsersMerged,
)
from engine.core.instants import parse_instant_ms
from engine.core.intake.visits import with_utm
from engine.core.past.sessions import SESSION_EVENTS
from engine.errors import HairspringError

if TYPE_CHECKING:
    from engine.core.inputs import FromClient

PAGE_VIEWED = "Page Viewed"
SCREEN_VIEWED = "Screen Viewed"

TEXT_LENGTH_MAX = 1_000
"""Characters of a user id, an event name or a message id."""

DEPTH_MAX = 100
"""How deep properties and traits may nest."""

PROPERTIES_MAX = 1_000
"""Properties of one event, those within an object not counted."""

TRAITS_MAX = 500
"""Traits of one identify call, and of one user."""

Instant: TypeAlias = str | int | float | None
Id: TypeAlias = str | int | None

_ESCAPES = re.compile(
    rb"\\(?:[^u]|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(u[dD][89a-fA-F][0-9a-fA-F]{2})|u)"
)
"""Escapes of a JSON text, left to right; the group is half a surrogate pair."""

_ABSENT = msgspec.Raw(b"")
_NULL = b"null"
_BRACKETS = (b"{", b"[")


class ItemInvalid(HairspringError):  # noqa: N818 - the item is; nothing else failed
    """An item that cannot be taken.

    Attributes:
        path: Where in it the fault lies, as `$.timestamp`; `$` is the item itself.
    """

    code = "item.invalid"

    def __init__(self, message: str, *, path: str = "$", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.path = path

    @property
    def text(self) -> str:
        """On one line: the path, what is wrong, what would be right."""
        told = self.message if self.path == "$" else f"{self.path}: {self.message}"
        return f"{told}; {self.hint}" if self.hint else told


class Item(msgspec.Struct, gc=False):
    """An item, decoded and not yet judged; Segment's spelling and the native one side by side.

    Attributes:
        original_timestamp: The client's own clock where `timestamp` was corrected, or left out.
        properties: A JSON object, or absent.
        passive: It is nothing that the user did.
        traits: As `properties`; Segment's clients may put them into `context.traits` alone.
    """

    type: str | None = None
    event: str | None = None
    name: str | None = None
    category: str | None = None
    user_id: Id = None
    segment_user_id: Id = msgspec.field(default=None, name="userId")
    segment_anonymous_id: Id = msgspec.field(default=None, name="anonymousId")
    message_id: Id = None
    segment_message_id: Id = msgspec.field(default=None, name="messageId")
    timestamp: Instant = None
    original_timestamp: Instant = msgspec.field(default=None, name="originalTimestamp")
    sent_at: Instant = None
    segment_sent_at: Instant = msgspec.field(default=None, name="sentAt")
    received_at: Instant = None
    segment_received_at: Instant = msgspec.field(default=None, name="receivedAt")
    properties: msgspec.Raw = _ABSENT
    traits: msgspec.Raw = _ABSENT
    context: msgspec.Raw = _ABSENT
    model: str | None = None
    score: msgspec.Raw = _ABSENT
    # Behind what events have, whose fields are looked for in this order.
    anonymous_id: Id = None
    previous_id: Id = None
    segment_previous_id: Id = msgspec.field(default=None, name="previousId")
    group_id: Id = None
    segment_group_id: Id = msgspec.field(default=None, name="groupId")
    passive: bool = False


class _Context(msgspec.Struct):
    traits: msgspec.Raw = _ABSENT


_item_decoder = msgspec.json.Decoder(Item)
_context_decoder = msgspec.json.Decoder(_Context)
_score_decoder = msgspec.json.Decoder(Annotated[float, msgspec.Meta(ge=0.0, le=1.0)])
_object_decoder = msgspec.json.Decoder(dict)
_encode = msgspec.json.Encoder().encode


def decode_item(data: bytes) -> Item:
    """An item from JSON in UTF-8. O(size).

    Half a surrogate pair, as JavaScript writes for a text cut inside an emoji, is read as U+FFFD.
    Raises ItemInvalid with what is wrong and where.
    """
    try:
        try:
            return _item_decoder.decode(data)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            mended = mend_surrogates(data)
            if mended == data:
                raise
            return _item_decoder.decode(mended)
    except msgspec.MsgspecError as error:
        raise invalid_of(error, "$") from error
    except RecursionError:
        raise ItemInvalid("nests too deep") from None
    except UnicodeDecodeError:
        raise ItemInvalid("is not UTF-8") from None


def mend_surrogates(text: bytes) -> bytes:
    """The same JSON text with U+FFFD for each escaped half of a surrogate pair. O(size)."""
    return _ESCAPES.sub(lambda found: b"\\ufffd" if found[1] else found[0], text)


def read_item(item: Item, received_at_ms: int | None = None) -> FromClient:
    """What an item means.

    Args:
        item: As decoded.
        received_at_ms: When the socket took it. None, for a recorded item: as it says itself
            (`receivedAt`), else its own timestamp, and then there is no skew to correct.

    Raises:
        ItemInvalid: No user, no event name, no instant, no score, or a field that is not what it
            must be.
    """
    kind = item.type or "track"
    if kind in {"track", "page", "screen"}:
        name = text_of(item.event, "$.event") if kind == "track" else _viewed(kind)
        if name in SESSION_EVENTS:  # a client's besides would be one more visit
            told = f"the engine makes {name!r} itself"
            raise ItemInvalid(told, path="$.event", hint="give your own another name")
        user_id = _user(item)
        occurred_at_ms, received_at_ms = _instants(item, received_at_ms)
        properties = object_of(item.properties, "$.properties", PROPERTIES_MAX)
        if kind != "track":
            properties = _named(item, properties)
        properties = with_utm(properties, item.context, PROPERTIES_MAX)
        form = EventNoticed if item.passive else EventReceived
        event = form(user_id, name, occurred_at_ms, received_at_ms, properties, _message_id(item))
        if item.segment_anonymous_id is not None or item.anonymous_id is not None:
            event.is_anonymous = _known_id(item) is None
        return event
    if kind in {"identify", "default", "group", "alias"}:
        return _identified(item, kind, received_at_ms)
    if kind == "score":
        return _scored(item, received_at_ms)
    hint = "track, identify, default, page, screen, score, group or alias"
    raise ItemInvalid(f"unknown type {kind[:60]!r}", path="$.type", hint=hint)


def _identified(item: Item, kind: str, received_at_ms: int | None) -> UserIdentified:
    """Who a user is; with two ids, that both are his. A `default` call says what nobody has said.

    What a group call says is a trait of its own, `group`, which bears the group's id as `id`.
    """
    user_id, merged_id = _user(item), ""
    if kind == "alias":
        user_id = _id(_known_id(item), "$.user_id")
        merged_id = _id(_either(item.previous_id, item.segment_previous_id), "$.previous_id")
    elif kind == "identify" and _known_id(item) is not None:
        said = _anonymous_id(item)
        merged_id = "" if said is None or said == "" else _id(said, "$.anonymous_id")
    traits = EMPTY
    if kind != "alias":
        traits = _group(item) if kind == "group" else _traits(item)
    occurred_at_ms, received_at_ms = _instants(item, received_at_ms)
    said_at = (occurred_at_ms, received_at_ms)
    if merged_id and (kind == "alias" or merged_id != user_id):
        merged = UsersMerged(user_id, *said_at, traits, _message_id(item), merged_id=merged_id)
        merged.is_alias = kind == "alias"
        return merged
    form = TraitsDefaulted if kind == "default" else UserIdentified
    identified = form(user_id, *said_at, traits, _message_id(item))
    identified.is_anonymous = _known_id(item) is None
    return identified


def _group(item: Item) -> msgspec.Raw:
    group_id = _id(_either(item.group_id, item.segment_group_id), "$.group_id")
    said = _object_decoder.decode(object_of(item.traits, "$.traits", TRAITS_MAX))
    return msgspec.Raw(_encode({"group": {**said, "id": group_id}}))


def _scored(item: Item, received_at_ms: int | None) -> UserScored:
    user_id = _user(item)
    model = text_of(item.model, "$.model")
    try:
        score = _score_decoder.decode(item.score)
    except msgspec.MsgspecError:
        is_there = bytes(item.score)
        told = "is no number from 0.0 to 1.0" if is_there else "missing; a number from 0.0 to 1.0"
        raise ItemInvalid(told, path="$.score") from None
    occurred_at_ms, received_at_ms = _instants(item, received_at_ms)
    scored = UserScored(user_id, model, score, occurred_at_ms, received_at_ms, _message_id(item))
    scored.is_anonymous = _known_id(item) is None
    return scored


def _viewed(kind: str) -> str:
    return PAGE_VIEWED if kind == "page" else SCREEN_VIEWED


def _user(item: Item) -> str:
    user_id = item.user_id
    if user_id is None or user_id == "":
        user_id = item.segment_user_id
        if user_id is None or user_id == "":
            user_id = _anonymous_id(item)
    return _id(user_id, "$.user_id")


def _known_id(item: Item) -> Id:
    """The id that somebody has given him, or None."""
    user_id = item.user_id
    if user_id is None or user_id == "":
        user_id = item.segment_user_id
    return None if user_id == "" else user_id


def _anonymous_id(item: Item) -> Id:
    return _either(item.anonymous_id, item.segment_anonymous_id)


def _either(native: Id, segment: Id) -> Id:
    return segment if native is None else native


def _id(said: Id, path: str) -> str:
    return text_of(str(said) if isinstance(said, int) else said, path)


def _message_id(item: Item) -> str:
    message_id = item.message_id
    return message_id_of(item.segment_message_id if message_id is None else message_id)


def message_id_of(said: Id) -> str:
    """An id for duplicates; "" where none is said. Raises ItemInvalid."""
    message_id = "" if said is None else str(said)
    if len(message_id) > TEXT_LENGTH_MAX:
        raise ItemInvalid(f"longer than {TEXT_LENGTH_MAX} characters", path="$.message_id")
    return message_id


def text_of(value: str | None, path: str) -> str:
    """A text that says something, within its limit. Raises ItemInvalid."""
    if not value or value.isspace():
        raise ItemInvalid("missing" if value is None else "empty", path=path)
    if len(value) > TEXT_LENGTH_MAX:
        raise ItemInvalid(f"longer than {TEXT_LENGTH_MAX} characters", path=path)
    return value


def _instants(item: Item, received_at_ms: int | None) -> tuple[int, int]:
    """Event time and time received (campaigns.md, Time)."""
    said = item.timestamp
    if item.original_timestamp is not None:
        said = item.original_timestamp  # then `timestamp` has its skew taken out already
    if received_at_ms is None:
        received = item.received_at
        if received is None:
            received = item.segment_received_at
        if received is None:
            if item.timestamp is not None:
                said = item.timestamp
            if said is None:
                raise ItemInvalid("missing", path="$.timestamp", hint="say when it happened")
            occurred_at_ms = _instant_ms(said, "$.timestamp")
            return occurred_at_ms, occurred_at_ms
        received_at_ms = _instant_ms(received, "$.received_at")
    if said is None:
        return received_at_ms, received_at_ms
    occurred_at_ms = _instant_ms(said, "$.timestamp")
    sent = item.sent_at if item.sent_at is not None else item.segment_sent_at
    if sent is not None:
        occurred_at_ms += received_at_ms - _instant_ms(sent, "$.sent_at")
    return max(0, min(occurred_at_ms, received_at_ms)), received_at_ms


def _instant_ms(value: str | float, path: str) -> int:
    try:
        return parse_instant_ms(value)
    except ValueError as error:
        raise ItemInvalid(str(error), path=path) from None


def object_of(raw: msgspec.Raw, path: str, keys_max: int) -> msgspec.Raw:
    """A JSON object of its own (a copy, which pins no request), known to decode. O(size)."""
    data = bytes(raw)
    if not data or data == _NULL:
        return EMPTY
    # What two bytes a level cannot hold needs no count.
    if len(data) > 2 * DEPTH_MAX and depth_of(data) > DEPTH_MAX:
        raise ItemInvalid(f"nests deeper than {DEPTH_MAX}", path=path)
    try:
        # A raw value is checked for its form alone: numbers may be out of range, text not UTF-8.
        keys = len(_object_decoder.decode(data))
    except msgspec.MsgspecError as error:
        raise invalid_of(error, path) from error
    except UnicodeDecodeError:
        raise ItemInvalid("is not UTF-8", path=path) from None
    if keys > keys_max:
        raise ItemInvalid(f"has {keys} keys, more than {keys_max}", path=path)
    return msgspec.Raw(data)


def depth_of(data: bytes) -> int:
    """How deep JSON nests; brackets in texts count too where there are very many. O(size)."""
    if sum(data.count(bracket) for bracket in _BRACKETS) <= DEPTH_MAX:
        return 0
    deepest = depth = 0
    quoted = escaped = False
    for byte in data:
        if quoted:
            quoted = escaped or byte != 0x22  # noqa: PLR2004 - a quotation mark
            escaped = byte == 0x5C and not escaped  # noqa: PLR2004 - a backslash
        elif byte == 0x22:  # noqa: PLR2004 - a quotation mark
            quoted = True
        elif byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest


def _traits(item: Item) -> msgspec.Raw:
    if bytes(item.traits) in {b"", _NULL} and bytes(item.context) not in {b"", _NULL}:
        try:
            context = _context_decoder.decode(item.context)
        except msgspec.MsgspecError as error:
            raise invalid_of(error, "$.context") from error
        return object_of(context.traits, "$.context.traits", TRAITS_MAX)
    return object_of(item.traits, "$.traits", TRAITS_MAX)


def _named(item: Item, properties: msgspec.Raw) -> msgspec.Raw:
    """The properties of a page or screen, its name and category among them."""
    known = _object_decoder.decode(properties)
    for key, value in (("name", item.name), ("category", item.category)):
        if value is not None:
            known[key] = value
    return msgspec.Raw(_encode(known))


def invalid_of(error: msgspec.MsgspecError, path: str) -> ItemInvalid:
    """What msgspec calls `Expected … - at `$.x``,, as a fault with its path."""
    message, _, found = str(error).partition(" - at `")
    found = found.rstrip("`")
    return ItemInvalid(message.replace("`", ""), path=path + found.removeprefix("$"))
