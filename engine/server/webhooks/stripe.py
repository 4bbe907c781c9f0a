"""Stripe: payments, checkouts, subscriptions and customers.

Amounts are in the currency's smallest unit; a few currencies have none below their own. A customer
who is known by his id at Stripe alone becomes one with whom a checkout names
(`client_reference_id`). Signature: `t=…,v1=…`, five minutes at most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from engine.server.webhooks import commerce
from engine.server.webhooks.heard import (
    MS,
    Who,
    at,
    body_as_object,
    filled,
    number,
    object_at,
    text,
)
from engine.server.webhooks.signatures import check_stripe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.server.webhooks.heard import Call, Heard, Json

_WHOLE: Final = frozenset(
    "bif clp djf gnf jpy kmf krw mga pyg rwf ugx vnd vuv xaf xof xpf".split()  # noqa: SIM905 - as a table
)
"""Currencies without a smaller unit (Stripe's zero-decimal currencies)."""

_THOUSANDTHS: Final = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})

_EVENTS: Final = {
    "checkout.session.completed": ("Order Completed", False),
    "checkout.session.async_payment_succeeded": ("Payment Succeeded", True),
    "checkout.session.async_payment_failed": ("Payment Failed", True),
    "checkout.session.expired": ("Checkout Expired", True),
    "charge.succeeded": ("Payment Succeeded", True),
    "charge.failed": ("Payment Failed", True),
    "charge.refunded": ("Order Refunded", True),
    "charge.dispute.created": ("Payment Disputed", True),
    "refund.created": ("Order Refunded", True),
    "payment_intent.succeeded": ("Payment Succeeded", True),
    "payment_intent.payment_failed": ("Payment Failed", True),
    "invoice.paid": ("Invoice Paid", True),
    "invoice.payment_failed": ("Invoice Payment Failed", True),
    "customer.subscription.created": ("Subscription Started", False),
    "customer.subscription.updated": ("Subscription Updated", True),
    "customer.subscription.deleted": ("Subscription Ended", True),
    "customer.subscription.trial_will_end": ("Trial Ending", True),
}
"""By type: the event, and whether it is passive."""

_AMOUNTS: Final = ("amount_total", "amount_paid", "amount_due", "amount")
_LATEST_S: Final = 253_402_300_799
"""The end of the year 9999."""

_ADDRESSES: Final = (
    ("customer_details", "email"),
    ("customer_email",),
    ("billing_details", "email"),
    ("receipt_email",),
)


def verify(call: Call, secret: str) -> None:
    """Raises Refusal (401)."""
    check_stripe(call, secret)


def delivery_of(call: Call) -> str:
    """The event's id: the same where it is sent again."""
    return text(body_as_object(call).get("id"))


def read(call: Call) -> Iterator[Heard]:
    """What it says; nothing where its type is of nobody."""
    body = body_as_object(call)
    kind, about = text(body.get("type")), at(body, "data", "object")
    if not isinstance(about, dict):
        return
    created = number(body.get("created"))
    when = None if created is None or abs(created) > _LATEST_S else int(created * MS)
    if kind in {"customer.created", "customer.updated"}:
        who = Who(email=text(about.get("email")), anonymous_id=text(about.get("id")))
        if who:
            yield from commerce.traits(who, _customer(about), timestamp=when)
        return
    named = _EVENTS.get(kind)
    who = _who(about)
    if named is None or not who:
        return
    name, passive = named
    if who.id or who.email:
        said = _customer(
            object_at(about, "customer_details") or object_at(about, "billing_details")
        )
        yield from commerce.traits(who, said, timestamp=when)
    yield commerce.event(who, name, _properties(about), timestamp=when, passive=passive)


def _who(about: Json) -> Who:
    addresses = [text(at(about, *path)) for path in _ADDRESSES]
    return Who(
        id=text(about.get("client_reference_id")),
        email=next(filter(None, addresses), ""),
        anonymous_id=text(about.get("customer")) or text(at(about, "customer", "id")),
    )


def _customer(said: Json) -> dict[str, Any]:
    locales = said.get("preferred_locales")
    return filled(
        name=text(said.get("name")),
        phone=text(said.get("phone")),
        country=text(at(said, "address", "country")),
        locale=text(at(locales, 0)),
    )


def _properties(about: Json) -> dict[str, Any]:
    currency = text(about.get("currency")).lower()
    amounts = [number(about.get(name)) for name in _AMOUNTS]
    found = [one for one in amounts if one is not None]
    return filled(
        order_id=text(about.get("id")),
        total=_amount(found[0], currency) if found else None,
        currency=currency.upper(),
        status=text(about.get("payment_status")) or text(about.get("status")),
        reason=text(at(about, "last_payment_error", "message"))
        or text(about.get("failure_message")),
        product_id=text(at(about, "items", "data", 0, "price", "product")),
        payment_intent=text(about.get("payment_intent")),
        metadata=about.get("metadata"),
    )


def _amount(units: float, currency: str) -> float:
    if currency in _WHOLE:
        return units
    return units / (1_000 if currency in _THOUSANDTHS else 100)
