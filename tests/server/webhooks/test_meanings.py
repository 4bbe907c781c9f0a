"""What is told of orders, payments and mails is taken for what a shop's owner would call it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from config.webhooks import WebhookSource
from engine.core.inputs import EventNoticed, EventReceived
from engine.runtime.dedupe import Dedupe
from engine.server.webhooks.heard import Call, Consented, Feedback, Said
from engine.server.webhooks.sources import sources_of
from tests.server.webhooks.conftest import KINDS

if TYPE_CHECKING:
    from engine.server.webhooks.heard import Heard
    from tests.server.webhooks.conftest import Called

SHOPS = sources_of(
    {kind: WebhookSource(secret="s") for kind in (*KINDS, "sendgrid", "ses")},
    fetch=None,  # type: ignore[arg-type]
)


def heard(kind: str, body: Any, **headers: str) -> list[Heard]:
    call = Call(headers=headers, body=json.dumps(body).encode(), now_ms=0)
    return list(SHOPS[kind].read(call))


def told(kind: str, body: Any, **headers: str) -> list[tuple[str, float | None]]:
    """Names of the events that a call says, and what each is worth."""
    return [
        (one.item["event"], one.item["properties"].get("total"))
        for one in heard(kind, body, **headers)
        if isinstance(one, Said) and one.item["type"] == "track"
    ]


def by_stripe(kind: str, about: dict[str, Any], **before: Any) -> dict[str, Any]:
    about = {"id": "x_1", "currency": "eur", "customer": "cus_1"} | about
    data = {"object": about, "previous_attributes": before}
    return {"id": "evt_1", "type": kind, "created": 1_700_000_000, "data": data}


@pytest.mark.parametrize(
    ("kind", "about", "before", "name", "total"),
    [
        ("checkout.session.completed", {"payment_status": "paid"}, {}, "Order Completed", None),
        ("checkout.session.completed", {"payment_status": "no_payment_required", "amount_total": 0},
         {}, "Order Completed", 0),
        # A bank debit: whether it succeeds is told days later.
        ("checkout.session.completed", {"payment_status": "unpaid", "amount_total": 2999}, {},
         "Checkout Completed", 29.99),
        ("checkout.session.async_payment_succeeded", {"payment_status": "paid"}, {},
         "Order Completed", None),
        ("checkout.session.async_payment_failed", {"payment_status": "unpaid"}, {},
         "Payment Failed", None),
        ("checkout.session.completed", {"mode": "setup", "payment_status": "no_payment_required"},
         {}, "", None),
        ("charge.succeeded", {"amount": 500, "captured": True}, {}, "Payment Succeeded", 5),
        ("charge.succeeded", {"amount": 500, "captured": False}, {}, "", None),
        ("charge.captured", {"amount": 500, "captured": True}, {}, "Payment Succeeded", 5),
        ("charge.refunded", {"amount": 5000, "amount_refunded": 700}, {"amount_refunded": 200},
         "Order Refunded", 5),
        ("charge.refunded", {"amount": 5000, "amount_refunded": 700}, {}, "Order Refunded", 7),
        ("invoice.payment_failed", {"amount_due": 1000, "amount_paid": 0, "amount_remaining": 1000},
         {}, "Invoice Payment Failed", 10),
        ("invoice.paid", {"amount_due": 1000, "amount_paid": 900}, {}, "Invoice Paid", 9),
        ("customer.subscription.created", {"status": "active"}, {}, "Subscription Started", None),
        ("customer.subscription.created", {"status": "trialing"}, {}, "Subscription Started", None),
        ("customer.subscription.created", {"status": "incomplete"}, {}, "", None),
        ("customer.subscription.updated", {"status": "active"}, {"status": "incomplete"},
         "Subscription Started", None),
        ("customer.subscription.updated", {"status": "incomplete_expired"},
         {"status": "incomplete"}, "", None),
        ("customer.subscription.updated", {"status": "past_due"}, {"status": "active"},
         "Subscription Updated", None),
        ("customer.subscription.deleted", {"status": "canceled"}, {}, "Subscription Ended", None),
        ("customer.subscription.deleted", {"status": "incomplete_expired"}, {}, "", None),
    ],
)  # fmt: skip
def test_stripe_tells_of_money_that_has_moved(
    kind: str, about: Any, before: Any, name: str, total: float | None
) -> None:
    assert told("stripe", by_stripe(kind, about, **before)) == ([(name, total)] if name else [])


def keys(kind: str, body: Any, **headers: str) -> list[str]:
    said = [one for one in heard(kind, body, **headers) if isinstance(one, Said)]
    return [one.key for one in said if one.item["type"] == "track"]


def test_one_payment_is_one_whichever_of_stripes_types_tells_of_it() -> None:
    charge = {"id": "ch_1", "payment_intent": "pi_1", "captured": True}
    paid = [
        by_stripe("charge.succeeded", charge),
        by_stripe("charge.captured", charge),
        by_stripe("payment_intent.succeeded", {"id": "pi_1", "latest_charge": "ch_1"}),
    ]
    assert [keys("stripe", one) for one in paid] == [["Payment Succeeded:pi_1"]] * 3
    failed = [
        by_stripe("charge.failed", charge),
        by_stripe("payment_intent.payment_failed", {"id": "pi_1", "latest_charge": "ch_1"}),
    ]
    assert [keys("stripe", one) for one in failed] == [["Payment Failed:ch_1"]] * 2
    # One that no charge was made for may fail as often as it likes.
    (own,) = keys("stripe", by_stripe("payment_intent.payment_failed", {"id": "pi_1"}))
    assert own == ""


WOO = {
    "id": 727,
    "customer_id": 0,
    "total": "29.35",
    "billing": {"email": "a@b.c"},
    "date_created_gmt": "2026-01-01T10:00:00",
    "date_modified_gmt": "2026-01-09T10:00:00",
}


def by_woocommerce(what: str, status: str, **more: Any) -> list[tuple[str, str]]:
    said = heard("woocommerce", {**WOO, "status": status} | more, **{
        "X-WC-Webhook-Topic": f"order.{what}"
    })  # fmt: skip
    return [
        (one.item["event"], str(one.item["timestamp"]))
        for one in said
        if isinstance(one, Said) and one.item["type"] == "track"
    ]


MADE, PAID, CHANGED = "1767261600000", "1767520800000", "1767952800000"


@pytest.mark.parametrize(
    ("what", "status", "more", "said"),
    [
        ("created", "pending", {}, []),
        ("created", "checkout-draft", {}, []),
        ("created", "on-hold", {}, [("Order Completed", MADE)]),
        ("updated", "processing", {"date_paid_gmt": "2026-01-04T10:00:00"},
         [("Order Completed", MADE)]),
        # Three days pending, and then paid online.
        ("updated", "processing",
         {"date_paid_gmt": "2026-01-04T10:00:00", "transaction_id": "t"},
         [("Order Completed", PAID)]),
        # Nothing is to be sent: it was pending, and is completed as it is paid.
        ("updated", "completed",
         {"date_paid_gmt": "2026-01-04T10:00:00", "date_completed_gmt": "2026-01-04T10:00:00",
          "transaction_id": "t"},
         [("Order Completed", PAID), ("Order Fulfilled", PAID)]),
        ("updated", "cancelled", {}, [("Order Cancelled", CHANGED)]),
        ("updated", "refunded", {}, [("Order Refunded", CHANGED)]),
        ("updated", "failed", {}, [("Payment Failed", CHANGED)]),
        ("deleted", "processing", {}, []),
    ],
)  # fmt: skip
def test_an_order_of_woocommerce_is_what_its_status_says(
    what: str, status: str, more: Any, said: list[tuple[str, str]]
) -> None:
    assert by_woocommerce(what, status, **more) == said


FIRST = {"id": 726, "reason": "too small", "total": "-10.00"}
SECOND = {"id": 731, "reason": "", "total": "-4.35"}
REST = {"id": 740, "reason": "Order fully refunded.", "total": "-15.00"}
WHOLE = {"id": 726, "reason": "Order fully refunded.", "total": "-29.35"}


@pytest.mark.parametrize(
    ("status", "refunds", "said"),
    [
        ("completed", [FIRST], [10.0]),
        ("completed", [SECOND, FIRST], [10.0, 4.35]),  # the newest stands first
        ("refunded", [REST, SECOND, FIRST], [10.0, 4.35, 15.0]),
        ("refunded", [WHOLE], [29.35]),
        ("refunded", [], [29.35]),  # nothing was to go back
        ("cancelled", [WHOLE], [29.35]),
        ("completed", [{"reason": "of nobody knows what", "total": "-1.00"}], []),
        ("completed", "no list", []),
        ("completed", [{"id": 9, "total": "much"}], [None]),
    ],
)
def test_a_refund_at_woocommerce_is_worth_what_went_back(
    status: str, refunds: Any, said: list[float | None]
) -> None:
    order = {**WOO, "status": status, "refunds": refunds}
    events = told("woocommerce", order, **{"X-WC-Webhook-Topic": "order.updated"})
    assert [total for name, total in events if name == "Order Refunded"] == said


async def test_each_refund_at_woocommerce_is_told_once_however_often_the_order_changes(
    called: Called,
) -> None:
    products = [{"product_id": 7, "name": "Wool throw", "quantity": 1, "price": 29.35}]
    order = {**WOO, "number": "727", "currency": "EUR", "line_items": products}
    for status, refunds in (
        ("processing", []),
        ("processing", [FIRST]),
        ("completed", [FIRST]),
        ("completed", [SECOND, FIRST]),
        ("refunded", [REST, SECOND, FIRST]),
        ("refunded", [REST, SECOND, FIRST]),
    ):
        body = {**order, "status": status, "refunds": refunds}
        for _ in range(2):
            await called.call("woocommerce", body, **{"X-WC-Webhook-Topic": "order.updated"})
            called.house.processor.dedupe = Dedupe(86_400_000, 100)  # days go by

    events = [one for one in called.house.inputs if isinstance(one, EventNoticed)]
    refunded = [json.loads(bytes(one.properties)) for one in events if one.name == "Order Refunded"]
    of_order = {"order_id": "727", "order_number": "727", "currency": "EUR"}
    assert refunded == [
        {**of_order, "total": 10.0, "reason": "too small"},
        {**of_order, "total": 4.35},
        {**of_order, "total": 15.0, "reason": "Order fully refunded."},
    ]


def test_a_refund_of_a_whole_order_at_woocommerce_has_the_order_in_it() -> None:
    products = [{"product_id": 7, "name": "Wool throw", "quantity": 1, "price": 29.35}]
    order = {**WOO, "status": "refunded", "line_items": products, "refunds": [WHOLE]}
    *_, refund = heard("woocommerce", order, **{"X-WC-Webhook-Topic": "order.updated"})
    assert isinstance(refund, Said)
    assert refund.key == "refund:726"
    assert refund.item["properties"]["products"] == [
        {"product_id": "7", "name": "Wool throw", "price": 29.35, "quantity": 1}
    ]


async def test_an_order_that_is_changed_weeks_later_is_not_completed_again(called: Called) -> None:
    async def tell(status: str, what: str = "updated") -> None:
        order = {**WOO, "status": status}
        await called.call("woocommerce", order, **{"X-WC-Webhook-Topic": f"order.{what}"})

    await tell("processing")
    called.house.processor.dedupe = Dedupe(86_400_000, 100)  # days go by
    await tell("processing")
    await tell("completed")
    called.house.processor.dedupe = Dedupe(86_400_000, 100)
    await tell("completed")

    happened = [
        one.name for one in called.house.inputs if isinstance(one, EventReceived | EventNoticed)
    ]
    assert happened == ["Order Completed", "Order Fulfilled"]


async def test_an_order_that_somebody_replays_weeks_later_is_not_taken_again(
    called: Called,
) -> None:
    order = {"id": 9, "order_number": 1001, "email": "a@b.c", "created_at": "2026-01-01T00:00:00Z"}
    for _ in range(2):
        await called.call("shopify", order, **{"X-Shopify-Topic": "orders/create"})
        called.house.processor.dedupe = Dedupe(86_400_000, 100)

    happened = [one.name for one in called.house.inputs if isinstance(one, EventReceived)]
    assert happened == ["Order Completed"]


REFUNDED = {
    "id": 9, "order_number": 1001, "currency": "EUR", "email": "a@b.c",
    "updated_at": "2026-01-02T00:00:00Z",
    "refunds": [
        {"id": 1, "created_at": "2026-01-01T00:00:00Z", "note": "too small", "transactions": [
            {"kind": "refund", "status": "success", "amount": "10.50"},
            {"kind": "refund", "status": "failure", "amount": "10.50"}]},
    ],
}  # fmt: skip


async def test_a_refund_at_shopify_is_told_once_by_the_order_that_bears_it(called: Called) -> None:
    for number in range(3):
        headers = {"X-Shopify-Topic": "orders/updated", "X-Shopify-Event-Id": f"e{number}"}
        await called.call("shopify", REFUNDED, **headers)
        called.house.processor.dedupe = Dedupe(86_400_000, 100)

    events = [one for one in called.house.inputs if isinstance(one, EventNoticed)]
    assert [one.name for one in events].count("Order Refunded") == 1
    refund = next(one for one in events if one.name == "Order Refunded")
    assert json.loads(bytes(refund.properties)) == {
        "order_id": "9", "order_number": "1001", "total": 10.5, "currency": "EUR",
        "reason": "too small",
    }  # fmt: skip


async def test_two_topics_may_tell_of_one_thing_that_the_merchant_did(called: Called) -> None:
    for topic in ("orders/cancelled", "orders/updated"):
        headers = {"X-Shopify-Topic": topic, "X-Shopify-Event-Id": "e1"}
        for _ in range(2):
            await called.call("shopify", {"id": 9, "email": "a@b.c"}, **headers)

    happened = [one.name for one in called.house.inputs if isinstance(one, EventNoticed)]
    assert happened == ["Order Cancelled", "Order Updated"]


@pytest.mark.parametrize(
    ("topic", "body", "said"),
    [
        ("fulfillments/create", {"status": "success"}, ["Order Shipped"]),
        ("fulfillments/create", {"status": "cancelled"}, []),
        ("fulfillments/update", {"shipment_status": "in_transit"}, []),
        ("fulfillments/update", {"shipment_status": "delivered"}, ["Order Delivered"]),
        ("orders/fulfilled", {}, ["Order Fulfilled"]),
        ("checkouts/update", {}, ["Checkout Updated"]),
        # Shopify tells so of a checkout as it becomes an order.
        ("checkouts/update", {"completed_at": "2026-01-01T00:00:00Z"}, []),
        ("refunds/create", {"order_id": 9}, []),
    ],
)
def test_a_parcel_is_no_order_and_an_ordered_checkout_is_over(
    topic: str, body: Any, said: list[str]
) -> None:
    names = told("shopify", {"id": 1, "email": "a@b.c"} | body, **{"X-Shopify-Topic": topic})
    assert [name for name, _ in names] == said


def test_consent_to_sms_is_of_the_customer_whom_shopify_names() -> None:
    stated = {"id": 7, "phone": "+491701234567", "sms_marketing_consent": {"state": "subscribed"}}
    topic = {"X-Shopify-Topic": "customers_marketing_consent/update"}
    (consent,) = heard("shopify", stated, **topic)
    assert isinstance(consent, Consented)
    assert (consent.who.id, consent.channels) == ("7", {"sms": True})


def answers(kind: str, body: Any) -> list[str]:
    return [
        f"{one.answer}{'!' if one.suppresses else ''}"
        if isinstance(one, Feedback)
        else "yes" if next(iter(one.channels.values())) else "no"
        for one in heard(kind, body)
        if isinstance(one, Feedback | Consented)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("HardBounce", ["bounced!"]),
        ("SoftBounce", ["bounced"]),
        ("SpamNotification", ["bounced"]),
        ("AutoResponder", []),
        ("AddressChange", []),
        ("Transient", []),
    ],
)
def test_an_answer_out_of_office_is_no_bounce(why: str, said: list[str]) -> None:
    body = {"RecordType": "Bounce", "Type": why, "Email": "a@b.c", "MessageID": "m"}
    assert answers("postmark", body) == said


@pytest.mark.parametrize(("origin", "said"), [("Recipient", ["yes"]), ("Customer", []), ("", [])])
def test_an_address_that_the_shop_reactivates_has_not_said_yes(
    origin: str, said: list[str]
) -> None:
    body = {"RecordType": "SubscriptionChange", "Recipient": "a@b.c", "SuppressSending": False,
            "Origin": origin, "ChangedAt": "2026-01-01T00:00:00Z"}  # fmt: skip
    assert answers("postmark", body) == said


@pytest.mark.parametrize(
    ("severity", "reason", "said"),
    [
        ("permanent", "bounce", ["bounced!"]),
        ("permanent", "suppress-bounce", ["bounced!"]),
        ("permanent", "generic", ["bounced"]),
        ("permanent", "old", ["bounced"]),
        ("temporary", "old", ["bounced"]),
        ("temporary", "generic", []),
        ("permanent", "suppress-unsubscribe", ["unsubscribed", "no"]),
        ("permanent", "suppress-complaint", ["complained!", "no"]),
    ],
)
def test_a_mailbox_that_was_full_for_eight_hours_is_not_gone(
    severity: str, reason: str, said: list[str]
) -> None:
    told = {"event": "failed", "severity": severity, "reason": reason, "recipient": "a@b.c"}
    assert answers("mailgun", {"event-data": told}) == said


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("bounce", ["bounced!"]),
        (None, ["bounced!"]),
        ("blocked", ["bounced"]),
        ("expired", ["bounced"]),
        ([], ["bounced"]),  # no word at all
    ],
)
def test_what_sendgrid_gave_up_after_three_days_is_no_bad_address(
    kind: object, said: list[str]
) -> None:
    assert answers("sendgrid", [{"event": "bounce", "type": kind, "email": "a@b.c"}]) == said


@pytest.mark.parametrize(
    ("kind", "about", "said"),
    [
        ("Complaint", {"complaintFeedbackType": "abuse"}, ["complained!", "no"]),
        ("Complaint", {}, ["complained!", "no"]),
        ("Complaint", {"complaintFeedbackType": "not-spam"}, []),
        ("Complaint", {"complaintFeedbackType": "auth-failure"}, []),
        ("Subscription", {"newTopicPreferences": {"unsubscribeAll": True}}, ["unsubscribed", "no"]),
        ("Subscription", {"newTopicPreferences": {"unsubscribeAll": False}}, []),
    ],
)
def test_whoever_tells_amazon_that_it_is_no_spam_has_not_complained(
    kind: str, about: dict[str, Any], said: list[str]
) -> None:
    about["complainedRecipients"] = [{"emailAddress": "a@b.c"}]
    message = {"eventType": kind, kind.lower(): about, "mail": {"destination": ["a@b.c"]}}
    envelope = {"Type": "Notification", "Message": json.dumps(message)}
    assert answers("ses", envelope) == said
