"""A small shop: who comes waits for an hour, and is sent a message."""

from __future__ import annotations

from typing import Final

CART: Final = {
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
"""Its files."""
