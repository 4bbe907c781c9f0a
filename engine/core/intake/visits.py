"""Where a visit came from, as Segment's clients say it: `context.campaign`.

They take the UTM parameters of the page's address apart and say them there with every call, also
with a track call, which bears no address. They become what the same parameters are in the native
form: the properties `utm_source` to `utm_content`, where the event has none of that name.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

_SPELLED: Final = {
    "source": "utm_source",
    "medium": "utm_medium",
    "name": "utm_campaign",
    "term": "utm_term",
    "content": "utm_content",
}
"""https://segment.com/docs/connections/spec/common/#context"""


class _Context(msgspec.Struct):
    campaign: dict[str, Any] = {}


_decode_context = msgspec.json.Decoder(_Context).decode
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


def with_utm(properties: msgspec.Raw, context: msgspec.Raw, keys_max: int) -> msgspec.Raw:
    """Properties with what an event's context says of its UTM, within so many keys. O(size).

    A context that says it in another form says nothing: it is no reason to refuse an event.
    """
    if b'"campaign"' not in bytes(context):
        return properties
    try:
        said = _decode_context(context).campaign
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return properties
    known = _decode_object(properties)
    found = {
        name: value
        for key, name in _SPELLED.items()
        if isinstance(value := said.get(key), str) and value and name not in known
    }
    if not found or len(known) + len(found) > keys_max:
        return properties
    return msgspec.Raw(_encode(known | found))
