"""A backup of the running process, put back into an empty folder, goes on where it was made."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.conftest import run
from tests.acceptance.ordering import order

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.acceptance


def test_a_restored_backup_goes_on_where_it_was_made(shop, serve, mailbox, tmp_path: Path) -> None:
    serving = serve(shop)
    order(serving.url, 1)
    mailbox.wait_for(lambda: "receipt o1" in mailbox.ids)
    backup = tmp_path / "backup.db"
    done = run("backup", backup, "--data", shop / "data", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["path"] == str(backup)
    refused = run("restore", backup, "--data", shop / "data")
    assert refused.returncode == 1
    assert "in use by another process" in refused.stderr
    order(serving.url, 2)
    serving.kill()

    elsewhere = tmp_path / "elsewhere"
    assert run("restore", backup, "--data", elsewhere).returncode == 0
    restored = serve(shop, "--data", elsewhere)
    mailbox.wait_for(lambda: "reminder o1" in mailbox.ids)
    assert restored.drain() == 0
    assert run("users", "show", "u1", "--data", elsewhere).returncode == 0
    # Placed after the backup, and not in this folder.
    assert run("users", "show", "u2", "--data", elsewhere).returncode == 1


def test_no_process_is_needed(shop, serve, tmp_path: Path) -> None:
    data = shop / "data"
    missing = run("backup", tmp_path / "b.db", "--data", data)
    assert missing.returncode == 1
    assert f"there is no data folder {data}" in missing.stderr
    data.mkdir()
    empty = run("backup", tmp_path / "b.db", "--data", data)
    assert empty.returncode == 1
    assert f"there is no database {data}/hairspring.db" in empty.stderr

    serving = serve(shop)
    order(serving.url, 1)
    serving.kill()
    done = run("backup", tmp_path / "b.db", "--data", data)
    assert (done.returncode, done.stderr) == (0, "")
    assert run("restore", tmp_path / "b.db", "--data", data).returncode == 0
    again = run("backup", tmp_path / "b.db", "--data", data)
    assert again.returncode == 1
    assert "is there already" in again.stderr


def test_a_key_is_needed_from_this_machine_too(shop, serve, tmp_path: Path) -> None:
    serving = serve(shop)
    request = urllib.request.Request(
        f"{serving.admin_url}/api/backup",
        json.dumps({"path": str(tmp_path / "b.db")}).encode(),
        {"Authorization": "Bearer demo-write-key"},
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=30)
    with caught.value as answer:
        assert (answer.code, json.load(answer)["code"]) == (401, "key.unknown")
    assert not (tmp_path / "b.db").exists()
