"""A process with a shop and its archive, and the operator's key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config import load_shop
from engine.runtime.versions import NO_VERSIONS
from tests.cart import CART

if TYPE_CHECKING:
    from tests.server.house import House

KEY = {"Authorization": "Bearer an-admin-key"}


def open_house(house: House) -> int:
    """Have the house run the shop; its first instant."""
    house.operate()
    shop = load_shop(CART)
    now_ms = house.clock.now_ms()
    house.processor.adopt(shop.plan, now_ms, shop.content, NO_VERSIONS)
    return now_ms
