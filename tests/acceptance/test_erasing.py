"""A user is erased to the last byte: every file of the data folder is searched for him."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.calling import call
from tests.acceptance.conftest import run, write

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

pytestmark = pytest.mark.acceptance

ADA, ADDRESS = "ada-7f3a9c", "ada.lovelace@example.com"
OTHERS = 40


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Everything goes to files: a receipt at once, a reminder in an hour, and a mail that fails."""
    folder = tmp_path / "shop"
    write(
        folder,
        {
            "hairspring.toml": "",
            "campaigns/receipt.yaml": """
campaign: receipt
purpose: transactional
enter: {event: Order Completed}
steps:
  - {send: email, template: receipt, id: receipt}
  - {send: email, template: broken, id: broken}
  - {wait: 1h, id: pause}
  - {send: email, template: receipt, id: reminder}
""",
            "templates/receipt.email.liquid": "---\nsubject: Hello\n---\nFor {{ user.email }}\n",
            "templates/broken.email.liquid": "---\nsubject: Hello\n---\n{{ 'a' | times: user }}\n",
        },
    )
    return folder


def live(url: str, users: Iterable[str]) -> None:
    """Each says who he is, orders, and sends something that cannot be taken."""
    for user in users:
        address = ADDRESS if user == ADA else f"{user}@example.com"
        items: list[dict[str, Any]] = [
            {"type": "identify", "user_id": user, "traits": {"email": address}},
            {"user_id": user, "event": "Order Completed", "message_id": f"m-{user}"},
            {"user_id": user, "event": "Page Viewed", "properties": {"seen by": address}},
            {"user_id": user, "event": "Page Viewed", "timestamp": "yesterday"},
        ]
        status, _ = call(url, "POST", "/events", items)
        assert status == 200


def files_with(folder: Path, *needles: str) -> list[str]:
    """Where in the folder any of them is left."""
    return [
        f"{path.name}: {needle}"
        for path in folder.rglob("*")
        if path.is_file()
        for needle in needles
        if needle.encode() in path.read_bytes()
    ]


