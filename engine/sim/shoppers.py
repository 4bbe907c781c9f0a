"""Simulated shoppers: who they are, and what they do in a demo shop, drawn from one generator.

A visit is a list of (pause before it, item) in the form that the HTTP door takes. Some shoppers
agree to email, some have push, some neither; some buy at once, some when reminded, most never.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random  # noqa: TID251 - the type; whoever calls owns the generator

_FIRST_NAMES = (
    "Ada", "Amir", "Bea", "Chidi", "Dana", "Elif", "Finn", "Grace", "Hugo", "Ines", "Jun", "Kofi",
    "Lena", "Mats", "Nora", "Omar", "Priya", "Quinn", "Rosa", "Sami", "Tove", "Uma", "Vera", "Wim",
)  # fmt: skip

_PRODUCTS = (
    ("mug-01", "Stoneware mug", 18.0),
    ("lamp-04", "Reading lamp", 129.0),
    ("throw-2", "Wool throw", 84.5),
    ("pan-28", "Cast-iron pan", 64.0),
    ("chair-7", "Oak chair", 245.0),
    ("soap-3", "Olive soap", 6.9),
)

SECOND_MS = 1_000
MINUTE_MS = 60_000
HOUR_MS = 3_600_000

# Shares of shoppers.
AGREE_TO_EMAIL = 0.8
HAVE_PUSH = 0.7
SIGN_UP = 0.4
BUY_AT_ONCE = 0.35
BUY_LATER = 0.25
OPEN = 0.6
NOTICE = 0.5
CLICK = 0.4
"""Of those who open a mail, see a push message or notice one in the shop."""

_PIXEL = re.compile(r"/o/[\w.-]+\.gif")
_LINK = re.compile(r"/c/[\w.-]+")


class Act(msgspec.Struct, frozen=True):
    """One thing a shopper does: `pause_ms` (logical) after the one before."""

    pause_ms: int
    item: dict[str, Any]


def visit(rng: Random, number: int, shop_url: str) -> Iterator[Act]:
    """What shopper `number` does, from signing up to buying or leaving, on pages of a shop."""
    user_id = f"shopper-{number}"
    first_name = rng.choice(_FIRST_NAMES)
    traits: dict[str, Any] = {
        "first_name": first_name,
        "email": f"{first_name.lower()}.{number}@example.com",
        "consent": {"email": rng.random() < AGREE_TO_EMAIL},
    }
    if rng.random() < HAVE_PUSH:
        traits["push"] = {"endpoint": f"https://push.example/{user_id}"}
    yield Act(0, {"type": "identify", "user_id": user_id, "traits": traits})
    if rng.random() < SIGN_UP:
        yield Act(10_000, _track(user_id, "Signed Up", {"plan": "free"}))
    products = rng.sample(_PRODUCTS, k=rng.randint(1, 3))
    for product in products:
        pause_ms = rng.randint(5_000, 90_000)
        yield Act(pause_ms, _track(user_id, "Product Viewed", _properties(product, shop_url)))
    chosen = products[: rng.randint(0, len(products))]
    for product in chosen:
        pause_ms = rng.randint(2_000, 30_000)
        yield Act(pause_ms, _track(user_id, "Product Added", _properties(product, shop_url)))
    if chosen:
        yield from _purchase(rng, user_id, number, chosen, shop_url)


def _purchase(
    rng: Random, user_id: str, number: int, chosen: list[tuple[str, str, float]], shop_url: str
) -> Iterator[Act]:
    """Some buy at once, some hours later, the rest leaves the cart."""
    drawn = rng.random()
    if drawn < BUY_AT_ONCE:
        pause_ms = rng.randint(2, 12) * MINUTE_MS
    elif drawn < BUY_AT_ONCE + BUY_LATER:
        pause_ms = rng.randint(1, 20) * HOUR_MS
    else:
        return
    order = {
        "order_id": f"A{1000 + number}",
        "total": round(sum(price for _, _, price in chosen), 2),
        "currency": "EUR",
        "products": [_properties(product, shop_url) for product in chosen],
    }
    yield Act(pause_ms, _track(user_id, "Order Completed", order))


def reading(rng: Random, body: str) -> Iterator[tuple[int, str]]:
    """What somebody does with a mail, or with a push message of such an address.

    When after it came, and the path that is asked for.
    """
    pixel, links = _PIXEL.search(body), _LINK.findall(body)
    if rng.random() >= OPEN:
        return
    pause_ms = rng.randint(2, 180) * MINUTE_MS
    if pixel is not None:
        yield pause_ms, pixel[0]
    if links and rng.random() < CLICK:
        yield pause_ms + MINUTE_MS, rng.choice(links)


def noticing(rng: Random, message_id: str) -> Iterator[tuple[int, str]]:
    """What somebody in the shop does with an in-app message: when, and the path, as `reading`."""
    if rng.random() >= NOTICE:
        return
    pause_ms = rng.randint(2, 20) * SECOND_MS
    yield pause_ms, f"/inbox/{message_id}/read"
    if rng.random() < CLICK:
        yield pause_ms + 5 * SECOND_MS, f"/inbox/{message_id}/click"


def _track(user_id: str, event: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "track", "user_id": user_id, "event": event, "properties": properties}


def _properties(product: tuple[str, str, float], url: str) -> dict[str, Any]:
    product_id, name, price = product
    said = {"product_id": product_id, "name": name, "price": price, "currency": "EUR"}
    return {**said, "url": url}
