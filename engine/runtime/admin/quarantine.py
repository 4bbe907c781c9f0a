"""The quarantine, told: to operators, and to whoever asks what is held of him."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from engine.core.instants import format_instant
from engine.store import holdings

if TYPE_CHECKING:
    from engine.store import Store
    from engine.store.holdings import Item

LISTED: Final = 100
"""Items of a page, unless asked for more or fewer."""

LISTED_MAX: Final = 1_000


async def page(store: Store, *, source: str | None, limit: int, after: int) -> dict[str, Any]:
    """Items from behind the number `after` on, oldest first; `next` is where the next page begins.

    `source` leaves out what did not come by it; `total` counts them all.
    """
    items = await holdings.quarantine(store, after=after, limit=limit, source=source)
    behind = items[-1].number if len(items) == limit else None
    told = [told_item(item) for item in items]
    return {"total": store.quarantine.rows, "items": told, "next": behind}


def told_item(item: Item) -> dict[str, Any]:
    """An item for who reads JSON: its body as JSON where it is that, else as text."""
    body: Any
    try:
        body = msgspec.json.decode(item.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        body = item.body.decode("utf-8", "replace")
    return {
        "number": item.number,
        "received_at": format_instant(item.received_at_ms),
        "source": item.source,
        "path": item.path,
        "reason": item.reason,
        "body": body,
    }
