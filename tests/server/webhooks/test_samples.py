"""Every recorded payload, as its source would send it, and what it is taken for.

What comes of each stands in `samples.txt`; `python -m tests.server.webhooks.test_samples` writes it
anew.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from config.webhooks import WebhookSource
from engine.server.webhooks.heard import Call, Consented, Feedback, Heard
from engine.server.webhooks.sources import sources_of
from tests.server.webhooks.recorded import BIGCOMMERCE, MAILS, PAYPAL, RECORDED, calls

GOLDEN = Path(__file__).with_name("samples.txt")


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
