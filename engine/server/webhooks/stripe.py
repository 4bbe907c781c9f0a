"""Stripe: payments, checkouts, subscriptions and customers.

Amounts are in the currency's smallest unit; a few currencies have none below their own. A customer
who is known by his id at Stripe alone becomes one with whom a checkout names
(`client_reference_id`). Signature: `t=…,v1=…`, five minutes at most.

A checkout that is gone through is an order once it is paid: by some means (a bank debit) that is
told days later, or never (Stripe, "Fulfill orders", immediate versus delayed payment methods). One
that only keeps a card (`mode` is `setup`) orders nothing. A subscription has started once its first
payment is made: until then it is `incomplete` (Stripe, "How subscriptions work").
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
    "checkout.session.async_payment_succeeded": ("Order Completed", True),
    "checkout.session.async_payment_failed": ("Payment Failed", True),
    "checkout.session.expired": ("Checkout Expired", True),
    "charge.succeeded": ("Payment Succeeded", True),
    "charge.captured": ("Payment Succeeded", True),
    "charge.failed": ("Payment Failed", True),
    "charge.refunded": ("Order Refunded", True),
    "charge.dispute.created": ("Payment Disputed", True),
    "payment_intent.succeeded": ("Payment Succeeded", True),
    "payment_intent.payment_failed": ("Payment Failed", True),
    "invoice.paid": ("Invoice Paid", True),
    "invoice.payment_failed": ("Invoice Payment Failed", True),
    "customer.subscription.created": ("Subscription Started", False),
    "customer.subscription.updated": ("Subscription Updated", True),
    "customer.subscription.deleted": ("Subscription Ended", True),
    "customer.subscription.trial_will_end": ("Trial Ending", True),
}
"""By type: the event, and whether it is passive. `refund.created` is of nobody: it names a charge
alone, and `charge.refunded` says the same of its customer."""

_NOT_STARTED: Final = frozenset({"incomplete", "incomplete_expired"})

_AMOUNTS: Final = ("amount_total", "amount_paid", "amount_due", "amount")
_AMOUNTS_OF: Final = {
    "charge.refunded": ("amount_refunded",),
    "invoice.payment_failed": ("amount_remaining", "amount_due"),
}
_LATEST_S: Final = 253_402_300_799
"""The end of the year 9999."""

_ADDRESSES: Final = (
    ("customer_details", "email"),
    ("customer_email",),
    ("billing_details", "email"),
    ("receipt_email",),
    ("evidence", "customer_email_address"),
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
    before = object_at(body, "data", "previous_attributes")
    named = _named(kind, about, before)
    who = _who(about)
    if named is None or not who:
        return
    name, passive = named
    if who.id or who.email:
        said = _customer(
            object_at(about, "customer_details") or object_at(about, "billing_details")
        )
        yield from commerce.traits(who, said, timestamp=when)
    properties = _properties(about) | filled(total=_total(kind, about, before))
    key = _key(name, kind, about)
    yield commerce.event(who, name, properties, timestamp=when, passive=passive, key=key)


def _named(kind: str, about: Json, before: Json) -> tuple[str, bool] | None:
    """What happened, and whether it is passive; None for what is nothing yet."""
    status = text(about.get("status"))
    match kind:
        case "checkout.session.completed" if text(about.get("mode")) == "setup":
            return None
        case "checkout.session.completed" if text(about.get("payment_status")) == "unpaid":
            return "Checkout Completed", False
        case "charge.succeeded" if about.get("captured") is False:
            return None  # the money is set aside, and may yet be let go
        case "customer.subscription.created" | "customer.subscription.deleted":
            return None if status in _NOT_STARTED else _EVENTS[kind]
        case "customer.subscription.updated" if text(before.get("status")) == "incomplete":
            started = _EVENTS["customer.subscription.created"]
            return None if status in _NOT_STARTED else started
        case _:
            return _EVENTS.get(kind)


def _key(name: str, kind: str, about: Json) -> str:
    """Tells a payment, an order and a start from all others: several types may tell of one."""
    own = text(about.get("id"))
    match name:
        case "Payment Succeeded":
            own = text(about.get("payment_intent")) or own
        case "Payment Failed" if kind.startswith("payment_intent."):
            own = text(about.get("latest_charge"))  # it may fail again, by another one
        case "Payment Failed" | "Order Completed" | "Subscription Started":
            pass
        case _:
            return ""
    return f"{name}:{own}" if own else ""


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
    return filled(
        order_id=text(about.get("id")),
        currency=text(about.get("currency")).upper(),
        status=text(about.get("payment_status")) or text(about.get("status")),
        reason=text(at(about, "last_payment_error", "message"))
        or text(about.get("failure_message")),
        product_id=text(at(about, "items", "data", 0, "price", "product")),
        payment_intent=text(about.get("payment_intent")),
        url=text(at(about, "after_expiration", "recovery", "url")),
        metadata=about.get("metadata"),
    )


def _total(kind: str, about: Json, before: Json) -> float | None:
    """What an event is about: of a refund what went back now, of an invoice what was to be paid."""
    amounts = [number(about.get(name)) for name in _AMOUNTS_OF.get(kind, _AMOUNTS)]
    units = next((one for one in amounts if one is not None), None)
    if units is None:
        return None
    if kind == "charge.refunded":
        units -= number(before.get("amount_refunded")) or 0
    return _amount(units, text(about.get("currency")).lower())


def _amount(units: float, currency: str) -> float:
    if currency in _WHOLE:
        return units
    return units / (1_000 if currency in _THOUSANDTHS else 100)