def everybody() -> list[str]:
    users = [f"user-{number}" for number in range(OTHERS)]
    return [*users[: OTHERS // 2], ADA, *users[OTHERS // 2 :]]


def test_a_user_is_erased_to_the_last_byte_while_the_process_runs(shop: Path, serve) -> None:
    serving = serve(shop)
    data = shop / "data"
    live(serving.url, everybody())
    serving.wait_to_say('"delivery"')
    assert files_with(data, ADA, ADDRESS)
    done = run("users", "erase", ADA, "--data", data, "--yes", "--json")
    assert done.returncode == 0, done.stderr
    erased = json.loads(done.stdout)
    assert erased["inputs"] >= 4
    assert erased["quarantined"] == 1
    assert erased["compacted"]
    assert files_with(data, ADA, ADDRESS) == []
    assert run("users", "show", ADA, "--data", data).returncode == 1
    assert json.loads(run("users", "show", "user-3", "--data", data).stdout)["traits"]["email"]
    # What happened before comes late; what happens now makes him anew.
    early = {"user_id": ADA, "event": "Page Viewed", "timestamp": "2026-01-01T00:00:00Z"}
    assert call(serving.url, "POST", "/events", early)[0] == 200
    assert run("users", "show", ADA, "--data", data).returncode == 1
    assert call(serving.url, "POST", "/events", {"user_id": ADA, "event": "Back"})[0] == 200
    assert run("users", "show", ADA, "--data", data).returncode == 0
    assert serving.drain() == 0


def test_a_user_is_erased_to_the_last_byte_where_no_process_runs(shop: Path, serve) -> None:
    serving = serve(shop)
    data = shop / "data"
    live(serving.url, everybody())
    serving.process.send_signal(signal.SIGKILL)
    serving._end()
    told = run("users", "export", ADA, "--data", data)
    assert ADDRESS in told.stdout, told.stderr
    done = run("users", "erase", ADA, "--data", data, "--yes")
    assert done.returncode == 0, done.stderr
    assert files_with(data, ADA, ADDRESS) == []
    assert run("users", "erase", ADA, "--data", data, "--yes").returncode == 0, "once more"
    assert run("users", "erase", "nobody", "--data", data, "--yes").returncode == 1
    serving = serve(shop)
    early = {"user_id": ADA, "event": "Page Viewed", "timestamp": "2026-01-01T00:00:00Z"}
    assert call(serving.url, "POST", "/events", early)[0] == 200
    assert run("users", "show", ADA, "--data", data).returncode == 1
    assert serving.drain() == 0
    assert files_with(data, ADA, ADDRESS) == []


EVE = "eve-5d1f"
UNREADABLE = (
    b'{"user_id": "eve-5d1f", "event": "\xff"}',
    b'{"user_id": "eve-5d1f", "event": "Deep", "properties": ' + b"[" * 500 + b"]" * 500 + b"}",
)


def test_what_nobody_can_read_hides_nobody_and_bars_no_start(shop: Path, serve) -> None:
    serving = serve(shop)
    data = shop / "data"
    live(serving.url, [ADA])
    for body in UNREADABLE:
        assert call(serving.url, "POST", "/events", body)[0] == 400
    exported = run("users", "export", EVE, "--data", data)
    assert len(json.loads(exported.stdout)["quarantine"]) == len(UNREADABLE)
    assert run("users", "erase", ADA, "--data", data).returncode == 0, "nobody can be asked"
    assert serving.drain() == 0
    erased = json.loads(run("users", "erase", EVE, "--data", data, "--json").stdout)
    assert erased["quarantined"] == len(UNREADABLE)
    assert files_with(data, ADA, ADDRESS, EVE) == []
    assert serve(shop).drain() == 0


def test_the_copy_of_an_export_that_was_killed_is_named(shop: Path, serve, tmp_path: Path) -> None:
    serving = serve(shop)
    data = shop / "data"
    live(serving.url, everybody())
    assert run("export-journal", tmp_path / "run.ndjson", "--data", data).returncode == 0
    left = data / "export-journal.snapshot"
    assert not left.exists()
    left.write_bytes(b"")  # what SIGKILL in the middle of an export leaves
    done = run("users", "erase", ADA, "--data", data, "--yes", "--json")
    assert [one["path"] for one in json.loads(done.stdout)["backups"]] == [str(left)]
    assert serving.drain() == 0


def test_an_export_has_everything_that_is_held_of_a_user(shop: Path, serve) -> None:
    serving = serve(shop)
    data = shop / "data"
    live(serving.url, everybody())
    serving.wait_to_say('"delivery"')
    done = run("users", "export", ADA, "--data", data)
    assert done.returncode == 0, done.stderr
    held = json.loads(done.stdout)
    assert held["state"]["traits"] == {"email": ADDRESS}
    assert [one["kind"] for one in held["events"]][:3] == ["identify", "event", "event"]
    assert {one["kind"] for one in held["records"]} >= {"entered", "sent"}
    assert held["records"] == sorted(held["records"], key=lambda one: one["at"])
    assert [item["path"] for item in held["quarantine"]] == ["$[3].timestamp"]
    assert "user-1@" not in done.stdout
    assert serving.drain() == 0


def test_the_admin_port_tells_of_users_to_whoever_has_the_key(shop: Path, serve) -> None:
    serving = serve(shop)
    live(serving.url, [ADA, "with/slash"])
    key = (shop / "data" / "admin.key").read_text().strip()
    admin = serving.admin_url
    assert call(admin, "GET", f"/api/users/{ADA}", key="wrong")[0] == 401
    status, state = call(admin, "GET", f"/api/users/{ADA}", key=key)
    assert (status, state["user_id"]) == (200, ADA)
    assert state["enrollments"][0]["step"] == "pause"
    assert call(admin, "GET", "/api/users/with%2Fslash", key=key)[1]["user_id"] == "with/slash"
    status, told = call(admin, "GET", f"/api/users/{ADA}/timeline?limit=2", key=key)
    assert (status, len(told["timeline"])) == (200, 2)
    assert call(admin, "GET", f"/api/users/{ADA}/timeline?limit=0", key=key)[0] == 400
    status, problem = call(admin, "GET", "/api/users/nobody", key=key)
    assert (status, problem["code"]) == (404, "user.unknown")
    assert call(admin, "DELETE", "/api/users/nobody", key=key)[0] == 404
    assert call(admin, "POST", f"/api/users/{ADA}", key=key)[0] == 405
    assert call(admin, "DELETE", f"/api/users/{ADA}", key=key)[0] == 200
    assert call(admin, "GET", f"/api/users/{ADA}", key=key)[0] == 404
    assert serving.drain() == 0
