"""The stock Segment client with only its host changed; the mail arrives at a real SMTP server."""

from __future__ import annotations

import re
import urllib.request

import pytest
from rudderstack.analytics.client import Client as RudderClient
from segment.analytics.client import Client

pytestmark = pytest.mark.acceptance


def send_order(url: str) -> None:
    # The client waits half a second for more: the events are that old when they arrive.
    client = Client("demo-write-key", host=url)
    client.identify("u1", {"email": "ada@example.com", "first_name": "Ada"})
    client.track("u1", "Order Completed", {"order_id": "A1", "total": 12.5})
    client.shutdown()


def test_an_order_from_the_stock_client_brings_its_mails(shop, serve, mailbox):
    serving = serve(shop)
    send_order(serving.url)
    mailbox.wait_for(lambda: len(mailbox.mails) == 2)
    receipt, reminder = mailbox.mails
    assert (receipt["To"], receipt["Subject"]) == ("ada@example.com", "receipt A1")
    assert receipt["From"] == "Test shop <shop@example.com>"
    assert receipt.get_content().strip() == "Thank you, Ada."
    assert reminder["Subject"] == "reminder A1"
    assert receipt["Message-ID"] != reminder["Message-ID"]
    assert serving.drain() == 0


def test_metrics_tell_how_late_the_deadline_fired(shop, serve, mailbox):
    serving = serve(shop)
    send_order(serving.url)
    mailbox.wait_for(lambda: len(mailbox.mails) == 2)
    with urllib.request.urlopen(f"{serving.admin_url}/metrics") as answer:
        text = answer.read().decode()
    assert "hairspring_deadline_lateness_seconds_count 1.0" in text
    for port in (serving.url, serving.admin_url):
        for path in ("/healthz", "/readyz"):
            with urllib.request.urlopen(port + path) as answer:
                assert answer.status == 200


def test_a_drained_process_goes_on_where_it_was(shop, serve, mailbox):
    (shop / "campaigns/receipt.yaml").write_text(
        (shop / "campaigns/receipt.yaml").read_text().replace("3s", "6s")
    )
    serving = serve(shop)
    send_order(serving.url)
    mailbox.wait_for(lambda: len(mailbox.mails) == 1)
    assert serving.drain() == 0
    serve(shop)
    mailbox.wait_for(lambda: len(mailbox.mails) == 2)
    assert [mail["Subject"] for mail in mailbox.mails] == ["receipt A1", "reminder A1"]


@pytest.mark.parametrize("sdk", ["segment", "rudder"])
def test_stock_clients_that_are_too_fast_wait_and_lose_nothing(shop, serve, sdk):
    settings = shop / "hairspring.toml"
    limit = "[server]\nevents_max = 4\nrate = 2\n"
    settings.write_text(limit + settings.read_text())
    serving = serve(shop)
    stock = {"segment": Client, "rudder": RudderClient}[sdk]
    # A call a request: the burst is six.
    client = stock("demo-write-key", host=serving.url, upload_size=1)
    for number in range(10):
        client.track(f"u{number}", "Seen", {})
    client.shutdown()
    with urllib.request.urlopen(f"{serving.admin_url}/metrics") as answer:
        text = answer.read().decode()
    assert 'hairspring_inputs_total{fate="accepted"} 10.0' in text
    refused = re.search(r'hairspring_requests_refused_total\{why="rate"\} (\d+)', text)
    assert refused is not None
    assert int(refused[1]) >= 1
    assert serving.drain() == 0
