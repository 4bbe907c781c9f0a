"""Why, asked of a running process over HTTP and at the command line, and of its folder at rest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.instants import format_instant, parse_instant_ms
from tests.acceptance.calling import call
from tests.acceptance.conftest import run, write

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.acceptance


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    write(
        folder,
        {
            "hairspring.toml": "",
            "campaigns/quiet.yaml": """
campaign: quiet
enter: {when: 'did("Product Viewed", "7d") && !did("Order Completed", "7d") && idle("30m")'}
steps: [{send: in_app, template: t, id: nudge}]
""",
            "templates/t.in_app.liquid": "Hello",
        },
    )
    return folder


def explained(*arguments: object) -> Any:
    done = run("explain", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_is_told_alike_over_http_at_the_command_line_and_at_rest(shop: Path, serve) -> None:
    serving = serve(shop)
    data = shop / "data"
    viewed = {"user_id": "ada/1", "event": "Product Viewed"}
    assert call(serving.url, "POST", "/events", viewed)[0] == 200
    key = (shop / "data" / "admin.key").read_text().strip()
    route = "/api/users/ada%2F1/explain"
    status, told = call(serving.admin_url, "GET", f"{route}?campaign=quiet", key=key)
    assert (status, told["verdict"]["kind"]) == (200, "would_enter")
    seen_at = told["account"]["enter_when"]["parts"][0]["events"][0]["at"]
    due_at = format_instant(parse_instant_ms(seen_at) + 1_800_000)
    assert told["verdict"]["at"] == due_at
    assert explained("ada/1", "quiet", "--data", data)["verdict"] == told["verdict"]
    at = told["at"]
    then = f"{route}?campaign=quiet&at={at}"
    assert call(serving.admin_url, "GET", then, key=key) == (200, told)
    ordered = {"user_id": "ada/1", "event": "Order Completed"}
    assert call(serving.url, "POST", "/events", ordered)[0] == 200
    status, after = call(serving.admin_url, "GET", f"{route}?campaign=quiet", key=key)
    # Once the order is a week old, he has not viewed anything within a week either.
    assert after["verdict"]["kind"] == "not_true"
    assert explained("ada/1", "quiet", "--at", at, "--data", data) == told
    assert serving.drain() == 0
    assert explained("ada/1", "quiet", "--at", at, "--data", data) == told
    assert explained("ada/1", "quiet", "--data", data)["verdict"]["kind"] == "not_true"
    words = run("explain", "ada/1", "quiet", "--at", at, "--data", data).stdout
    assert words.startswith(f"ada/1, quiet, as of {at}\nwould enter at {due_at} if nothing happens")
    assert '\n    + did("Product Viewed", "7d"): true, at least until ' in words
    assert f"\n        Product Viewed at {seen_at}\n" in words
    assert f'\n    - idle("30m"): false, at least until {due_at}\n' in words


def test_what_there_is_not_is_refused_with_what_would_be_right(shop: Path, serve) -> None:
    serving = serve(shop)
    data = shop / "data"
    viewed = {"user_id": "ada", "event": "Product Viewed"}
    assert call(serving.url, "POST", "/events", viewed)[0] == 200
    key = (shop / "data" / "admin.key").read_text().strip()

    def refused(user: str, query: str) -> tuple[int, str]:
        path = f"/api/users/{user}/explain{query}"
        status, problem = call(serving.admin_url, "GET", path, key=key)
        return status, problem["code"]

    assert refused("ada", "") == (400, "query.invalid")
    assert refused("ada", "?campaign=quiet&at=noon") == (400, "query.invalid")
    assert refused("ada", "?campaign=quiet&at=2999-01-01") == (400, "explain.instant")
    assert refused("ada", "?campaign=quite") == (404, "campaign.unknown")
    assert refused("adaa", "?campaign=quiet") == (404, "user.unknown")
    assert refused("ada", "?campaign=quiet&at=2026-01-01") in {
        (404, "user.unknown"),
        (404, "explain.archive"),
    }
    done = run("explain", "ada", "quite", "--data", data)
    assert (done.returncode, "did you mean quiet?" in done.stderr) == (1, True)
    assert serving.drain() == 0
    done = run("explain", "ada", "quite", "--data", data)
    assert (done.returncode, "did you mean quiet?" in done.stderr) == (1, True)
    done = run("explain", "zoe", "quiet", "--data", data)
    assert (done.returncode, "there is no user 'zoe'" in done.stderr) == (1, True)
