"""A mail whose recipient the server refuses, and what follows: once, whoever tells of it."""

from __future__ import annotations

import json
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.calling import call
from tests.acceptance.conftest import run, settings, write
from tests.acceptance.replaying import assert_the_same, exported

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.acceptance

ADA = "ada@example.com"
SAID = "550 5.1.1 no such user here"
FULL = "full@example.com"

CAMPAIGN = """
campaign: unreachable
purpose: transactional
enter: {event: Email Bounced, when: event.bounce_type == "hard"}
steps:
  - {send: webhook, template: bounced, id: tell}
"""
AGAIN = """
campaign: again
enter: {event: Page Viewed, when: 'count("Email Bounced", "30d") == 1'}
steps: [{wait: 1h, id: pause}, {send: webhook, template: bounced, id: tell}]
"""
TEMPLATE = """---
---
{"campaign": "{{ event.campaign_id }}", "step": "{{ event.step }}",
 "message": "{{ event.message_id }}", "reason": "{{ event.reason }}"}
"""
MORE = """
[channels.webhook]
transport = "http"
url = "http://127.0.0.1:{port}/"

[webhooks.postmark]
secret = "a-secret"
"""


class Hooks:
    """A web server that keeps the bodies of the webhooks that it is called by, by their keys."""

    def __init__(self) -> None:
        self.bodies: dict[str, dict[str, Any]] = {}
        self.arrived = threading.Condition()
        hooks = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(204)
                self.end_headers()
                with hooks.arrived:
                    hooks.bodies[self.headers["Idempotency-Key"]] = json.loads(body)
                    hooks.arrived.notify_all()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def hooks() -> Iterator[Hooks]:
    hooks = Hooks()
    yield hooks
    hooks.server.shutdown()
    hooks.server.server_close()


@pytest.fixture
def telling(shop: Path, mailbox, hooks: Hooks) -> Path:
    """The shop, which tells of each mailbox that is none; Ada's is one of those, another full."""

    async def handle_rcpt(_server, _session, envelope, address, _options) -> str:
        if address == ADA:
            return SAID
        if address == FULL:
            return "552 5.2.2 mailbox full"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    mailbox.handle_RCPT = handle_rcpt
    mailbox.close()
    mailbox.open(mailbox.port)
    write(
        shop,
        {
            "hairspring.toml": settings(mailbox) + MORE.format(port=hooks.server.server_port),
            "campaigns/unreachable.yaml": CAMPAIGN,
            "templates/bounced.webhook.liquid": TEMPLATE,
        },
    )
    return shop


def bounce_of(message: str) -> dict[str, Any]:
    """What Postmark says of that mail to Ada."""
    return {
        "RecordType": "Bounce",
        "Type": "HardBounce",
        "MessageID": "m1",
        "Recipient": ADA,
        "Metadata": {"message_id": f"<{message}@example.com>"},
    }


def exported_lines(shop: Path, file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in exported(shop, file).read_bytes().splitlines()]


def test_a_refused_recipient_is_a_bounce_once_whoever_tells_of_it(
    telling: Path, serve, hooks: Hooks, tmp_path: Path
) -> None:
    serving = serve(telling)
    serving.tell({"type": "identify", "user_id": "ada", "traits": {"email": ADA}})
    serving.tell({"user_id": "ada", "event": "Order Completed", "properties": {"order_id": "o1"}})
    with hooks.arrived:
        assert hooks.arrived.wait_for(lambda: hooks.bodies, 60), serving.log
    (told,) = hooks.bodies.values()
    assert (told["campaign"], told["step"]) == ("receipt", "receipt")
    assert SAID in told["reason"]

    serving.kill()
    serving = serve(telling)
    feedback = bounce_of(told["message"])
    answer = call(serving.url, "POST", "/webhooks/postmark?token=a-secret", feedback)
    assert answer == (200, {"accepted": 2, "rejected": []})
    # A campaign that comes now finds it in the archive.
    write(telling, {"campaigns/again.yaml": AGAIN})
    serving.process.send_signal(signal.SIGHUP)
    serving.wait_to_say('"reloaded"')
    serving.tell({"user_id": "ada", "event": "Page Viewed"})
    assert serving.drain() == 0

    lines = exported_lines(telling, tmp_path / "journal.ndjson")
    inputs = [line["input"] for line in lines if line["type"] == "input"]
    (bounced,) = [one for one in inputs if one["type"] == "answered"]
    assert bounced["name"] == "Email Bounced"
    assert bounced["properties"] == {
        "campaign_id": "receipt",
        "step": "receipt",
        "channel": "email",
        "template": "receipt",
        "message_id": told["message"],
        "bounce_type": "hard",
        "reason": told["reason"],
        "response_ms": bounced["properties"]["response_ms"],
    }
    records = [line["record"] for line in lines if line["type"] == "record"]
    failed = [one for one in records if one["kind"] == "failed"]
    assert [(one["campaign"], one["reason"]) for one in failed] == [("receipt", told["reason"])]
    entered = [one for one in records if one["kind"] == "entered"]
    assert [one["campaign"] for one in entered] == ["receipt", "unreachable", "again"]
    assert_the_same(telling, tmp_path / "journal.ndjson", tmp_path)
    assert len(hooks.bodies) == 1


