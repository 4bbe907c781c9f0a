from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from config.settings import Consent, Settings
from engine.core.inputs import MessageAnswered
from engine.core.messages.waiting import by_id
from engine.server.links.engagement import VISITS_MAX
from engine.server.pixel import GIF
from engine.server.rates import BAD_KEYS_BURST
from tests.core.world import campaign, send
from tests.server.house import House
from tests.server.links.visits import APPLE, BROWSER, ID, Reader

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
async def reader(house: House) -> Reader:
    made = Reader(house)
    await made.exists(email="a@example.com")
    return made


async def test_an_open_answers_a_picture_that_nobody_keeps_and_is_taken(reader: Reader) -> None:
    answer = await reader.open()
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "image/gif"
    assert "no-store" in answer.headers["Cache-Control"]
    assert GIF.startswith(b"GIF89a")
    assert await reader.told() == [("opened", "")]
    (taken,) = [i for i in reader.house.inputs if isinstance(i, MessageAnswered)]
    assert (taken.name, taken.sent.id, taken.sent.step) == ("Email Opened", ID, "first")


async def test_a_click_leads_to_the_address_that_was_signed_and_is_taken(reader: Reader) -> None:
    answer = await reader.click("https://shop.example/cart?a=1&b=2#c")
    assert answer.status == 302
    assert answer.headers["Location"] == "https://shop.example/cart?a=1&b=2#c"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert await reader.told() == [("clicked", "")]


async def test_two_links_at_once_are_a_scanners_and_two_clicks_on_one_are_not(
    reader: Reader,
) -> None:
    for address in ("https://shop.example/1", "https://shop.example/2"):
        await reader.click(address, "Mozilla/5.0 (X11) Firefox/130.0")
    await reader.click("https://shop.example/1")
    await reader.click("https://shop.example/1")
    assert sorted(await reader.told()) == [
        ("clicked", ""),
        ("clicked", ""),
        ("clicked", "scanner"),
        ("clicked", "scanner"),
    ]


async def test_a_proxys_open_and_a_head_request_are_machines(reader: Reader) -> None:
    await reader.open(APPLE)
    path = f"/c/{reader.token('click', 'https://shop.example/')}"
    url = reader.house.site.url + path
    async with reader.house.client.head(url, allow_redirects=False) as answer:
        assert answer.status == 302
    assert sorted(await reader.told()) == [("clicked", "head"), ("opened", "apple-mail-privacy")]
    assert {i.name for i in reader.house.inputs if isinstance(i, MessageAnswered)} == {""}


async def test_what_comes_while_the_mail_is_being_handed_over_is_a_machines(
    tmp_path: Path,
) -> None:
    from engine.core.plan import Plan

    house = await House.start(tmp_path, plan=Plan("p", [campaign("cart", send("email"))]))
    reader = Reader(house)
    await reader.exists(email="a@example.com", consent={"email": True})
    await house.post("/events", {"user_id": "u", "event": "Go"})
    user = house.processor.find("u")
    assert user is not None
    (effect_id,) = by_id(user.pending)
    await reader.click(message=effect_id)
    assert await reader.told() == [("clicked", "before-delivery")]
    await house.aclose()


@pytest.mark.parametrize("header", ["Sec-GPC", "DNT"])
async def test_who_asks_not_to_be_tracked_is_not_and_gets_where_he_wants(
    reader: Reader, header: str
) -> None:
    assert (await reader.open(headers={header: "1"})).status == 200
    assert (await reader.click(headers={header: "1"})).status == 302
    assert await reader.told() == []
    counted = (await reader.house.get("/metrics", admin=True)).text
    assert 'hairspring_untracked_total{kind="clicked"} 1.0' in counted


async def test_a_shop_may_not_honour_it(tmp_path: Path) -> None:
    house = await House.start(tmp_path, settings=Settings(consent=Consent(honor_gpc=False)))
    reader = Reader(house)
    await reader.exists()
    await reader.open(headers={"Sec-GPC": "1"})
    assert await reader.told() == [("opened", "")]
    await house.aclose()


async def test_forged_links_are_404_and_lead_nowhere(reader: Reader) -> None:
    token = reader.token("click", "https://shop.example/")
    for path in (f"/c/{token[:-1]}", "/c/x", "/c/https:%2F%2Fevil.example", f"/u/{token}"):
        answer = await reader.house.get(path, allow_redirects=False)
        assert answer.status == 404
        assert "Location" not in answer.headers
        assert "This link does not work" in answer.text
    query = f"/c/{token}?url=https://evil.example"
    answer = await reader.house.get(query, allow_redirects=False)
    assert answer.headers["Location"] == "https://shop.example/"


async def test_an_expired_click_is_410_and_shows_where_it_led(reader: Reader) -> None:
    token = reader.token("click", 'https://shop.example/?a="b', expires_in=-60_000)
    answer = await reader.house.get(f"/c/{token}", allow_redirects=False)
    assert answer.status == 410
    assert 'href="https://shop.example/?a=&quot;b"' in answer.text
    pixel = reader.token("open", expires_in=-60_000)
    assert (await reader.house.get(f"/o/{pixel}.gif")).status == 410
    assert await reader.told() == []
    counted = (await reader.house.get("/metrics", admin=True)).text
    assert 'hairspring_links_refused_total{reason="expired",route="click"} 1.0' in counted


async def test_whoever_guesses_tokens_is_told_to_come_again_later(reader: Reader) -> None:
    statuses = {(await reader.house.get("/u/x")).status for _ in range(BAD_KEYS_BURST + 20)}
    assert statuses == {404, 429}
    assert (await reader.click()).status == 302  # whoever has a good one is not asked


async def test_a_link_that_is_followed_over_and_over_is_taken_so_often_and_no_more(
    reader: Reader,
) -> None:
    for _ in range(VISITS_MAX + 3):
        assert (await reader.open()).status == 200
    assert len(await reader.told()) == VISITS_MAX
    counted = (await reader.house.get("/metrics", admin=True)).text
    assert 'hairspring_answers_total{by="dropped",kind="opened"} 3.0' in counted


async def test_of_somebody_unknown_nothing_is_taken_and_the_link_leads_on(house: House) -> None:
    reader = Reader(house, "erased")
    assert (await reader.click()).status == 302
    assert await reader.told() == []


async def test_a_redirect_works_while_the_journal_cannot_be_written(reader: Reader) -> None:
    reader.house.store.broken = True
    await reader.house.client.post(reader.house.site.url + "/events", json={})
    assert (await reader.click(agent=BROWSER)).status == 302
    reader.house.store.broken = False


async def test_events_of_a_browser_that_is_not_to_be_tracked_are_not_taken(house: House) -> None:
    headers = {"Authorization": "Bearer a-write-key", "Sec-GPC": "1"}
    said = [
        {"user_id": "u", "event": "Viewed"},
        {"type": "identify", "user_id": "u", "traits": {"consent": {"email": False}}},
    ]
    answer = await house.post("/events", said, headers=headers)
    assert answer.json == {"accepted": 1, "rejected": [], "untracked": 1}
    track = {"type": "track", "userId": "u", "event": "Viewed"}
    answer = await house.post("/v1/track", track, headers=headers)
    assert (answer.status, answer.json) == (200, {"success": True})
    assert [type(i).__name__ for i in house.inputs] == ["UserIdentified"]
