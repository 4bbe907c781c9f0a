"""What goes wrong at the door or at the start: a clear error with what to do, and nothing lost."""

from __future__ import annotations

import json
import socket
import sqlite3
import urllib.error
import urllib.request
from contextlib import closing

import pytest

from tests.acceptance.conftest import run, write

pytestmark = pytest.mark.acceptance


def post(url: str, body: bytes, key: str = "demo-write-key") -> tuple[int, dict[str, object]]:
    request = urllib.request.Request(
        f"{url}/events", body, {"Authorization": f"Bearer {key}"}, method="POST"
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_a_port_in_use_is_said_with_its_remedy(shop):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("serve", shop, "--port", port)
    assert done.returncode == 1
    assert f"port {port} on 127.0.0.1 is in use" in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_data_folder_in_use_names_who_has_it(shop, serve):
    serving = serve(shop)
    done = run("serve", shop, "--port", "0")
    assert done.returncode == 1
    assert f"is in use by another process (pid {serving.process.pid})" in done.stderr
    assert "--data" in done.stderr
    assert serving.drain() == 0


@pytest.mark.parametrize("days", [-3, 3])
def test_a_clock_days_from_the_last_stamp_starts_only_when_somebody_vouches_for_it(
    shop, serve, days
):
    serving = serve(shop)
    assert post(serving.url, b'{"user_id":"u","event":"Looked"}')[0] == 200
    assert serving.drain() == 0
    with closing(sqlite3.connect(shop / "data" / "hairspring.db")) as connection, connection:
        connection.execute(
            "UPDATE meta SET value = value + ? WHERE name = 'last_at_ms'", (days * 86_400_000,)
        )
    done = run("serve", shop, "--port", "0")
    assert done.returncode == 1
    assert f"3.0 days {'before' if days > 0 else 'after'} the last stamp" in done.stderr
    assert "--accept-clock" in done.stderr
    serving = serve(shop, "--accept-clock")
    assert post(serving.url, b'{"user_id":"u","event":"Looked"}')[0] == 200
    assert serving.drain() == 0


def test_a_newer_database_is_left_alone(shop, serve):
    assert serve(shop).drain() == 0
    path = shop / "data" / "hairspring.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = path.read_bytes()
    done = run("serve", shop, "--port", "0")
    assert done.returncode == 1
    assert "written by a newer version" in done.stderr
    assert path.read_bytes() == before


def test_broken_campaigns_are_told_all_at_once(shop):
    write(
        shop,
        {
            "campaigns/one.yaml": """
campaign: one
enter: {event: Go}
stepz:
  - {wait: 1h}
""",
            "campaigns/two.yaml": "campaign: two\n  enter: [",
            "campaigns/three.yaml": """
campaign: three
enter: {event: Go}
steps:
  - {sned: email}
""",
        },
    )
    for command in (("check", shop), ("serve", shop, "--port", "0")):
        done = run(*command)
        assert done.returncode == 1
        told = done.stdout + done.stderr
        assert "campaigns/one.yaml:3: unknown key" in told
        assert "did you mean steps" in told
        assert "campaigns/two.yaml:" in told
        assert "campaigns/three.yaml:4:" in told
        assert "did you mean send" in told
        assert "Traceback" not in told


def test_bad_bodies_and_keys_cost_the_others_nothing(shop, serve, mailbox):
    serving = serve(shop)
    who = {"type": "identify", "user_id": "u1", "traits": {"email": "u1@example.com"}}
    order = {"user_id": "u1", "event": "Order Completed", "properties": {"order_id": "A1"}}
    status, said = post(serving.url, b"{not json")
    assert (status, said["status"]) == (400, 400)
    assert post(serving.url, json.dumps(order).encode(), key="wrong")[0] == 401
    assert post(serving.url, b" " * (2 << 20))[0] == 413
    status, said = post(serving.url, json.dumps([who, {"event": 7}, order]).encode())
    assert status == 200
    assert said["accepted"] == 2
    assert [one["index"] for one in said["rejected"]] == [1]
    with urllib.request.urlopen(f"{serving.admin_url}/metrics") as answer:
        assert b"\nhairspring_quarantined 1.0\n" in answer.read()
    mailbox.wait_for(lambda: len(mailbox.mails) == 2)
    assert serving.drain() == 0


def test_a_template_that_fails_is_told_and_disturbs_nobody(shop, serve, mailbox):
    write(
        shop,
        {
            "campaigns/broken.yaml": """
campaign: broken
purpose: transactional
priority: 90
enter: {event: Order Completed}
steps: [{send: email, template: broken, id: mail}]
""",
            "templates/broken.email.liquid": "---\nsubject: x\n---\n{{ 1 | divided_by: 0 }}",
        },
    )
    serving = serve(shop)
    who = {"type": "identify", "user_id": "u1", "traits": {"email": "u1@example.com"}}
    order = {"user_id": "u1", "event": "Order Completed", "properties": {"order_id": "1"}}
    assert post(serving.url, json.dumps([who, order]).encode())[0] == 200
    mailbox.wait_for(lambda: len(mailbox.mails) == 2)
    assert serving.drain() == 0
    connection = sqlite3.connect(shop / "data" / "hairspring.db")
    (dead,) = connection.execute("SELECT dead FROM outbox").fetchall()
    connection.close()
    assert dead[0].startswith("template: templates/broken.email.liquid:4:")


def test_mails_wait_for_a_server_that_is_not_there(shop, serve, mailbox):
    port = mailbox.port
    mailbox.close()
    serving = serve(shop)
    who = {"type": "identify", "user_id": "u1", "traits": {"email": "u1@example.com"}}
    order = {"user_id": "u1", "event": "Order Completed", "properties": {"order_id": "A1"}}
    assert post(serving.url, json.dumps([who, order]).encode())[0] == 200
    serving.wait_to_say(f"SMTP server 127.0.0.1:{port} refused the connection")
    assert serving.drain() == 0
    mailbox.open(port)
    serve(shop)
    mailbox.wait_for(lambda: len(mailbox.mails) == 2)
    assert {mail["Subject"] for mail in mailbox.mails} == {"receipt A1", "reminder A1"}
