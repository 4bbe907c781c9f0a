"""A shop that was edited while the process was away: who waits finds the step again, or leaves."""

from __future__ import annotations

import json
import sqlite3

import pytest

from tests.acceptance.conftest import write

pytestmark = pytest.mark.acceptance


def told(shop) -> list[tuple[str, str, str]]:
    connection = sqlite3.connect(shop / "data" / "hairspring.db")
    rows = connection.execute("SELECT record FROM records ORDER BY number").fetchall()
    connection.close()
    records = [json.loads(record) for (record,) in rows]
    return [
        (one["campaign"], one["kind"], one.get("reason", one.get("step", "")))
        for one in records
        if one["kind"] not in {"entered", "delivered"}
    ]


def test_who_waits_goes_on_in_the_changed_campaign_or_leaves_with_a_reason(shop, serve, mailbox):
    write(
        shop,
        {
            "campaigns/gone.yaml": """
campaign: gone
enter: {event: Order Completed}
steps: [{wait: 1h, id: hour}]
""",
            "campaigns/other.yaml": """
campaign: other
enter: {event: Order Completed}
steps: [{wait: 1h, id: hour}, {wait: 2h, id: hours}]
""",
        },
    )
    serving = serve(shop)
    serving.tell(
        {"type": "identify", "user_id": "u1", "traits": {"email": "u1@example.com"}},
        {"user_id": "u1", "event": "Order Completed", "properties": {"order_id": "A1"}},
    )
    mailbox.wait_for(lambda: len(mailbox.mails) == 1)
    serving.kill()
    (shop / "campaigns/gone.yaml").unlink()
    receipt = shop / "campaigns/receipt.yaml"
    receipt.write_text(receipt.read_text() + "  - {send: in_app, template: after, id: after}\n")
    other = shop / "campaigns/other.yaml"
    other.write_text(other.read_text().replace("id: hour}", "id: renamed}"))
    write(shop, {"templates/after.in_app.liquid": "And a word in the shop."})
    serving = serve(shop)
    # The receipt may come once more, under its id: the kill may have come before its outcome.
    mailbox.wait_for(lambda: "reminder A1" in {mail["Subject"] for mail in mailbox.mails})
    assert serving.drain() == 0
    assert told(shop) == [
        ("receipt", "sent", "receipt"),
        ("gone", "exited", "campaign_removed"),
        ("other", "exited", "step_removed"),
        ("receipt", "sent", "reminder"),
        ("receipt", "sent", "after"),
        ("receipt", "finished", ""),
    ]
