"""WooCommerce: orders and customers, as its REST API has them (v3).

An order is completed once it is paid or to be paid at delivery, which may be as it is created or
by a later change; `completed` is the shop's word for sent out, and comes at once where nothing is
to be sent (WooCommerce, "Order statuses"). A change of whatever kind tells the whole order again,
weeks later too, and not what has changed. No topic is of refunds: an order bears its own, each with
an id, and one that is set to `refunded` gets one of what had not gone back yet.

Signature: base64 HMAC-SHA256 of the body. As a webhook is saved, WooCommerce sends an unsigned form
`webhook_id=N`, and wants a 200.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from engine.server.webhooks import commerce
from engine.server.webhooks.heard import (
    Who,
    at,
    body_as_object,
    filled,
    number,
    object_at,
    objects,
    text,
)
from engine.server.webhooks.signatures import check_hmac_base64

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.server.webhooks.heard import Call, Heard, Json

_PING: Final = re.compile(rb"webhook_id=[0-9]{1,20}")
_TAKEN: Final = frozenset({"processing", "on-hold"})
_LATER: Final = {
    "completed": "Order Fulfilled",
    "cancelled": "Order Cancelled",
    "refunded": "Order Refunded",
    "failed": "Payment Failed",
}
"""What a change of an order's status is called."""


def verify(call: Call, secret: str) -> None:
    """Raises Refusal (401)."""
    if not is_ping(call):
        check_hmac_base64(call, "X-WC-Webhook-Signature", secret)


def is_ping(call: Call) -> bool:
    """Whether it only asks if somebody is there."""
    return _PING.fullmatch(call.body) is not None


def delivery_of(call: Call) -> str:
    """Tells one delivery from another."""
    return call.headers.get("X-WC-Webhook-Delivery-ID", "")


def read(call: Call) -> Iterator[Heard]:
    """What it says; nothing where the topic is of nobody."""
    if is_ping(call):
        return
    kind, _, what = call.headers.get("X-WC-Webhook-Topic", "").lower().partition(".")
    body = body_as_object(call)
    if what not in {"created", "updated", "restored"}:
        return
    if kind == "order":
        yield from _order(body)
    elif kind == "customer":
        who = Who(id=text(body.get("id")), email=text(body.get("email")))
        if who:
            yield from commerce.traits(who, _traits(body))


def _order(body: Json) -> Iterator[Heard]:
    who = _buyer(body)
    if not who:
        return
    status = text(body.get("status")).lower()
    order_id = text(body.get("id"))
    if status in _TAKEN or status == "completed":
        yield from commerce.traits(who, _traits(object_at(body, "billing")))
        yield commerce.event(
            who,
            "Order Completed",
            _sale(body),
            timestamp=_ordered_at(body),
            key=f"order:{order_id}" if order_id else "",
            told_since=body.get("date_created_gmt"),
        )
    refunds = [*_refunds(who, body)]
    yield from refunds
    if status in _LATER and not (status == "refunded" and refunds):
        when = body.get("date_completed_gmt") if status == "completed" else None
        yield commerce.event(
            who,
            _LATER[status],
            _sale(body),
            timestamp=when or body.get("date_modified_gmt"),
            passive=True,
            key=f"order:{order_id}:{status}" if order_id else "",
            told_since=body.get("date_created_gmt"),
        )


def _refunds(who: Who, body: Json) -> Iterator[Heard]:
    """What went back by each, oldest first; when, is not said. Of all of an order: with the order.

    WooCommerce writes what goes back below zero.
    """
    refunds = [one for one in objects(body.get("refunds")) if text(one.get("id"))]
    if not refunds:
        return  # as of most orders
    of_order = _sale(body)
    some = {name: of_order.get(name) for name in ("order_id", "order_number", "currency")}
    for refund in reversed(refunds):
        written = number(refund.get("total"))
        total = None if written is None else abs(written)
        is_whole = total is not None and total == of_order.get("total")
        yield commerce.event(
            who,
            "Order Refunded",
            (of_order if is_whole else filled(**some, total=total))
            | filled(reason=text(refund.get("reason"))),
            timestamp=body.get("date_modified_gmt"),
            passive=True,
            key=f"refund:{text(refund.get('id'))}",
            told_since=body.get("date_created_gmt"),
        )


def _ordered_at(body: Json) -> object:
    """When it became an order: as it was paid online, else as it was made, to be paid later."""
    paid = body.get("date_paid_gmt") if text(body.get("transaction_id")) else None
    return paid or body.get("date_created_gmt")


def _buyer(body: Json) -> Who:
    customer = text(body.get("customer_id"))
    billing = at(body, "billing")
    return Who(
        id="" if customer == "0" else customer,  # a guest
        email=text(at(billing, "email")),
        phone=text(at(billing, "phone")),
    )


def _traits(person: Json) -> dict[str, Any]:
    first, last = person.get("first_name"), person.get("last_name")
    return filled(
        first_name=text(first),
        last_name=text(last),
        name=commerce.full_name(first, last),
        country=text(person.get("country")) or text(at(person, "billing", "country")),
        phone=text(at(person, "billing", "phone")),
    )


def _sale(body: Json) -> dict[str, Any]:
    codes = [text(one.get("code")) for one in objects(body.get("coupon_lines"))]
    total = number(body.get("total"))
    lost = [number(body.get("total_tax")) or 0, number(body.get("shipping_total")) or 0]
    return filled(
        order_id=text(body.get("id")),
        order_number=text(body.get("number")),
        total=total,
        subtotal=None if total is None else round(total - sum(lost), 2),
        tax=number(body.get("total_tax")),
        shipping=number(body.get("shipping_total")),
        discount=number(body.get("discount_total")),
        currency=text(body.get("currency")),
        coupon=", ".join(filter(None, codes)),
        payment_method=text(body.get("payment_method_title")),
        products=[_line(line) for line in objects(body.get("line_items"))],
    )


def _line(line: Json) -> dict[str, Any]:
    return commerce.product(
        line,
        product_id=line.get("product_id"),
        name=line.get("name"),
        variant=line.get("variation_id") or None,
        price=line.get("price"),
    )
