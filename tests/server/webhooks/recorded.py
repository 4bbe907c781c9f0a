"""Calls of webhooks, as they were recorded."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from config.webhooks import WebhookSource

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDED = Path(__file__).parents[3] / "../shared/data/webhooks"
MAILS = ("brevo", "mailgun", "postmark", "resend", "sendgrid")
STRIPE = {
    "charge": "charge.succeeded",
    "checkout.session": "checkout.session.completed",
    "customer": "customer.created",
    "invoice": "invoice.payment_failed",
    "payment_intent": "payment_intent.payment_failed",
    "refund": "refund.created",
    "subscription": "customer.subscription.deleted",
}


BIGCOMMERCE = WebhookSource(
    event='body.scope == "store/order/statusUpdated" ? "Order Updated" : null',
    user_id="string(body.data.id)",
    signature="token",
    properties="body.data",
)


PAYPAL = WebhookSource(
    event='body.event_type == "PAYMENT.SALE.COMPLETED" ? "Payment Succeeded" : null',
    user_id="body.resource.parent_payment",
    signature="token",
    properties='{"total": double(body.resource.amount.total)}',
    timestamp="timestamp(body.create_time)",
)


def calls() -> Iterator[tuple[str, str, Any, dict[str, str]]]:
    """Its name, the source, the body, and headers."""
    for path in sorted(RECORDED.rglob("*.json")):
        folder, name = path.parent.name, path.stem
        body = json.loads(path.read_text())
        match folder:
            case "shopify" | "shopify_docs_examples":
                topic, _, action = re.sub(r"^[0-9-]+__", "", name).partition("__")
                action = "create" if action.isdigit() else action
                yield f"{folder}/{name}", "shopify", body, {"X-Shopify-Topic": f"{topic}/{action}"}
            case "woocommerce":
                topic = f"{name.rpartition('_')[0]}.created"
                yield f"{folder}/{name}", "woocommerce", body, {"X-WC-Webhook-Topic": topic}
            case "stripe":
                if name != "event":
                    body = {"id": "evt_1", "type": STRIPE[name], "created": 1_700_000_000,
                            "data": {"object": body}}  # fmt: skip
                yield f"{folder}/{name}", "stripe", body, {}
            case "esp":
                for test, sample in body.items():
                    if name == "amazon_ses" and test.endswith("raw_sns_message"):
                        yield f"{folder}/{name}/{test}", "ses", sample, {}
                    elif name in MAILS and "raw_event" in test:
                        yield f"{folder}/{name}/{test}", name, sample, {}
            case _:
                yield f"{folder}/{name}", folder, body, {}
