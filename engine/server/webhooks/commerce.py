"""What shops' webhooks have in common: orders, their products, people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.server.webhooks.heard import Said, filled, instant, number, text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.server.webhooks.heard import Json, Who


def event(
    who: Who,
    name: str,
    properties: dict[str, Any],
    *,
    timestamp: object = None,
    passive: bool = False,
    key: str = "",
    told_since: object = None,
) -> Said:
    """Something that happened; `passive` where the user has not done it, the last two as `Said`'s.

    `timestamp` and `told_since` are instants as a source writes them.
    """
    item: dict[str, Any] = {"type": "track", "event": name, "properties": properties}
    if (at_ms := instant(timestamp)) is not None:
        item["timestamp"] = at_ms
    if passive:
        item["passive"] = True
    return Said(who=who, item=item, key=key, told_since_ms=instant(told_since) if key else None)


def traits(who: Who, said: dict[str, Any], *, timestamp: object = None) -> Iterable[Said]:
    """Who he is, where anything is said of that."""
    known = filled(email=who.email, phone=who.phone) | said
    if not known:
        return
    item: dict[str, Any] = {"type": "identify", "traits": known}
    if who.anonymous_id and (who.id or who.email):
        item["anonymous_id"] = who.anonymous_id
    if (at_ms := instant(timestamp)) is not None:
        item["timestamp"] = at_ms
    yield Said(who=who, item=item)


def product(
    line: Json, *, product_id: object, name: object, variant: object, price: object
) -> dict[str, Any]:
    """One line of an order, in the words of Segment's ecommerce events."""
    return filled(
        product_id=text(product_id),
        sku=text(line.get("sku")),
        name=text(name),
        variant=text(variant),
        brand=text(line.get("vendor")),
        price=number(price),
        quantity=number(line.get("quantity")),
    )


def full_name(first: object, last: object) -> str:
    """Both, as far as they are there."""
    return " ".join(filter(None, (text(first), text(last))))
