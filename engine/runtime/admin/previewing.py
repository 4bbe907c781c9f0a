"""A message as it would come out now, sent to nobody: what its template names, its files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from channels.base import Message, address_of
from channels.email import build_mail
from channels.templates.plaintext import plain_text
from engine.core.collections import bind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from channels.rendering import Rendered, Template
    from config import Shop
    from engine.core.plan import Plan
    from engine.core.state import User

_SAMPLE_TRAITS: Final[dict[str, Any]] = {
    "id": "sample",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "name": "Ada Lovelace",
    "email": "ada@example.com",
    "phone": "+33123456789",
}
_SAMPLE_ITEMS: Final[tuple[dict[str, Any], ...]] = (
    {"product_id": "sample-1", "name": "A first product", "price": 24.9, "quantity": 1},
    {"product_id": "sample-2", "name": "A second one", "price": 12.0, "quantity": 2},
)
_DATED_MS: Final = 3_600_000


def snapshot_of(user: User, plan: Plan) -> dict[str, Any]:
    """What templates may name of a user now: his traits, and the collections that are kept."""
    collections = {name: bind(kept, user) for name, kept in plan.collections.items()}
    return {"user": {**user.traits, "id": user.user_id}, **collections}


def sample(shop: Shop, now_ms: int) -> dict[str, Any]:
    """Somebody who never was, with two things in the cart: the catalog's first, where it has any.

    O(1).
    """
    settings = shop.settings
    items = [
        {**item, "currency": settings.shop.currency, "url": settings.shop.url, "image_url": ""}
        for item in _SAMPLE_ITEMS
    ]
    for item, product in zip(items, (shop.shelf or {}).values(), strict=False):
        item |= {"product_id": product["id"], "name": product.get("title", item["name"])}
        item |= {key: product[key] for key in ("price", "currency", "url") if key in product}
        item["image_url"] = product.get("image", "")
    value = sum(item["price"] * item["quantity"] for item in items)
    order = {"order_id": "S-1001", "total": value, "products": items}
    cart = {"items": items, "size": len(items), "value": value, "updated_at": now_ms - _DATED_MS}
    where = {"locale": settings.shop.locale, "timezone": settings.shop.timezone}
    return {
        "user": {**_SAMPLE_TRAITS, **where},
        "event": {**order, **items[0]},
        "event_name": "Sample",
        "cart": cart,
        "recent": items,
    }


def event_of(timeline: Iterable[Mapping[str, Any]], plan: Plan) -> tuple[str, Any] | None:
    """A user's newest event that a campaign starts by, else his newest; None where he has none.

    Args:
        timeline: As `dossier.timeline` tells it.
        plan: Whose campaigns are meant.
    """
    starting = {name for one in plan.campaigns.values() for name in one.entry.events}
    events = [one for one in timeline if one.get("event")]
    newest = [one for one in events if one["event"] in starting][-1:] or events[-1:]
    return (newest[0]["event"], newest[0]["properties"]) if newest else None


def context_for(
    shop: Shop, template: Template, known: Mapping[str, Any], event: tuple[str, Any] | None
) -> dict[str, Any]:
    """All that a template may name: what is known of the user, the event, and what is the shop's.

    Codes of coupons, and links, are none that are given to anybody.
    """
    url = shop.settings.shop.url.rstrip("/")
    context: dict[str, Any] = {
        "event": {},
        "event_name": "",
        "content": {},
        "campaign": {"id": "preview", "description": "", "purpose": "marketing"},
        "variant": "",
        "links": {"unsubscribe": f"{url}/#unsubscribe", "preferences": f"{url}/#preferences"},
        "coupons": template.sample_codes(),
        **known,
    }
    if event is not None:
        context["event_name"], context["event"] = event
    if shop.shelf is not None:
        context["catalog"] = shop.shelf
    return context


def files_of(
    shop: Shop, template: Template, rendered: Rendered, context: Mapping[str, Any], now_ms: int
) -> dict[str, bytes]:
    """A rendered message as files, by their endings: a mail as `.html`, `.txt` and `.eml`.

    Raises EmailFault.
    """
    message = Message(
        id="preview",
        at_ms=now_ms,
        user_id=str(context["user"].get("id", "")),
        campaign="preview",
        step="preview",
        channel=template.channel,
        to=address_of(template.channel, context["user"]) or "",
        body=rendered.body,
        front=rendered.front,
        html=rendered.html,
    )
    files: dict[str, bytes] = {}
    if rendered.html:
        files[".html"] = rendered.body.encode()
    if template.channel == "email":
        sender = getattr(shop.settings.channels["email"], "from_", "")
        addressed = msgspec.structs.replace(message, to=message.to or "nobody@example.com")
        text = plain_text(rendered.body) if rendered.html else rendered.body
        files[".txt"] = text.encode()
        files[".eml"] = build_mail(addressed, sender).data
    elif template.channel == "sms":
        files[".txt"] = rendered.body.encode()
    elif template.channel == "webhook":
        files[".json"] = rendered.body.encode()
    else:
        whole = {**rendered.front, "body": rendered.body}
        files[".json"] = msgspec.json.format(msgspec.json.encode(whole)) + b"\n"
    return files
