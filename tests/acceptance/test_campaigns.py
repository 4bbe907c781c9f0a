"""How campaigns do, asked of a running process: counted as it happens, through its end too."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.calling import call
from tests.acceptance.conftest import run, write

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.acceptance

CAMPAIGN = """
campaign: cart
description: A nudge
enter: {event: Product Added}
goal: {event: Order Completed, value: event.total}
steps:
  - split:
      name: copy
      variants:
        a: {weight: 1, steps: [{send: in_app, template: t, id: first}]}
        b: {weight: 1, steps: [{send: webhook, template: t, id: other}]}
  - {wait: 7d, id: pause}
  - {send: in_app, template: t, id: last}
"""
USERS = 40


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    toml = """
[shop]
currency = "EUR"
[storage]
resume_grace = "100ms"
[channels.in_app]
cost = 0.5
"""
    webhook = {"templates/t.webhook.liquid": "---\n---\n{}"}
    write(folder, {"hairspring.toml": toml, "campaigns/cart.yaml": CAMPAIGN, **webhook})
    write(folder, {"templates/t.in_app.liquid": "Hello"})
    return folder


def campaign(serving: Any, shop: Path) -> dict[str, Any]:
    key = (shop / "data" / "admin.key").read_text().strip()
    status, told = call(serving.admin_url, "GET", "/api/campaigns/cart", key=key)
    assert status == 200
    return told


def settled(serving: Any, shop: Path) -> dict[str, Any]:
    while True:
        told = campaign(serving, shop)
        if told["delivered"] == USERS and not told["behind"]:
            return told


def test_a_campaign_tells_what_it_did_and_goes_on_counting_after_a_kill(
    shop: Path, serve: Any
) -> None:
    serving = serve(shop)
    serving.tell(*[{"user_id": f"u{n}", "event": "Product Added"} for n in range(USERS)])
    settled(serving, shop)
    serving.tell(
        *[
            {"user_id": f"u{n}", "event": "Order Completed", "properties": {"total": 10}}
            for n in range(10)
        ]
    )
    told = settled(serving, shop)
    key = (shop / "data" / "admin.key").read_text().strip()
    _, all_of_them = call(serving.admin_url, "GET", "/api/campaigns?hours=1", key=key)
    (listed,) = all_of_them["campaigns"]
    (hour,) = listed.pop("trend")
    assert listed == {name: told[name] for name in listed}
    assert hour["converted"] <= 10
    assert (told["entered"], told["currency"]) == (USERS, "EUR")
    assert (told["converted"], told["goal_value"]) == (10, 100.0)
    steps = {step["id"]: step for step in told["steps"]}
    assert steps["pause"]["reached"] == USERS
    assert steps["last"]["reached"] == 0
    variants = told["experiments"][0]["variants"]
    assert [one["entered"] for one in variants] == [steps["first"]["sent"], steps["other"]["sent"]]
    assert sum(one["goals"] for one in variants) == 10
    (in_app, webhook) = told["channels"]
    assert in_app["cost"] == 0.5 * in_app["delivered"]
    assert in_app["goals"] + webhook["goals"] == told["attributed"]["goals"] == 10
    assert in_app["goals"] == steps["first"]["goals"] == variants[0]["goals"]
    serving.kill()
    serving = serve(shop)
    again = settled(serving, shop)
    # Who waits is counted anew every two seconds; lateness is of what fired since.
    uncertain = {"at", "trend", "lateness", "active", "steps"}
    assert {k: v for k, v in again.items() if k not in uncertain} == {
        k: v for k, v in told.items() if k not in uncertain
    }
    for step in told["steps"]:
        step.pop("waiting")
    assert {step["id"]: step.pop("waiting") for step in again["steps"]} == {
        "steps.0": 0, "first": 0, "other": 0, "pause": USERS - 10, "last": 0
    }  # fmt: skip
    assert again["steps"] == told["steps"]
    assert again["active"] == USERS - 10
    assert serving.drain() == 0
    serving = serve(shop)
    again = campaign(serving, shop)
    assert (again["behind"], again["converted"], again["sent"]) == (0, 10, USERS)


def test_a_campaign_that_is_not_there_is_told_so(shop: Path, serve: Any) -> None:
    serving = serve(shop)
    key = (shop / "data" / "admin.key").read_text().strip()
    status, told = call(serving.admin_url, "GET", "/api/campaigns/card", key=key)
    assert (status, told["code"]) == (404, "campaign.unknown")


def test_a_report_is_the_same_of_a_running_process_and_of_its_folder(
    shop: Path, serve: Any, tmp_path: Path
) -> None:
    serving = serve(shop)
    data = shop / "data"
    serving.tell(*[{"user_id": f"u{n}", "event": "Product Added"} for n in range(USERS)])
    settled(serving, shop)
    live = run("report", "cart", "--json", "--data", data)
    assert live.returncode == 0, live.stderr
    records = run("records", "--campaign", "cart", "--csv", "--data", data)
    assert serving.drain() == 0
    rest = run("report", "cart", "--json", "--data", data)
    assert rest.returncode == 0, rest.stderr
    told, again = json.loads(live.stdout), json.loads(rest.stdout)
    uncertain = {"at", "trend"}
    assert {k: v for k, v in again.items() if k not in uncertain} == {
        k: v for k, v in told.items() if k not in uncertain
    }
    assert run("records", "--campaign", "cart", "--csv", "--data", data).stdout == records.stdout
    page = tmp_path / "report.html"
    assert run("report", "cart", "--html", page, "--data", data).returncode == 0
    html = page.read_text()
    assert "<h1>cart</h1>" in html
    assert f"<dd>{USERS}<small>{USERS} in it now</small></dd>" in html
    assert not re.search(r"(src|href)=|url\(|<script|@import", html), "nothing from elsewhere"
    words = run("report", "cart", "--data", data).stdout
    assert f"entered {USERS} (0 held out), active {USERS}" in words
    assert re.search(r"^pause +wait +40 +40 ", words, re.MULTILINE)


def test_records_are_written_as_csv_and_as_lines_and_go_on_behind_an_id(
    shop: Path, serve: Any
) -> None:
    serving = serve(shop)
    data = shop / "data"
    serving.tell({"user_id": '=cmd|"x"', "event": "Product Added"})
    serving.tell(*[{"user_id": f"u{n}", "event": "Product Added"} for n in range(USERS - 1)])
    settled(serving, shop)
    done = run("records", "--kind", "entered", "--kind", "sent", "--csv", "--data", data)
    rows = list(csv.DictReader(io.StringIO(done.stdout, newline="")))
    assert len(rows) == 2 * USERS
    assert {row["kind"] for row in rows} == {"entered", "sent"}
    assert rows[0]["user_id"] == '\'=cmd|"x"', "no spreadsheet computes it"
    lines = run("records", "--data", data).stdout.splitlines()
    ids = [int(json.loads(line)["id"]) for line in lines]
    assert ids == sorted(ids)
    later = run("records", "--after", ids[9], "--data", data).stdout.splitlines()
    assert later == lines[10:]
    assert run("records", "--campaign", "none", "--data", data).stdout == ""
    wrong = run("records", "--kind", "send", "--data", data)
    assert wrong.returncode == 2
    assert "'send' is none of entered, " in wrong.stderr


def test_a_report_of_what_is_not_there_says_what_would_be(shop: Path, serve: Any) -> None:
    serving = serve(shop)
    data = shop / "data"
    live = run("report", "card", "--data", data)
    assert (live.returncode, "no campaign 'card'" in live.stderr) == (1, True)
    assert serving.drain() == 0
    rest = run("report", "card", "--data", data)
    assert (rest.returncode, bool(re.search("did you mean .?cart", rest.stderr))) == (1, True)
    folder = data / "nowhere" / "report.html"
    nowhere = run("report", "cart", "--html", folder, "--data", data)
    assert nowhere.returncode == 1
    assert "report.html cannot be written" in nowhere.stderr
