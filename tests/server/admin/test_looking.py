"""What the archive's events tell, asked of the admin port."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.core.inputs import EventImported, TraitsImported, UsersMerged
from engine.core.instants import format_instant
from tests.server.admin.opened import KEY, open_house

if TYPE_CHECKING:
    from tests.server.house import House

HOUR = 3_600_000
DAY = 24 * HOUR


async def ask(house: House, path: str, **query: str) -> tuple[int, Any]:
    url = house.admin.url + path
    async with house.client.get(url, headers=KEY, params=query) as answer:
        lines = [msgspec.json.decode(line) for line in (await answer.read()).splitlines()]
    return answer.status, lines[-1].get("result", lines[-1])


async def test_a_funnel_is_counted_from_the_archive(house: House) -> None:
    now_ms = open_house(house)
    ago = now_ms - DAY
    await house.shell.submit(
        [
            EventImported("ada", "View", ago, now_ms),
            EventImported("device", "Cart", ago + 2, now_ms),
            UsersMerged("ada", now_ms, now_ms, merged_id="device", is_alias=True),
            EventImported("bob", "View", ago, now_ms),
            EventImported("bob", "Cart", ago + HOUR + 1, now_ms),
            EventImported("cy", "Cart", ago, now_ms),
        ]
    )
    await house.shell.durable()
    status, told = await ask(house, "/api/funnel", events="View,Cart", within="1h")
    assert status == 200
    assert [(stage["event"], stage["users"]) for stage in told["stages"]] == [
        ("View", 2),
        ("Cart", 1),
    ]
    assert (told["median_ms"], told["share"], told["users"]) == (2, 1.0, 3)
    since = format_instant(ago + 1)
    _, told = await ask(house, "/api/funnel", events="View,Cart", since=since)
    assert [stage["users"] for stage in told["stages"]] == [0, 0]


async def test_what_goes_before_a_goal_is_found_in_the_archive(house: House) -> None:
    now_ms = open_house(house)
    begin = now_ms - 10 * DAY
    events: list[Any] = []
    for number in range(200):
        user, at_ms = f"u{number}", begin + number
        events.append(TraitsImported(user, at_ms, now_ms, msgspec.Raw(b'{"plan": "gold"}')))
        events.append(EventImported(user, "Wish Listed" if number % 2 else "Seen", at_ms, now_ms))
        if number % 10 < 5 and number % 2:
            events.append(EventImported(user, "Ordered", at_ms + HOUR, now_ms))
    for place in range(0, len(events), 100):
        await house.shell.submit(events[place : place + 100])
    await house.shell.durable()
    status, told = await ask(house, "/api/discover", goal="Ordered", cohort="plan")
    assert status == 200
    found = told["found"]
    assert (found["users"], found["reached"]) == (200, 40)
    best = found["findings"][0]
    assert (best["event"], best["count"], best["did"]["reached"]) == ("Wish Listed", 1, 40)
    assert [one["cohort"] for one in best["cohorts"]] == ["gold"]
    assert "campaign: after-wish-listed" in told["suggestion"]
    _, nothing = await ask(house, "/api/discover", goal="Never")
    assert (nothing["found"]["findings"], nothing["suggestion"]) == ([], "")


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("funnel", {}),
        ("funnel", {"events": "A,,B"}),
        ("funnel", {"events": "A", "within": "soon"}),
        ("funnel", {"events": "A", "within": "0s"}),
        ("funnel", {"events": "A", "since": "then"}),
        ("funnel", {"events": "A", "days": "0"}),
        ("discover", {}),
        ("discover", {"goal": "A", "users": "1"}),
    ],
)
async def test_a_question_that_cannot_be_meant_is_refused(
    house: House, path: str, query: dict[str, str]
) -> None:
    open_house(house)
    status, told = await ask(house, f"/api/{path}", **query)
    assert (status, told["code"]) == (400, "query.invalid")
