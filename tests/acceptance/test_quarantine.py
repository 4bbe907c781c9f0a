"""`hairspring quarantine` on a running process and at rest."""

from __future__ import annotations

import json

import pytest

from tests.acceptance.conftest import run

pytestmark = pytest.mark.acceptance


def test_what_could_not_be_taken_is_told_by_a_process_and_without_one(shop, serve):
    serving = serve(shop)
    data = ("--data", shop / "data")
    bad = [{"user_id": "u1"}, {"user_id": "u1", "event": "Seen", "timestamp": "soon"}]
    serving.tell(*bad, {"user_id": "u1", "event": "Seen"})

    told = run("quarantine", "list", *data)
    assert told.returncode == 0, told.stderr
    assert [line.split("  ")[-1] for line in told.stdout.splitlines()] == [
        "$[0].event: missing",
        (
            "$[1].timestamp: 'soon' is no instant; give ISO 8601 like 2026-01-31T08:00:00.000Z or "
            "milliseconds since 1970"
        ),
    ]
    outcome = json.loads(run("quarantine", "retry", *data, "--json").stdout)
    assert (outcome["asked"], outcome["taken"]) == (2, 0)
    stays = run("quarantine", "retry", "2", *data).stdout
    assert "0 of 1 taken" in stays
    assert "2 stays: $.timestamp" in stays

    assert serving.drain() == 0
    page = json.loads(run("quarantine", "list", *data, "--json").stdout)
    assert [item["body"] for item in page["items"]] == bad
    nobody = run("quarantine", "retry", "--all", *data)
    assert nobody.returncode == 1
    assert "items are tried again in a running one" in nobody.stderr
