"""A manual start as clients say it (`POST /trigger`) and as recorded files have it.

Both forms share what a start may say: for whom, of which campaign, with which content.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from engine.core.inputs import EMPTY, TriggerReceived
from engine.core.instants import parse_instant_ms
from engine.core.intake.items import (
    PROPERTIES_MAX,
    Id,
    Instant,
    ItemInvalid,
    invalid_of,
    mend_surrogates,
    message_id_of,
    object_of,
    text_of,
)

if TYPE_CHECKING:
    from typing import Any

TRIGGER = "trigger"
"""The `type` of a recorded manual start."""

CONTENT_BYTES_MAX = 16 << 10
"""Bytes of a manual start's content: it is kept as long as the enrollment lasts."""

CAMPAIGN_LENGTH_MAX = 100
"""Characters of a campaign's id."""

_ABSENT = msgspec.Raw(b"")


class StartSaid(msgspec.Struct, frozen=True, gc=False):
    """What a manual start says, and for whomever it is.

    Attributes:
        campaign: The campaign's id.
        content: A JSON object.
        message_id: For duplicates, or "".
    """

    campaign: str
    content: msgspec.Raw = EMPTY
    message_id: str = ""

    def of(self, user_id: str, received_at_ms: int) -> TriggerReceived:
        """For the only user whom it is for."""
        return TriggerReceived(
            user_id, self.campaign, received_at_ms, self.content, self.message_id
        )

    def of_many(self, user_id: str, received_at_ms: int) -> TriggerReceived:
        """For one of many users: each has a message id of his own."""
        said = self.message_id
        # Preceded by its length, so that no two pairs read the same.
        message_id = f"{len(said)}:{said}:{user_id}" if said else ""
        return TriggerReceived(user_id, self.campaign, received_at_ms, self.content, message_id)


class _Recorded(msgspec.Struct, gc=False):
    """A line of a file, decoded and not yet judged; Segment's spelling and the native one."""

    user_id: Id = None
    segment_user_id: Id = msgspec.field(default=None, name="userId")
    campaign: str | None = None
    trigger_type: str | None = None
    content: msgspec.Raw = _ABSENT
    message_id: Id = None
    segment_message_id: Id = msgspec.field(default=None, name="messageId")
    timestamp: Instant = None
    received_at: Instant = None
    segment_received_at: Instant = msgspec.field(default=None, name="receivedAt")


_decode = msgspec.json.Decoder(_Recorded).decode


def read_trigger(line: bytes) -> TriggerReceived:
    """A recorded manual start, taken when it says that it was received, else at its timestamp.

    `line` is JSON (`decode_item` reads it). Raises ItemInvalid.
    """
    try:
        said = _decode(mend_surrogates(line))
    except msgspec.MsgspecError as error:
        raise invalid_of(error, "$") from error
    user_id = user_of(said.segment_user_id if said.user_id is None else said.user_id, "$.user_id")
    start = StartSaid(
        campaign_of(said.campaign, said.trigger_type),
        content_of(said.content),
        message_id_of(said.segment_message_id if said.message_id is None else said.message_id),
    )
    received = said.segment_received_at if said.received_at is None else said.received_at
    instant, path = received, "$.received_at"
    if instant is None:
        instant, path = said.timestamp, "$.timestamp"
    if instant is None:
        raise ItemInvalid("missing", path=path, hint="say when it was started")
    try:
        return start.of(user_id, parse_instant_ms(instant))
    except ValueError as error:
        raise ItemInvalid(str(error), path=path) from None


def campaign_of(campaign: str | None, trigger_type: str | None) -> str:
    """The id of the campaign that is meant; `_` and `-` are alike. Raises ItemInvalid."""
    path = "$.campaign" if trigger_type is None and campaign is not None else "$.trigger_type"
    if campaign is not None and trigger_type is not None:
        raise ItemInvalid("beside campaign, which means the same", path=path, hint="say one")
    said = text_of(campaign if trigger_type is None else trigger_type, path)
    if len(said) > CAMPAIGN_LENGTH_MAX:
        raise ItemInvalid(f"longer than {CAMPAIGN_LENGTH_MAX} characters", path=path)
    return said.replace("_", "-")


def content_of(raw: msgspec.Raw) -> msgspec.Raw:
    """A start's content: a JSON object, `{}` where none is said. O(size). Raises ItemInvalid."""
    path = "$.content"
    size = len(bytes(raw))
    if size > CONTENT_BYTES_MAX:
        raise ItemInvalid(f"has {size} bytes, more than {CONTENT_BYTES_MAX}", path=path)
    return object_of(raw, path, PROPERTIES_MAX)


def user_of(said: Any, path: str) -> str:  # noqa: ANN401 - it is judged here
    """A user's id: a text, or a whole number as text. Raises ItemInvalid."""
    if isinstance(said, int) and not isinstance(said, bool):
        said = str(said)
    if said is not None and not isinstance(said, str):
        raise ItemInvalid("is no text and no whole number", path=path)
    return text_of(said, path)
