"""`hairspring deadletters` on a running process and at rest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.conftest import run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.acceptance

WHO = {"type": "identify", "user_id": "u1", "traits": {"email": "u1@example.com"}}
ORDER = {"user_id": "u1", "event": "Order Completed", "properties": {"order_id": "o1"}}


def told(data: Path) -> dict:
    listed = run("deadletters", "list", "--data", data, "--json")
    assert listed.returncode == 0, listed.stderr
    return json.loads(listed.stdout)


def test_what_failed_for_good_is_told_retried_and_delivered_once(shop, serve, mailbox):
    refuses = True

    async def handle_rcpt(_server, _session, envelope, address, _options) -> str:
        if refuses:
            return "550 5.7.1 not today"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    mailbox.handle_RCPT = handle_rcpt
    mailbox.close()
    mailbox.open(mailbox.port)
    serving = serve(shop)
    serving.tell(WHO)
    serving.tell(ORDER)
    serving.wait_to_say('"rejected"')
    data = shop / "data"
    while not (letters := told(data)["deadletters"]):
        pass
    (letter,) = letters[:1]
    assert letter["campaign"] == "receipt"
    assert (letter["reason"], letter["attempts"]) == ("rejected", 1)
    assert "550 5.7.1 not today" in letter["said"]
    assert "rejected: SMTP server" in run("deadletters", "list", "--data", data).stdout

    refuses = False
    again = run("deadletters", "retry", letter["id"], "--data", data)
    assert "1 of 1 on their way again" in again.stdout, again.stderr

    def receipts() -> list:  # a reminder may be due by now, and come first
        return [mail for mail in mailbox.mails if mail["Subject"] == "receipt o1"]

    mailbox.wait_for(receipts)
    (receipt,) = receipts()
    assert letter["id"] in receipt["Message-ID"]
    both = run("deadletters", "retry", "--all", "--channel", "email", "--data", data)
    assert both.returncode == 2
    nothing = run("deadletters", "retry", "--data", data)
    assert nothing.returncode == 0
    assert "on their way again" in nothing.stdout

    assert serving.drain() == 0
    assert letter["id"] not in [one["id"] for one in told(data)["deadletters"]]
    nobody = run("deadletters", "retry", "--all", "--data", data)
    assert nobody.returncode == 1
