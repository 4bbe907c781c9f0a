"""A live run, exported and run again: the same records and states, byte for byte."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import sqlite3
from base64 import b64decode
from typing import TYPE_CHECKING

import msgspec
import pytest

from engine.core.effects import Record
from engine.core.reports.records import record_line
from engine.core.state import encode_user
from engine.store import Store
from tests.acceptance.conftest import run, write
from tests.acceptance.history import events
from tests.acceptance.ordering import order
from tests.acceptance.replaying import assert_the_same, exported

if TYPE_CHECKING:
    from pathlib import Path

    from engine.core.state import User

pytestmark = pytest.mark.acceptance

CHANGED = {
    "campaigns/receipt.yaml": """
campaign: receipt
purpose: transactional
enter: {event: Order Completed, per: event.order_id, reentry: never}
exit: {event: Order Cancelled}
steps:
  - {send: email, template: receipt, id: receipt}
  - {wait: 2s, id: pause}
  - if: "event.order_id == 'o3'"
    then:
      - {send: email, template: reminder, id: reminder}
    else:
      - {wait: 1h, id: long}
""",
}


async def recovered(path: Path) -> dict[str, User]:
    store = await Store.open(path)
    users = (await store.recover(0, 0)).users
    await store.close()
    return users


def lives(shop, serve, mailbox, tmp_path: Path):
    """Orders, a kill with a reminder due meanwhile, history, a changed shop, and a downtime."""
    serving = serve(shop)
    order(serving.url, 1)
    order(serving.url, 2)
    mailbox.wait_for(lambda: {"receipt o1", "receipt o2"} <= mailbox.ids.keys())
    serving.kill()
    serving = serve(shop)
    mailbox.wait_for(lambda: {"reminder o1", "reminder o2"} <= mailbox.ids.keys())
    assert run("import", shop, "--events", events(tmp_path / "old.ndjson")).returncode == 0
    order(serving.url, 3)
    order(serving.url, 4)
    mailbox.wait_for(lambda: {"receipt o3", "receipt o4"} <= mailbox.ids.keys())
    assert serving.drain() == 0
    write(shop, CHANGED)
    serving = serve(shop)
    mailbox.wait_for(lambda: "reminder o3" in mailbox.ids)
    order(serving.url, 5)
    mailbox.wait_for(lambda: "receipt o5" in mailbox.ids)
    return serving


def test_a_live_run_comes_out_again_byte_for_byte(shop, serve, mailbox, tmp_path: Path) -> None:
    serving = lives(shop, serve, mailbox, tmp_path)
    running = exported(shop, tmp_path / "running.ndjson.gz")
    assert_the_same(shop, running, tmp_path)
    assert [one.name for one in (shop / "data").glob("*snapshot*")] == []

    assert serving.drain() == 0
    stopped = exported(shop, tmp_path / "stopped.ndjson")
    replayed = assert_the_same(shop, stopped, tmp_path)
    assert replayed["states"] == 6

    # Not only by its own word: records and states as the database has them.
    connection = sqlite3.connect(shop / "data" / "hairspring.db")
    kept = connection.execute("SELECT record FROM records").fetchall()
    connection.close()
    decode = msgspec.json.Decoder(Record).decode
    live = sorted(record_line(decode(row[0])) for row in kept)
    assert sorted((tmp_path / "records.ndjson").read_bytes().splitlines(keepends=True)) == live
    assert len(live) > 15
    lines = [json.loads(line) for line in stopped.read_bytes().splitlines()]
    told = {line["user_id"]: b64decode(line["state"]) for line in lines if line["type"] == "state"}
    saved = asyncio.run(recovered(shop / "data" / "hairspring.db"))
    assert told == {user_id: encode_user(user) for user_id, user in saved.items()}
    kinds = {line["input"]["type"] for line in lines if line["type"] == "input"}
    assert {"event", "identify", "delivery", "resumed", "plan", "imported_event"} <= kinds


def test_a_difference_is_told_and_a_changed_shop_runs_the_events_anew(
    shop, serve, mailbox, tmp_path: Path
) -> None:
    serving = serve(shop)
    order(serving.url, 1)
    order(serving.url, 2)
    mailbox.wait_for(lambda: {"reminder o1", "reminder o2"} <= mailbox.ids.keys())
    assert serving.drain() == 0
    file = exported(shop, tmp_path / "run.ndjson")

    text = file.read_text()
    said = '"properties":{"order_id": "o1"}'
    assert text.count(said) == 1
    other = tmp_path / "other.ndjson"
    other.write_text(text.replace(said, '"properties":{"other": "o1"}'))
    done = run("simulate", shop, "--events", other)
    assert re.match(r"\d+ inputs of 2 users, ", done.stdout)
    assert done.returncode == 1
    assert "those of 1 users differ:\n  u1: the run had {" in done.stdout

    refused = run("simulate", shop, "--events", file, "--until", "2030-01-01")
    assert refused.returncode == 2
    assert "is run again as it was" in refused.stderr

    write(shop, {"campaigns/receipt.yaml": CHANGED["campaigns/receipt.yaml"].replace("2s", "9d")})
    anew = run("simulate", shop, "--events", file, "--json")
    assert anew.returncode == 0
    report = json.loads(anew.stdout)
    assert report["replayed"] is None
    assert report["campaigns"][0]["sent"] == {"email": 2}


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda lines: lines[:-1], "is cut short"),
        (lambda lines: [*lines[:3], b"{}\n", *lines[3:]], ":4: no line of a journal"),
        (lambda lines: [lines[0].replace(b'"form":1', b'"form":2'), *lines[1:]], "has form 2"),
        (lambda lines: [lines[0], *lines[2:]], "names a plan that it does not hold"),
    ],
)
def test_a_damaged_export_is_not_run(shop, serve, tmp_path: Path, spoil, told: str) -> None:
    assert run("export-journal", tmp_path / "no.gz", "--data", shop / "data").returncode == 1
    serving = serve(shop)
    order(serving.url, 1)
    assert serving.drain() == 0
    file = exported(shop, tmp_path / "run.ndjson.gz")
    lines = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
    file.write_bytes(gzip.compress(b"".join(spoil(lines))))
    done = run("simulate", shop, "--events", file)
    assert done.returncode == 1
    assert told in done.stderr
