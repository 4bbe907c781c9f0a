"""Every recorded payload, as its source would send it, and what it is taken for.

What comes of each stands in `samples.txt`; `python -m tests.server.webhooks.test_samples` writes it
anew.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from config.webhooks import WebhookSource
from engine.server.webhooks.heard import Call, Consented, Feedback, Heard
from engine.server.webhooks.sources import sources_of

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDED = Path(__file__).parents[3] / "../shared/data/webhooks"
GOLDEN = Path(__file__).with_name("samples.txt")
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


def told(heard: Heard) -> str:
    if isinstance(heard, Feedback):
        machine = f" by {heard.machine}" if heard.machine else ""
        ends = ", nothing more there" if heard.suppresses else ""
        return f"{heard.address}: {heard.answer}{machine}{ends}"
    who = heard.who.id or heard.who.email or heard.who.phone or heard.who.anonymous_id
    if isinstance(heard, Consented):
        return f"{who}: consent {heard.channels}"
    item = heard.item
    if item["type"] == "identify":
        return f"{who}: traits {', '.join(item['traits'])}"
    passive = " (passive)" if item.get("passive") else ""
    total = item["properties"].get("total")
    worth = "" if total is None else f" {total:g}"
    count = len(item["properties"].get("products", []))
    return f"{who}: {item['event']}{worth}{f', {count} products' if count else ''}{passive}"


def all_told() -> str:
    own = {"bigcommerce": BIGCOMMERCE, "paypal": PAYPAL}
    named = {kind: WebhookSource() for kind in ("shopify", "woocommerce", "stripe", "ses", *MAILS)}
    sources = sources_of(named | own, fetch=None)  # type: ignore[arg-type]
    lines = []
    for name, source, body, headers in calls():
        call = Call(headers=headers, body=json.dumps(body).encode(), now_ms=0)
        heard = [told(one) for one in sources[source].read(call)]
        lines.append(f"{name}\n" + "".join(f"    {line}\n" for line in heard or ["nothing"]))
    return "\n".join(lines)


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded webhooks are not here")
def test_each_sample_is_taken_for_what_it_is() -> None:
    assert all_told() == GOLDEN.read_text()


if __name__ == "__main__":
    GOLDEN.write_text(all_told())
