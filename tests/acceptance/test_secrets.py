"""No key, password, token or address is ever in a log, a metric, an error or what `check` says.

A process at debug level whose deliveries go wrong in every way, asked well and badly; then all that
it has said is searched for each thing that it must keep to itself.
"""

from __future__ import annotations

import json
import socket
import subprocess
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from tests.acceptance.conftest import HAIRSPRING, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECRETS = {
    "WRITE": "write-4f1d9c62aa",
    "TRIGGER": "trigger-8be01f77cd",
    "ADMIN": "admin-27c3d1e09b5f",
    "SIGNING": "signing-91f7a3d2c4e8",
    "SMTP": "smtp-password-6d3a",
    "TWILIO": "twilio-token-5c8e",
    "STRIPE": "whsec_c3RyaXBlLXNlY3JldC0zMi1ieXRlcw==",
    "HOOK": "whsec_aG9vay1zZWNyZXQtaXMtMzItYnl0ZXM=",
}
ADDRESSES = {"email": "ada.lovelace@secret.example", "phone": "+4915112345678"}
GUESSED = "somebody-guessed-this-key"


def settings(closed: int) -> str:
    return f"""
[keys]
write = ["env:WRITE"]
trigger = ["env:TRIGGER"]
admin = "env:ADMIN"
signing = "env:SIGNING"
[consent]
required = []
[channels.email]
transport = "smtp"
host = "127.0.0.1"
port = {closed}
tls = "none"
username = "postmaster"
password = "env:SMTP"
from = "Shop <shop@example.com>"
[channels.sms]
transport = "twilio"
account_sid = "AC00000000000000000000000000000000"
auth_token = "env:TWILIO"
from = "+15550001111"
base_url = "http://127.0.0.1:{closed}"
[channels.webhook]
transport = "http"
url = "http://127.0.0.1:{closed}/told"
secret = "env:HOOK"
[channels.in_app]
transport = "inbox"
[webhooks.stripe]
kind = "stripe"
secret = "env:STRIPE"
"""


CAMPAIGN = """
campaign: tell
purpose: transactional
enter: {event: Seen}
steps:
  - {send: email, template: tell}
  - {send: sms, template: tell}
  - {send: webhook, template: tell}
  - {send: email, template: broken}
  - {send: in_app, template: tell}
"""
FILES = {
    "campaigns/tell.yaml": CAMPAIGN,
    "templates/tell.email.liquid": "---\nsubject: Dear {{ user.email }}\n---\n{{ user.phone }}\n",
    "templates/tell.sms.liquid": "{{ user.email }}",
    "templates/tell.webhook.liquid": '{"to": "{{ user.email }}"}',
    "templates/tell.in_app.liquid": "---\ntitle: Hello\n---\n{{ user.email }}\n",
    "templates/broken.email.liquid": "---\nsubject: x\n---\n{{ user.email | divided_by: 0 }}",
}


def free_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def ask(url: str, key: str = "", body: bytes | None = None, **headers: str) -> tuple[int, str]:
    """The status and all of the answer, its headers too."""
    if key:
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(url, body, headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, f"{answer.headers}\n{answer.read().decode(errors='replace')}"
    except urllib.error.HTTPError as error:
        with error:
            return error.code, f"{error.headers}\n{error.read().decode(errors='replace')}"


def asked_badly(url: str, admin: str, token: str) -> list[tuple[int, str]]:
    """Answers to requests that are wrong, with secrets wherever somebody may put them."""
    write, key, address = SECRETS["WRITE"], SECRETS["ADMIN"], quote(ADDRESSES["email"])
    item = json.dumps({"user_id": ADDRESSES["email"], "event": 5, "writeKey": write}).encode()
    return [
        ask(f"{url}/events", write, item),
        ask(f"{url}/events", GUESSED, item),
        ask(f"{url}/v1/track", write, b'{"userId": "' + ADDRESSES["email"].encode()),
        ask(f"{url}/track?key={write}&email={address}"),
        ask(f"{url}/track?key={GUESSED}&event=e&user_id={address}"),
        ask(f"{url}/{write}/{address}"),
        ask(f"{url}/v1/projects/{GUESSED}/settings"),
        ask(f"{url}/trigger", SECRETS["TRIGGER"], b'{"campaign": "none", "user_id": "ada"}'),
        ask(f"{url}/trigger", write, b"{}"),
        ask(f"{url}/webhooks/stripe?token={SECRETS['STRIPE']}", "", b"{}"),
        ask(f"{url}/webhooks/twilio", "", urlencode({"From": ADDRESSES["phone"]}).encode()),
        ask(f"{url}/u/{token}", "", b""),
        ask(f"{url}/inbox/none/read?token={token}", "", b""),
        ask(f"{admin}/api/users/{address}", key),
        ask(f"{admin}/api/users/ada/explain?campaign={address}", key),
        ask(f"{admin}/api/campaigns", GUESSED),
        ask(f"{admin}/api/backup", key, b'{"path": "relative"}'),
        ask(f"{admin}/sign-in", "", urlencode({"key": GUESSED}).encode()),
        ask(f"{admin}/sign-in?way-in={key}x"),
        ask(f"{admin}/healthz", key, Host="secret.example"),
    ]


def test_nothing_that_is_to_be_kept_is_said(tmp_path: Path, serve: Callable[..., Any]) -> None:
    shop = tmp_path / "shop"
    write(shop, {"hairspring.toml": settings(free_port()), **FILES})
    serving = serve(shop, "--verbose", env=SECRETS)
    url, admin, key = serving.url, serving.admin_url, SECRETS["ADMIN"]
    who = {"type": "identify", "user_id": "ada", "traits": ADDRESSES}
    body = json.dumps([who, {"user_id": "ada", "event": "Seen"}]).encode()
    assert ask(f"{url}/events", SECRETS["WRITE"], body)[0] == 200
    said = ask(f"{admin}/api/users/ada/token", key, b"{}")[1]
    token = json.loads(said.partition("\n\n")[2])["token"]
    for channel in ("email", "sms", "webhook", "in_app"):
        serving.wait_to_say(f'"channel":"{channel}"')
    serving.wait_to_say('"unmade"')
    refused = asked_badly(url, admin, token)
    metrics = ask(f"{admin}/metrics")[1]
    serving.drain()

    checked = subprocess.run(
        [HAIRSPRING, "check", shop, "--json"], capture_output=True, text=True, check=False
    )
    statuses = [status for status, _ in refused]
    assert {400, 401, 403, 404} <= set(statuses)
    assert [status for status in statuses if status < 400] == []
    told = {
        "log": "".join(serving.log),
        "metrics": metrics,
        "check": checked.stdout + checked.stderr,
        **{f"answer {place}": answer for place, (_, answer) in enumerate(refused)},
    }
    assert told["log"].count('"event":"request"') > len(refused)  # at debug level, each of them
    kept = [*SECRETS.values(), *ADDRESSES.values(), quote(ADDRESSES["email"]), token, GUESSED]
    for secret in kept:
        for where, text in told.items():
            # Whoever says an address hears of the one he said.
            may_say = where.startswith("answer") and secret in ADDRESSES.values()
            assert may_say or secret not in text, (where, secret)
