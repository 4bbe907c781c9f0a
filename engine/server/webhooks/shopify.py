"""Shopify: orders, checkouts, carts, customers and their consent.

An order is completed as it is created; what becomes of it later is nothing that the customer did.
A refund is told by the order that it is of, since a refund's own call names no customer; a checkout
that has become an order is told by that alone. Signature: base64 HMAC-SHA256 of the body, by the
app's client secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from engine.server.webhooks import commerce
from engine.server.webhooks.heard import (
    Consented,
    Who,
    at,
    body_as_object,
    filled,
    instant,
    number,
    object_at,
    objects,
    text,
)
from engine.server.webhooks.signatures import check_hmac_base64

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.server.webhooks.heard import Call, Heard, Json

_ORDERS: Final = {
    "create": ("Order Completed", False),
    "paid": ("Order Paid", True),
    "updated": ("Order Updated", True),
    "edited": ("Order Updated", True),
    "cancelled": ("Order Cancelled", True),
    "fulfilled": ("Order Fulfilled", True),
    "partially_fulfilled": ("Order Partially Fulfilled", True),
}
"""By what happened to an order: the event, and whether it is passive."""

_CONSENT: Final = {"subscribed": True, "unsubscribed": False, "redacted": False}


def verify(call: Call, secret: str) -> None:
    """Raises Refusal (401)."""
    check_hmac_base64(call, "X-Shopify-Hmac-Sha256", secret)


def delivery_of(call: Call) -> str:
    """Tells one delivery from another; the same where it is sent again.

    An event's id is that of what the merchant did, which several topics may tell of.
    """
    headers = call.headers
    event_id = headers.get("X-Shopify-Event-Id")
    if event_id:
        return f"{event_id}/{headers.get('X-Shopify-Topic', '').lower()}"
    return headers.get("X-Shopify-Webhook-Id", "")


def read(call: Call) -> Iterator[Heard]:
    """What it says; nothing where the topic is of nobody."""
    kind, _, what = call.headers.get("X-Shopify-Topic", "").lower().partition("/")
    body = body_as_object(call)
    match kind:
        case "orders":
            yield from _order(body, what)
        case "checkouts":
            yield from _checkout(body, what)
        case "carts":
            yield from _cart(body)
        case "customers" if what in {"create", "update", "enable", "disable"}:
            yield from commerce.traits(_customer(body), _traits(body))
        case "customers" if what in {"redact", "data_request"}:
            name = "Erasure Requested" if what == "redact" else "Data Requested"
            yield from _of_somebody(_customer(object_at(body, "customer")), name, {})
        case "customers_email_marketing_consent" | "customers_marketing_consent":
            yield from _consent(body)
        case "fulfillments":
            yield from _shipment(body, what)
        case _:
            pass


def _order(body: Json, what: str) -> Iterator[Heard]:
    if what not in _ORDERS:
        return
    name, passive = _ORDERS[what]
    who = _buyer(body)
    if not who:
        return
    when = body.get("created_at" if what == "create" else "updated_at")
    if what == "create":
        locale = text(body.get("customer_locale"))
        yield from commerce.traits(
            who, _traits(object_at(body, "customer")) | filled(locale=locale)
        )
    key = f"order:{text(body.get('id'))}" if what == "create" and body.get("id") else ""
    properties = _sale(body) | filled(reason=text(body.get("cancel_reason")))
    yield commerce.event(
        who,
        name,
        properties,
        timestamp=when,
        passive=passive,
        key=key,
        told_since=body.get("created_at"),
    )
    if what == "updated":
        yield from _refunds(who, body)


def _refunds(who: Who, body: Json) -> Iterator[Heard]:
    """An order bears all its refunds from then on."""
    for refund in objects(body.get("refunds")):
        amounts = [
            number(one.get("amount")) or 0
            for one in objects(refund.get("transactions"))
            if text(one.get("kind")) == "refund" and text(one.get("status")) != "failure"
        ]
        properties = filled(
            order_id=text(body.get("id")),
            order_number=text(body.get("order_number")),
            total=round(sum(amounts), 3) if amounts else None,
            currency=text(body.get("currency")),
            reason=text(refund.get("note")),
        )
        refund_id = text(refund.get("id"))
        if refund_id:
            yield commerce.event(
                who,
                "Order Refunded",
                properties,
                timestamp=refund.get("created_at"),
                passive=True,
                key=f"refund:{refund_id}",
                told_since=refund.get("created_at"),
            )


def _shipment(body: Json, what: str) -> Iterator[Heard]:
    """A parcel of an order, which may have several; a change of it is told once it has arrived."""
    arrived = text(body.get("shipment_status")).lower() == "delivered"
    name = {"create": "Order Shipped", "update": "Order Delivered" if arrived else ""}.get(what)
    who = Who(email=text(body.get("email")))
    if not name or not who or text(body.get("status")) in {"cancelled", "error", "failure"}:
        return
    properties = filled(
        order_id=text(body.get("order_id")),
        tracking_number=text(body.get("tracking_number")),
        tracking_company=text(body.get("tracking_company")),
        url=text(body.get("tracking_url")),
        products=[_line(line) for line in objects(body.get("line_items"))],
    )
    shipment = text(body.get("id"))
    yield commerce.event(
        who,
        name,
        properties,
        timestamp=body.get(f"{what}d_at"),
        passive=True,
        key=f"{name}:{shipment}" if shipment else "",
        told_since=body.get("created_at"),
    )


def _checkout(body: Json, what: str) -> Iterator[Heard]:
    who = _buyer(body)
    if not who or what not in {"create", "update"} or body.get("completed_at"):
        return
    started = what == "create"
    yield from commerce.traits(who, _traits(object_at(body, "customer")))
    properties = _sale(body) | filled(
        checkout_id=text(body.get("token")),
        cart_id=text(body.get("cart_token")),
        url=text(body.get("abandoned_checkout_url")),
    )
    when = body.get("created_at" if started else "updated_at")
    yield commerce.event(
        who, "Checkout Started" if started else "Checkout Updated", properties, timestamp=when
    )


def _cart(body: Json) -> Iterator[Heard]:
    token = text(body.get("token")) or text(body.get("id"))
    if token:
        products = [_line(line) for line in objects(body.get("line_items"))]
        properties = filled(cart_id=token, products=products)
        when = body.get("updated_at")
        yield commerce.event(Who(anonymous_id=token), "Cart Updated", properties, timestamp=when)


def _consent(body: Json) -> Iterator[Heard]:
    # Of SMS, `id` is the customer's.
    customer = text(body.get("customer_id")) or text(body.get("id"))
    who = Who(id=customer, email=text(body.get("email_address")), phone=text(body.get("phone")))
    if not who:
        return
    for channel in ("email", "sms"):
        stated = at(body, f"{channel}_marketing_consent")
        yes = _CONSENT.get(text(at(stated, "state")).lower())
        if yes is not None:
            when = instant(at(stated, "consent_updated_at"))
            yield Consented(who=who, channels={channel: yes}, occurred_at_ms=when)


def _of_somebody(who: Who, name: str, properties: dict[str, Any]) -> Iterator[Heard]:
    if who:
        yield commerce.event(who, name, properties, passive=True)


def _buyer(body: Json) -> Who:
    customer = object_at(body, "customer")
    who = _customer(customer)
    return Who(
        id=who.id,
        email=text(body.get("email")) or text(body.get("contact_email")) or who.email,
        phone=text(body.get("phone")) or who.phone,
        anonymous_id=text(body.get("cart_token")),
    )


def _customer(customer: Json) -> Who:
    return Who(
        id=text(customer.get("id")),
        email=text(customer.get("email")),
        phone=text(customer.get("phone")),
    )


def _traits(customer: Json) -> dict[str, Any]:
    first, last = customer.get("first_name"), customer.get("last_name")
    return filled(
        first_name=text(first),
        last_name=text(last),
        name=commerce.full_name(first, last),
        country=text(at(customer, "default_address", "country_code")),
        tags=text(customer.get("tags")),
    )


def _sale(body: Json) -> dict[str, Any]:
    codes = [text(at(one, "code")) for one in objects(body.get("discount_codes"))]
    return filled(
        order_id=text(body.get("id")) if "order_number" in body else None,
        order_number=text(body.get("order_number")),
        total=number(body.get("total_price")),
        subtotal=number(body.get("subtotal_price")),
        tax=number(body.get("total_tax")),
        discount=number(body.get("total_discounts")),
        shipping=number(at(body, "total_shipping_price_set", "shop_money", "amount")),
        currency=text(body.get("currency")),
        coupon=", ".join(filter(None, codes)),
        products=[_line(line) for line in objects(body.get("line_items"))],
    )


def _line(line: Json) -> dict[str, Any]:
    return commerce.product(
        line,
        product_id=line.get("product_id"),
        name=line.get("title"),
        variant=line.get("variant_title"),
        price=line.get("price"),
    )