def test_a_mailbox_that_is_full_is_a_soft_bounce_and_is_written_to_again(
    telling: Path, serve, hooks: Hooks, tmp_path: Path
) -> None:
    soft = CAMPAIGN.replace('"hard"', '"soft"')
    write(telling, {"campaigns/unreachable.yaml": soft})
    serving = serve(telling)
    serving.tell({"type": "identify", "user_id": "u", "traits": {"email": FULL}})
    serving.tell({"user_id": "u", "event": "Order Completed", "properties": {"order_id": "o1"}})
    with hooks.arrived:
        assert hooks.arrived.wait_for(lambda: hooks.bodies, 60), serving.log
    (told,) = hooks.bodies.values()
    assert "552 5.2.2 mailbox full" in told["reason"]
    serving.wait_to_say('"rejected"', times=2)  # the reminder, three seconds later
    assert serving.drain() == 0
    state = json.loads(run("users", "show", "u", "--data", telling / "data").stdout)
    assert state["traits"]["email"] == FULL
    assert "suppressed" not in state
    exported(telling, tmp_path / "journal.ndjson")
    assert_the_same(telling, tmp_path / "journal.ndjson", tmp_path)


def test_a_dry_run_says_what_a_mailbox_that_is_none_would_start(
    telling: Path, tmp_path: Path
) -> None:
    lost = [
        {"type": "identify", "user_id": "u", "traits": {"email": "u@lost.invalid"}, "n": 1},
        {"user_id": "u", "event": "Order Completed", "properties": {"order_id": "o1"}},
    ]
    file = tmp_path / "events.ndjson"
    with file.open("w") as out:
        for second, one in enumerate(lost):
            out.write(json.dumps({**one, "timestamp": f"2026-01-01T10:00:0{second}Z"}) + "\n")
    out_file = tmp_path / "records.ndjson"
    done = run("simulate", telling, "--events", file, "--out", out_file)
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in out_file.read_bytes().splitlines()]
    told = [(one["campaign"], one["kind"]) for one in records if one["campaign"] == "unreachable"]
    assert told == [
        ("unreachable", "entered"),
        ("unreachable", "sent"),
        ("unreachable", "finished"),
        ("unreachable", "delivered"),
    ]
    assert sum(one["kind"] == "failed" for one in records) == 1


def test_a_run_over_what_was_recorded_has_each_bounce_once(
    telling: Path, serve, hooks: Hooks, tmp_path: Path
) -> None:
    serving = serve(telling)
    serving.tell({"type": "identify", "user_id": "ada", "traits": {"email": ADA}})
    serving.tell({"user_id": "ada", "event": "Order Completed", "properties": {"order_id": "o1"}})
    with hooks.arrived:
        assert hooks.arrived.wait_for(lambda: hooks.bodies, 60), serving.log
    assert serving.drain() == 0
    exported(telling, tmp_path / "journal.ndjson")

    # Another plan: what became of messages is not taken from the journal, what users did is.
    write(telling, {"campaigns/unreachable.yaml": CAMPAIGN.replace("id: tell", "id: told")})
    out = tmp_path / "records.ndjson"
    done = run("simulate", telling, "--events", tmp_path / "journal.ndjson", "--out", out)
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in out.read_bytes().splitlines()]
    entered = [one["campaign"] for one in records if one["kind"] == "entered"]
    assert entered == ["receipt", "unreachable"]
