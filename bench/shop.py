"""A shop of ten campaigns for scenarios: two of them match what the load says, now and then.

Every campaign waits before it sends, so that a short run measures taking events and not deliveries.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

WRITE_KEY = "bench-write-key"

USERS = 10_000

_SETTINGS = f"""
[shop]
name = "Bench"

[server]
rate = 0

[keys]
write = ["{WRITE_KEY}"]

[consent]
unknown = "allow"

[storage]
sync = "full"
"""

WAIT_S = 60

WAITING = f"""
campaign: waiting
enter:
  event: Go
steps:
  - wait: {WAIT_S}s
"""
"""A campaign whose deadline lies so long after an event's own time: it chooses when it is due."""

_CART = """
campaign: cart
enter:
  event: Product Added
  when: event.price > 20.0
  reentry: 1m
exit:
  event: Order Completed
steps:
  - wait: 1h
  - send: email
    template: reminder
"""

_BROWSE = """
campaign: browse
enter:
  event: Product Viewed
  when: event.price > 60.0
  reentry: 1m
exit:
  event: Order Completed
steps:
  - wait: 30m
  - send: email
    template: reminder
"""

_OTHER = """
campaign: {name}
enter:
  event: {event}
  when: user.country == "FR" && event.price > 60.0
exit:
  event: Order Completed
steps:
  - wait: 1d
  - send: email
    template: reminder
"""

_OTHER_EVENTS = {
    "signed-up": "Signed Up",
    "reviewed": "Product Reviewed",
    "wished": "Wishlist Item Added",
    "shared": "Product Shared",
    "refunded": "Order Refunded",
    "coupon": "Coupon Entered",
    "lapsed": "Subscription Cancelled",
    "quiz": "Quiz Completed",
}

_TEMPLATE = """---
subject: "{{ event.product_id }}"
---
<p>{{ event.product_id }}</p>
"""

EVENTS = ("Page Left", "Product Viewed", "Product Added", "Checkout Started", "Order Completed")
"""Names of all events that are drawn."""

_WEIGHTS = (30, 50, 12, 5, 3)


def write_shop(folder: Path) -> None:
    """Write the shop's files; the folder is there."""
    campaigns = {"cart": _CART, "browse": _BROWSE}
    for name, event in _OTHER_EVENTS.items():
        campaigns[name] = _OTHER.format(name=name, event=event)
    for name in ("campaigns", "templates"):
        (folder / name).mkdir()
    (folder / "hairspring.toml").write_text(_SETTINGS)
    (folder / "templates" / "reminder.email.liquid").write_text(_TEMPLATE)
    for name, text in campaigns.items():
        (folder / "campaigns" / f"{name}.yaml").write_text(text)


def draw_calls(count: int, at: str, first: int = 0) -> list[dict[str, object]]:
    """As many track calls, as a stock client words them; the same for the same arguments. O(n).

    Args:
        count: How many; message ids are different.
        at: Their time stamp (ISO 8601).
        first: What the numbers in message ids count from.
    """
    draw = random.Random(f"{count} {first}" if first else count)
    names = draw.choices(EVENTS, _WEIGHTS, k=count)
    return [
        {
            "type": "track",
            "userId": f"user-{draw.randrange(USERS)}",
            "event": name,
            "messageId": f"message-{number:08}",
            "timestamp": at,
            "properties": {
                "product_id": f"sku-{draw.randrange(500)}",
                "price": draw.randrange(100, 10_000) / 100,
                "quantity": 1,
                "currency": "EUR",
            },
        }
        for number, name in enumerate(names, start=first)
    ]
