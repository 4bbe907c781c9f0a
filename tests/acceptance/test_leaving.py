"""Nobody is mailed after he unsubscribed, also while his mail waits in the outbox."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING

from tests.acceptance.conftest import run, settings, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.conftest import Mailbox, Serving

CAMPAIGN = """
campaign: {name}
purpose: {purpose}
enter: {{event: {event}}}
steps:
  - {{send: email, template: {name}, id: {name}}}
"""
TEMPLATE = """---
subject: {name}
---
<p><a href="https://shop.example/{name}">Go</a> <a href="{{{{ links.unsubscribe }}}}">Leave</a></p>
"""
LOOKS_MAX = 60


def records(shop: Path) -> list[tuple[str, str, str]]:
    told = run("users", "export", "ann", "--data", shop / "data")
    assert told.returncode == 0, told.stderr
    document = json.loads(told.stdout)["records"]
    return [(one["campaign"], one["kind"], one.get("reason", "")) for one in document]


def wait_for(shop: Path, campaign: str) -> None:
    """Return once a message of the campaign was taken back, or never sent, for want of consent."""
    for _ in range(LOOKS_MAX):
        if (campaign, "skipped", "no_consent") in records(shop):
            return
    raise AssertionError(records(shop))


def test_a_mail_that_waits_is_taken_back_by_one_click(
    tmp_path: Path, mailbox: Mailbox, serve: type[Serving]
) -> None:
    shop = tmp_path / "shop"
    files = {"hairspring.toml": settings(mailbox)}
    for name, purpose, event in (
        ("first", "marketing", "One"),
        ("second", "marketing", "Two"),
        ("receipt", "transactional", "Three"),
    ):
        files[f"campaigns/{name}.yaml"] = CAMPAIGN.format(name=name, purpose=purpose, event=event)
        files[f"templates/{name}.email.liquid"] = TEMPLATE.format(name=name)
    write(shop, files)
    serving = serve(shop)
    traits = {"email": "ann@example.com", "consent": {"email": True}}
    serving.tell(
        {"type": "identify", "user_id": "ann", "traits": traits},
        {"user_id": "ann", "event": "One"},
    )
    mailbox.wait_for(lambda: "first" in mailbox.ids)
    (mail,) = mailbox.mails
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    leave = mail["List-Unsubscribe"].strip("<>")
    assert leave in mail.get_body(("plain",)).get_content().replace("=\n", "")

    port = mailbox.port
    mailbox.close()
    serving.tell({"user_id": "ann", "event": "Two"})
    serving.wait_to_say('"outcome":"retry"')
    assert leave.startswith(f"http://localhost:{serving.url.rpartition(':')[2]}/u/")
    path = leave[leave.index("/u/") :]
    with urllib.request.urlopen(serving.url + path, b"List-Unsubscribe=One-Click") as answer:
        assert answer.status == 200
    mailbox.open(port)

    serving.tell({"user_id": "ann", "event": "Three"})
    mailbox.wait_for(lambda: "receipt" in mailbox.ids)
    wait_for(shop, "second")
    serving.tell({"user_id": "ann", "event": "One"})
    wait_for(shop, "first")
    with urllib.request.urlopen(f"{serving.admin_url}/metrics") as answer:
        metrics = answer.read().decode()
    assert serving.drain() == 0
    assert sorted(mailbox.ids) == ["first", "receipt"]
    assert ("first", "unsubscribed", "") in records(shop)
    said = "".join(serving.log)
    named = [word for word in ("ann@", '"ann"', "/u/A") if word in said or word in metrics]
    assert not named, "logs and metrics name nobody"
