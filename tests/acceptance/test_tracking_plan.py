"""A tracking plan of a process that runs: proposed, taken on by a reload, and kept to."""

from __future__ import annotations

import json
import signal

import pytest

from tests.acceptance.conftest import run, write

pytestmark = pytest.mark.acceptance

ORDERED = {"user_id": "u1", "event": "Order Completed", "properties": {"order_id": "A1"}}
NUMBERED = {"user_id": "u1", "event": "Order Completed", "properties": {"order_id": 1}}


def test_a_plan_is_proposed_and_kept_to_and_what_it_refused_is_taken_later(shop, serve):
    serving = serve(shop)
    data = ("--data", shop / "data")
    serving.tell(ORDERED)

    proposed = run("plan", "infer", *data)
    assert proposed.returncode == 0, proposed.stderr
    assert "order_id: {type: string, required: true}" in proposed.stdout
    write(shop, {"tracking-plan.yaml": proposed.stdout})
    assert run("check", shop).returncode == 0
    serving.process.send_signal(signal.SIGHUP)
    serving.wait_to_say('"reloaded"')

    serving.tell(NUMBERED, ORDERED)
    page = json.loads(run("quarantine", "list", *data, "--json").stdout)
    (kept,) = page["items"]
    assert kept["path"] == "$[0].properties.order_id"
    assert "Expected str, got int" in kept["reason"]

    write(shop, {"tracking-plan.yaml": "events: {Order Completed: {passive: true}}\n"})
    serving.process.send_signal(signal.SIGHUP)
    serving.wait_to_say('"reloaded"', times=2)
    outcome = json.loads(run("quarantine", "retry", "--all", *data, "--json").stdout)
    assert (outcome["asked"], outcome["taken"]) == (1, 1)
    assert serving.drain() == 0
