"""`hairspring audit` of a process that runs, and of what it left."""

from __future__ import annotations

import json
import sqlite3

import pytest

from tests.acceptance.conftest import run

pytestmark = pytest.mark.acceptance


def test_a_running_process_and_what_it_left_are_sound_until_something_is_corrupted(shop, serve):
    serving = serve(shop)
    data = ("--data", shop / "data")
    for number in range(5):
        serving.tell(
            {"user_id": f"u{number}", "event": "Order Completed", "message_id": f"m{number}"}
        )
    running = run("audit", *data, "--json")
    assert running.returncode == 0, running.stderr
    found = json.loads(running.stdout)
    assert (found["findings"], found["notes"], found["users"]) == ([], [], 5)
    assert not list((shop / "data").glob("audit.snapshot*"))

    assert serving.drain() == 0
    at_rest = run("audit", *data)
    assert at_rest.returncode == 0, at_rest.stdout + at_rest.stderr
    assert at_rest.stdout.startswith("5 users, ")
    assert at_rest.stdout.endswith(": everything fits\n")

    database = sqlite3.connect(shop / "data/hairspring.db")
    database.execute("UPDATE users SET user_id = 'mallory' WHERE user_id = 'u3'")
    database.commit()
    database.close()
    broken = run("audit", *data)
    assert broken.returncode == 1
    assert "users: 'mallory': is the state of 'u3'" in broken.stdout

    database = sqlite3.connect(shop / "data/hairspring.db")
    database.execute("DELETE FROM users WHERE user_id IN ('mallory', 'u4')")
    database.commit()
    database.close()
    # Of u4 the log has the newest state: there he lacks nothing.
    gone = run("audit", *data)
    assert gone.returncode == 1
    assert "users: 'u3': his row, which batch " in gone.stdout
    refused = run("serve", shop, "--port", "0")
    assert refused.returncode == 1
    (line,) = map(json.loads, refused.stderr.splitlines())
    assert (line["event"], line["code"]) == ("serve.failed", "store.corrupt")
    assert "hairspring.db is damaged: a user's row that was written is gone" in line["why"]
    assert f"hairspring restore FILE {' '.join(map(str, data))}" in line["hint"]

    database = sqlite3.connect(shop / "data/hairspring.db")
    database.execute("DELETE FROM user_log")
    database.commit()
    database.close()
    missing = run("audit", *data)
    assert missing.returncode == 1
    for user_id in ("u3", "u4"):
        told = f"replay: '{user_id}': the run has no state of this user, and its inputs make one\n"
        assert told in missing.stdout
    assert missing.stdout.endswith(": 2 do not fit\n")
