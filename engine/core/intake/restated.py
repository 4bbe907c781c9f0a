"""What was read from an item, as an item again: for whoever finds later that it cannot be taken."""

from __future__ import annotations

import msgspec

from engine.core.inputs import TraitsDefaulted, UserIdentified, UsersMerged

_encode = msgspec.json.Encoder().encode


def as_item(identified: UserIdentified) -> bytes:
    """An identify or alias call in the native form, as `decode_item` reads it. O(size)."""
    said: dict[str, object] = {
        "type": "identify",
        "user_id": identified.user_id,
        "timestamp": identified.occurred_at_ms,
        "traits": identified.traits,
    }
    if isinstance(identified, TraitsDefaulted):
        said["type"] = "default"
    elif isinstance(identified, UsersMerged):
        if identified.is_alias:
            said |= {"type": "alias", "previous_id": identified.merged_id}
            del said["traits"]
        else:
            said["anonymous_id"] = identified.merged_id
    if identified.message_id:
        said["message_id"] = identified.message_id
    return _encode(said)
