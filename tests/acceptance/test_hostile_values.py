"""Values that mean harm, in a process that sends by SMTP: survived, and others' mail goes on."""

from __future__ import annotations

import urllib.request

import pytest

from tests.faults.life import ask

pytestmark = pytest.mark.acceptance

HONEST = {"user_id": "bob", "event": "Order Completed", "properties": {"order_id": "B1"}}


def _identify(user_id: str, email: str, **traits: str) -> dict:
    return {"type": "identify", "user_id": user_id, "traits": {"email": email, **traits}}


def test_no_value_makes_a_header_and_what_is_not_there_is_counted(shop, serve, mailbox):
    receipt = shop / "templates/receipt.email.liquid"
    front = "---\nreply_to: '{{ user.answer_to | default: \"a@example.com\" }}'\n"
    receipt.write_text(receipt.read_text().replace("---\n", front, 1) + "[{{ user.nobody }}]\n")
    serving = serve(shop)
    inject = "x\r\nBcc: evil@example.com\r\n\r\nbody"
    order = {"user_id": "ann", "event": "Order Completed", "properties": {"order_id": inject}}
    to = {**order, "user_id": "eve", "properties": {"order_id": "E1"}}
    back = {**order, "user_id": "cid", "properties": {"order_id": "C1"}}
    said = [
        _identify("ann", "ann@example.com"),
        _identify("bob", "bob@example.com"),
        _identify("cid", "cid@example.com", answer_to=inject),
        _identify("eve", "eve@example.com\r\nBcc: evil@example.com"),
        *(order, back, to, HONEST),
    ]
    assert ask(serving.url, "POST", "/events", said)[0] == 200
    mailbox.wait_for(lambda: "receipt B1" in mailbox.ids)
    mailbox.wait_for(lambda: any(mail["To"] == "ann@example.com" for mail in mailbox.mails))
    assert all(mail["Bcc"] is None for mail in mailbox.mails)
    assert {mail["To"] for mail in mailbox.mails} <= {
        f"{u}@example.com" for u in ("ann", "bob", "cid")
    }
    assert any("[]" in mail.get_content() for mail in mailbox.mails)
    with urllib.request.urlopen(f"{serving.admin_url}/metrics") as answer:
        assert 'hairspring_template_undefined_total{template="receipt"}' in answer.read().decode()
    assert serving.drain() == 0


def test_a_trait_of_ten_megabytes_is_refused_or_ends_one_message_alone(shop, serve, mailbox):
    serving = serve(shop)
    ask(
        serving.url,
        "POST",
        "/events",
        [_identify("ann", "ann@example.com", first_name="x" * 10**7)],
    )
    assert (
        ask(serving.url, "POST", "/events", [_identify("bob", "bob@example.com"), HONEST])[0] == 200
    )
    mailbox.wait_for(lambda: "receipt B1" in mailbox.ids)
    assert {mail["To"] for mail in mailbox.mails} == {"bob@example.com"}
    assert serving.drain() == 0
