"""A shop that has been open for a while, so that no page of it is empty."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from config import load_folder, write_starter
from tests.server.dashboard.shop import Served, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

DAY_MS: Final = 86_400_000
USERS: Final = 40
NAMES: Final = ("Ada", "Amir", "Bea", "Chidi", "Dana", "Elif", "Finn", "Grace")
DEFECT: Final = {
    "campaigns/winter-sale.yaml": """
campaign: winter-sale
description: Early access to the sale, half of them with free delivery
purpose: transactional
enter: {event: Sale Opened}
holdout: 10%
goal: {event: Order Completed, within: 7d, value: event.total}
steps:
  - split:
      name: delivery
      variants:
        free: {weight: 1}
        usual: {weight: 1}
    id: delivery
  - split:
      name: tone
      variants:
        warm: {weight: 1}
        plain: {weight: 1}
    id: tone
  - {send: email, template: winter-sale, id: letter}
  - {wait: {event: Order Completed, at_most: 2d}, id: order}
""",
    "templates/winter-sale.email.liquid": """---
subject: The sale is open
---
<p>{{ 100 | divided_by: user.orders }} of a hundred.
<a href="https://fern-and-oak.example/sale">See it</a></p>
""",
}
"""What goes wrong for each user whose `orders` are 0: their messages are dead letters."""


PAGES: Final = (
    "/", "/campaigns", "/campaigns/winter-sale", "/campaigns/cart-abandonment",
    "/campaigns/cart-abandonment/file", "/experiments", "/users", "/users?q=shopper-1",
    "/users/shopper-37", "/users/shopper-37?campaign=cart-abandonment", "/users/shopper-37/erase",
    "/segments", "/deadlines", "/deliveries", "/funnel",
    "/funnel?event=Signed+Up&event=Product+Added&event=Order+Completed", "/discover",
    "/discover?goal=Order+Completed&within=3d", "/templates",
    "/templates/cart-reminder.email?user=shopper-37", "/templates/cart-reminder.push", "/catalog",
)  # fmt: skip
"""Each page that there is, with something on it."""

WRONG: Final = (
    "/funnel?event=Signed+Up&within=soon", "/discover?goal=Order+Completed&days=0", "/users/nobody",
    "/users/shopper-37?campaign=cart-abandonment&at=soon", "/campaigns/none", "/none",
)  # fmt: skip
"""Pages that say what is wrong with what was asked."""


def user(number: int) -> str:
    return f"shopper-{number}"


@asynccontextmanager
async def full_shop(folder: Path) -> AsyncIterator[Served]:
    """The demo shop with three weeks behind it, dead letters, and items in quarantine."""
    home = folder / "shop"
    write_starter(home)
    for name, text in DEFECT.items():
        (home / name).write_text(text)
    async with serve(folder / "data", load_folder(home), home) as made:
        begins_ms = made.app.clock.now_ms() - 21 * DAY_MS
        for number in range(USERS):
            await made.send(*_visit(number, begins_ms))
        await made.send(*({"user_id": user(n), "event": "Sale Opened"} for n in range(USERS)))
        for number in (3, 8, 13):
            bad = {"user_id": user(number), "event": "", "properties": {"said": "thanks " * 30}}
            await made.send_bad(bad)
        await made.settled()
        yield made


def _visit(number: int, begins_ms: int) -> list[dict[str, Any]]:
    first_name = NAMES[number % len(NAMES)]
    begins_ms += number * 3_600_000
    mug: dict[str, Any] = {"product_id": "mug-01", "name": "Stoneware mug", "price": 18.0}
    mug["currency"] = "EUR"
    done: list[tuple[str, dict[str, Any]]] = [("Signed Up", {"plan": "free"})]
    done += [("Product Viewed", mug)] * (1 + number % 3) + [("Product Added", mug)]
    if number % 3 == 2:  # who looks thrice is who buys
        done.append(("Order Completed", {"order_id": f"A{number}", "total": 18.0, "products": []}))
    # A few come now, so that something waits.
    pause_ms = DAY_MS if number < USERS - 6 else 1_000
    start_ms = begins_ms if pause_ms == DAY_MS else begins_ms + 21 * DAY_MS - number * 3_600_000
    traits = {
        "first_name": first_name,
        "name": f"{first_name} Example",
        "email": f"{first_name.lower()}.{number}@example.com",
        "city": ("Lyon", "Paris", "Lille")[number % 3],
        "consent": {"email": number % 5 > 0, "sms": False},
        "orders": number % 4,
    }
    told = [{"type": "identify", "user_id": user(number), "traits": traits}]
    return told + [
        {"user_id": user(number), "event": name, "properties": said,
         "timestamp": start_ms + place * pause_ms - (0 if pause_ms == DAY_MS else 60_000)}
        for place, (name, said) in enumerate(done)
    ]  # fmt: skip
