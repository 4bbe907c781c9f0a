"""What is in a cart and what was viewed, made anew from all that happened, each time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.conditions.trees import Happened

CLEARING = ("Order Completed", "Cart Cleared")


def cart_of(arrived: Sequence[Happened]) -> dict[str, Any]:
    """The cart of whoever did this: all of it taken in order of time, whatever came first."""
    items: dict[str, dict[str, Any]] = {}
    for one in in_time(arrived):
        key = one.said.get("product_id")
        number = one.said.get("quantity", 1)
        if one.name in CLEARING:
            items = {}
        elif one.name == "Product Added":
            held = items.pop(key, {"quantity": 0})["quantity"]
            items[key] = {**one.said, "quantity": held + number}
        elif one.name == "Product Removed" and key in items:
            items[key]["quantity"] -= number
            if items[key]["quantity"] <= 0:
                del items[key]
    value = math.fsum(item["price"] * item["quantity"] for item in items.values())
    return {"items": list(items.values()), "size": len(items), "value": value}


def recent_of(arrived: Sequence[Happened]) -> list[dict[str, Any]]:
    """The last ten different products viewed, newest first."""
    viewed: dict[str, dict[str, Any]] = {}
    for one in in_time(arrived):
        if one.name == "Product Viewed":
            viewed.pop(one.said["product_id"], None)
            viewed[one.said["product_id"]] = one.said
    return list(viewed.values())[:-11:-1]


def in_time(arrived: Sequence[Happened]) -> list[Happened]:
    """In order of `t`, then of arrival; what came late is not newer than a clear of its instant."""
    applied, cleared = -1, -1
    counted = []
    for one in arrived:
        if one.t >= applied or one.t != cleared:
            counted.append(one)
        if one.name in CLEARING:
            cleared = max(cleared, one.t)
        applied = max(applied, one.t)
    return sorted(counted, key=lambda one: one.t)
