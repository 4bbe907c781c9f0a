"""What is due when, and who is in which segment, asked of a running process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.calling import call
from tests.acceptance.conftest import write

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.acceptance

FILES = {
    "hairspring.toml": '[storage]\nresume_grace = "100ms"\n',
    "segments.yaml": 'gold: user.plan == "gold"\nnobody: user.plan == "lead"\n',
    "templates/t.in_app.liquid": "Hello",
    "campaigns/cart.yaml": """
campaign: cart
enter: {event: Product Added}
steps:
  - {wait: 2d, id: pause}
  - {wait: 20d, id: long}
  - {send: in_app, template: t, id: last}
""",
}


def test_deadlines_are_told_by_campaign_and_hour_and_segments_with_their_days(
    tmp_path: Path, serve: Any
) -> None:
    shop = tmp_path / "shop"
    write(shop, FILES)
    serving = serve(shop)
    for number in range(6):
        traits = {"plan": "gold" if number < 4 else "free"}
        serving.tell({"type": "identify", "user_id": f"u{number}", "traits": traits})
    serving.tell(*[{"user_id": f"u{n}", "event": "Product Added"} for n in range(3)])
    assert serving.drain() == 0
    serving = serve(shop)
    key = (shop / "data" / "admin.key").read_text().strip()

    def asked(path: str) -> Any:
        status, told = call(serving.admin_url, "GET", path, key=key)
        assert status == 200, told
        return told

    week = asked("/api/deadlines?days=3")
    assert week["users"] == 6
    assert sum(one["due"] for one in week["hours"]) == 3
    assert {one["campaign"] for one in week["hours"]} == {"cart"}
    assert week["later"] == {"due": 0, "asked": 0}
    day = asked("/api/deadlines?days=1")
    assert (day["hours"], day["later"]) == ([], {"due": 3, "asked": 0})
    while not (told := asked("/api/segments"))["segments"][0]["trend"]:
        pass
    gold, nobody = told["segments"]
    assert (gold["segment"], gold["users"], gold["condition"]) == (
        "gold",
        4,
        'user.plan == "gold"',
    )
    assert (gold["trend"][-1]["users"], gold["trend"][-1]["total"]) == (4, 6)
    assert (nobody["users"], nobody["trend"][-1]["users"]) == (0, 0)
    status, told = call(serving.admin_url, "GET", "/api/segments?days=0", key=key)
    assert (status, told["code"]) == (400, "query.invalid")
