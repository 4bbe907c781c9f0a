"""A process with a shop and its archive, and the operator's key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config import load_shop
from engine.runtime.versions import NO_VERSIONS

if TYPE_CHECKING:
    from tests.server.house import House

KEY = {"Authorization": "Bearer an-admin-key"}
FILES = {
    "hairspring.toml": "[consent]\nrequired = []\n",
    "templates/t.in_app.liquid": "---\ntitle: Hi\n---\nHi",
    "campaigns/cart.yaml": """
campaign: cart
enter: {event: Go}
steps:
  - {wait: 1h, id: first}
  - {send: in_app, template: t, id: one}
""",
}


def open_house(house: House) -> int:
    """Have the house run the shop; its first instant."""
    house.operate()
    shop = load_shop(FILES)
    now_ms = house.clock.now_ms()
    house.processor.adopt(shop.plan, now_ms, shop.content, NO_VERSIONS)
    return now_ms
