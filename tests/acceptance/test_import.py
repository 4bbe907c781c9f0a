"""History brought into a running process, and into a folder that nobody serves from."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.history import instants_of
from engine.store.recovery import recover
from tests.acceptance.conftest import run, settings, write
from tests.acceptance.history import YEAR_AGO, events
from tests.acceptance.ordering import order

if TYPE_CHECKING:
    from pathlib import Path

    from engine.core.state import User

pytestmark = pytest.mark.acceptance


@pytest.fixture
def shop(tmp_path: Path, mailbox) -> Path:
    """A receipt, and a reminder of a cart that an order ends; 400 days are no hindrance."""
    folder = tmp_path / "shop"
    write(
        folder,
        {
            "hairspring.toml": settings(mailbox),
            "campaigns/receipt.yaml": """
campaign: receipt
purpose: transactional
enter: {event: Order Completed, per: event.order_id}
exit: {event: Order Cancelled}
steps:
  - {send: email, template: receipt, id: receipt}
""",
            "templates/receipt.email.liquid": """---
subject: "receipt {{ event.order_id }}"
---
Thank you.
""",
        },
    )
    return folder


def users_of(data: Path) -> dict[str, User]:
    """Everybody, as an orderly stop has saved him."""
    path = data / "hairspring.db"
    connection = sqlite3.connect(path)
    users = recover(connection, path, 0, 0).users
    connection.close()
    return users


def records_of(data: Path) -> list[str]:
    connection = sqlite3.connect(data / "hairspring.db")
    rows = connection.execute("SELECT record FROM records").fetchall()
    connection.close()
    return [json.loads(row[0])["user_id"] for row in rows]


def brought(shop: Path, file: Path) -> dict[str, Any]:
    done = run("import", shop, "--events", file, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def assert_known(users: dict[str, User]) -> None:
    assert users["old"].traits["email"] == "old@example.com"
    (cancelled,) = instants_of(users["old"].history["Order Cancelled"])
    assert cancelled == users["old"].last_seen_at_ms < 1_600_000_000_000


def test_a_running_process_takes_it_and_goes_on(shop, serve, mailbox, tmp_path: Path) -> None:
    serving = serve(shop)
    order(serving.url, 1)
    file = events(tmp_path / "history.ndjson")
    first = brought(shop, file)
    assert (first["taken"], first["known"], first["bad_lines"]) == (5, 0, 1)
    later = {"user_id": "old", "event": "Order Cancelled", "timestamp": YEAR_AGO, "message_id": "n"}
    assert brought(shop, events(file, later))["taken"] == 1
    order(serving.url, 2)
    mailbox.wait_for(lambda: {"receipt o1", "receipt o2"} <= mailbox.ids.keys())
    serving.kill()
    serving = serve(shop)
    again = brought(shop, file)
    assert (again["taken"], again["known"], again["bad_lines"]) == (0, 6, 1)
    assert serving.drain() == 0

    users = users_of(shop / "data")
    assert_known(users)
    assert users["u1"].traits["email"] == "u1@example.com"
    assert users["u1"].traits["city"] == "Bern"
    assert set(mailbox.ids) == {"receipt o1", "receipt o2"}
    assert set(records_of(shop / "data")) == {"u1", "u2"}


def test_a_folder_that_nobody_serves_from_takes_it_and_no_time_passes(
    shop, serve, mailbox, tmp_path: Path
) -> None:
    file = events(tmp_path / "history.ndjson")
    assert brought(shop, file)["taken"] == 5
    assert_known(users_of(shop / "data"))
    assert brought(shop, file)["known"] == 5

    serving = serve(shop)
    order(serving.url, 1)
    mailbox.wait_for(lambda: "receipt o1" in mailbox.ids)
    assert serving.drain() == 0
    assert brought(shop, file)["known"] == 5
    assert set(records_of(shop / "data")) == {"u1"}
    assert users_of(shop / "data")["u1"].traits["city"] == "Bern"


def test_a_csv_with_a_map_is_read_as_simulate_reads_it(shop, tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(f"user_id,kind,timestamp\nold,Order Cancelled,{YEAR_AGO}\n")
    done = run("import", shop, "--events", file, "--map", "event=kind")
    assert (done.returncode, done.stdout) == (0, "1 input of history taken\n")
    assert "Order Cancelled" in users_of(shop / "data")["old"].history


def test_a_file_without_an_event_is_told(shop, tmp_path: Path) -> None:
    file = tmp_path / "history.ndjson"
    done = run("import", shop, "--events", file)
    assert done.returncode == 1
    assert f"{file} cannot be opened" in done.stderr
    assert not (shop / "data").exists()  # nothing is taken or made for a file that is not there
    file.write_text("no event\n")
    done = run("import", shop, "--events", file)
    assert done.returncode == 1
    assert "its only line is no event" in done.stderr


@pytest.mark.parametrize("is_running", [False, True])
def test_an_id_that_is_there_twice_is_taken_once_and_said_so(shop, serve, tmp_path, is_running):
    file = tmp_path / "twice.ndjson"
    line = {"user_id": "b", "event": "Go", "timestamp": YEAR_AGO, "message_id": "m9"}
    file.write_text((json.dumps(line) + "\n") * 3)
    serving = serve(shop) if is_running else None
    said = brought(shop, file)
    assert (said["taken"], said["known"]) == (1, 2)
    assert serving is None or serving.drain() == 0


PLAN = """
events:
  Order Cancelled: {properties: {total: {type: number, required: true}}}
  Price Dropped: {passive: true}
"""


def test_history_is_held_against_the_plan_and_what_that_calls_passive_is(shop, tmp_path: Path):
    write(shop, {"tracking-plan.yaml": PLAN})
    file = tmp_path / "history.ndjson"
    cancelled = {"user_id": "old", "event": "Order Cancelled", "timestamp": YEAR_AGO}
    lines = [
        {**cancelled, "properties": {"total": 4.5}},
        {**cancelled, "properties": {"total": "4.5"}},
        {"user_id": "old", "event": "Price Dropped", "timestamp": "2021-06-01T00:00:00Z"},
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = run("import", shop, "--events", file, "--json")
    said = json.loads(done.stdout)
    assert (done.returncode, said["taken"], said["bad_lines"]) == (0, 2, 1)
    user = users_of(shop / "data")["old"]
    (once,) = instants_of(user.history["Order Cancelled"])
    assert user.last_seen_at_ms == once
