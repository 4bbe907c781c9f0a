"""`/track`: events from where no JSON body can be sent, a picture's address or a page that is left.

`GET /track?user_id=…&event=…&key=…` answers with a picture of one transparent pixel. `POST /track`
takes the same as a form, or a body as `POST /events` takes it: `navigator.sendBeacon` sends either,
and can set no header, so that the key may stand in the address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from engine.server.answers import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

FIELDS: Final = frozenset({"user_id", "anonymous_id", "event", "timestamp", "message_id"})
"""Parameters that are fields of the item; what is neither one of them nor `KEY` is a property."""

KEY: Final = "key"
"""The parameter that has the write key."""

PARAMETERS_MAX: Final = 100

GIF: Final = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00!\xf9\x04\x01\x00\x00\x00\x00"
    b",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
"""A transparent picture of 1 x 1 (GIF89a, 1990)."""

NEVER_KEPT: Final = "no-store, no-cache, must-revalidate, private, max-age=0"
_INSTANT_DIGITS_MAX: Final = 15
_encode = msgspec.json.Encoder().encode


def pixel() -> web.Response:
    """The picture, which nobody between here and the reader keeps."""
    headers = {"Content-Type": "image/gif", "Cache-Control": NEVER_KEPT}
    return web.Response(body=GIF, headers=headers)


def item_of(parameters: Iterable[tuple[str, str]]) -> bytes:
    """The item that parameters say, in the native form; of a name said twice, the last. O(size)."""
    item: dict[str, object] = {}
    properties = {}
    for name, value in parameters:
        if name in FIELDS:
            item[name] = int(value) if name == "timestamp" and _is_instant(value) else value
        elif name != KEY:
            properties[name] = value
    if properties:
        item["properties"] = properties
    return _encode(item)


def _is_instant(text: str) -> bool:
    """Whether it is milliseconds; a longer number is no instant, and Python reads not every one."""
    return text.isascii() and text.isdecimal() and len(text) <= _INSTANT_DIGITS_MAX


def form_of(body: bytes) -> dict[str, str]:
    """The parameters of a form (`x-www-form-urlencoded`); none where the body is JSON. O(size).

    Raises Refusal (400) where it is neither.
    """
    if body.lstrip()[:1] in {b"{", b"["}:
        return {}
    try:
        said = parse_qsl(body.decode(), True, True, max_num_fields=PARAMETERS_MAX)
    except ValueError as error:
        message = f"the body is neither JSON nor a form: {error}"
        raise Refusal(400, "body.malformed", message) from None
    return dict(said)
