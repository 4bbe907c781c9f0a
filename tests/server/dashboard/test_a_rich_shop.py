"""Pages of a shop with everything: splits, a holdout, segments, repeats, dead letters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from config import load_shop
from engine.core.inputs import SentMessage
from engine.core.messages.answers import answered
from tests.clients import chromium
from tests.server.dashboard.axe import violations
from tests.server.dashboard.shop import a_page, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from engine.core.inputs import Answer
    from tests.server.dashboard.shop import Served

pytestmark = pytest.mark.skipif(bool(chromium.why_not()), reason=chromium.why_not())

FILES = {
    "hairspring.toml": '[shop]\nname = "Rich & <Co>"\n[consent]\nunknown = "allow"\n',
    "segments.yaml": 'parisians: user.city == "Paris"\n',
    "campaigns/offer.yaml": """
campaign: offer
description: Everything at once
enter: {event: Go}
holdout: 10%
goal: {event: Bought, within: 7d}
steps:
  - split:
      name: copy
      variants:
        short:
          weight: 1
          steps:
            - {send: in_app, template: hello, id: short}
        none: {weight: 1}
    id: copy
  - choose:
      - when: user.city == "Paris"
        steps:
          - {wait: 1h, id: an-hour}
          - {exit: in Paris}
      - when: user.city == "Lyon"
        steps:
          - {wait: 2h, id: two-hours}
    id: where
  - repeat:
      times: 3
      every: 1d
      steps:
        - {send: in_app, template: hello, id: again}
    id: thrice
  - {wait: {event: Answered, at_most: 2d}, id: answer}
""",
    "campaigns/crossed.yaml": """
campaign: crossed
enter: {event: Go}
goal: {event: Bought}
steps:
  - {split: {name: tone, variants: {warm: {weight: 1}, plain: {weight: 1}}}, id: tone}
  - {split: {name: size, variants: {large: {weight: 1}, small: {weight: 1}}}, id: size}
  - {wait: 1d, id: a-day}
""",
    "campaigns/broken.yaml": """
campaign: broken
purpose: transactional
enter: {event: Break}
steps:
  - {send: email, template: broken, id: mail}
""",
    "templates/hello.in_app.liquid": "---\ntitle: Hello\n---\nHello {{ user.id }}\n",
    "templates/broken.email.liquid": "---\nsubject: No\n---\n{{ 1 | divided_by: user.zero }}\n",
}


@pytest.fixture
async def rich(tmp_path: Path) -> AsyncIterator[Served]:
    async with serve(tmp_path, load_shop(FILES)) as made:
        for place, user_id in enumerate(("ada", "bob", "cleo", "dan", "eve", "fay")):
            traits: dict[str, Any] = {"city": ("Paris", "Lyon", "Lille")[place % 3], "zero": 0}
            traits["email"] = f"{user_id}@example.com"
            await made.send(
                {"type": "identify", "user_id": user_id, "traits": traits},
                {"user_id": user_id, "event": "Go"},
            )
        await made.send({"user_id": "ada", "event": "Break"}, {"user_id": "bob", "event": "Bought"})
        await made.settled()
        yield made


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1440, "light")])
async def test_no_page_of_it_is_at_fault(rich: Served, width: int, scheme: Any) -> None:
    paths = ["/campaigns", "/campaigns/offer", "/experiments", "/segments", "/deadlines",
             "/deliveries", "/users/ada?campaign=offer", "/campaigns/nothing"]  # fmt: skip
    async with a_page(rich, width, color_scheme=scheme, bypass_csp=True) as page:
        for path in paths:
            await page.goto(rich.url + path)
            assert await page.evaluate("document.documentElement.scrollWidth") <= width, path
            assert await violations(page) == [], path


async def test_a_flow_shows_its_branches_and_where_they_meet(rich: Served) -> None:
    async with a_page(rich) as page:
        await page.goto(rich.url + "/campaigns/offer")
        ways = await page.locator(".way > h3").all_inner_texts()
        assert [way.partition(" · ")[0] for way in ways] == [
            "short", "none", 'user.city == "Paris"', 'user.city == "Lyon"', "else",
            "up to 3 times",
        ]  # fmt: skip
        nodes = await page.locator(".node .what").all_inner_texts()
        assert nodes == [
            "Enter", "Split copy", "Send in_app", "Choose", "Wait 1 h", "Exit: in Paris",
            "Wait 2 h", "Repeat, 3 times at the most", "Send in_app",
            "Wait for Answered, 2 d at the most", "End",
        ]  # fmt: skip


async def test_a_campaign_whose_messages_are_answered_says_how_soon(rich: Served) -> None:
    now_ms = rich.app.clock.now_ms()
    sent = SentMessage("f" * 32, "in_app", "offer", "e", "short", sent_at_ms=now_ms - 60_000)
    done: tuple[Answer, ...] = ("opened", "clicked")
    await rich.app.shell.submit([answered("bob", sent, answer, now_ms) for answer in done])
    await rich.settled()
    async with a_page(rich) as page:
        shown = await page.goto(rich.url + "/campaigns/offer")
        assert shown is not None
        assert shown.status == 200
        for kind in ("Opened", "Clicked"):
            tile = page.locator(".tile", has=page.get_by_text(kind, exact=True))
            assert await tile.locator("dd.big").inner_text() == "1"
            assert "; half of them within " in await tile.locator("dd.note").inner_text()


async def test_experiments_say_what_is_known(rich: Served) -> None:
    async with a_page(rich) as page:
        await page.goto(rich.url + "/experiments")
        headings = await page.get_by_role("heading", level=2).all_inner_texts()
        assert headings == [
            "crossed: tone", "crossed: size", "crossed: its splits together",
            "offer: copy", "offer: lift over holdout",
        ]  # fmt: skip
        card = page.get_by_role("region", name="crossed: its splits together")
        effects = card.locator("tbody td:first-child")
        assert await effects.all_inner_texts() == [
            "tone: plain", "size: small", "tone: plain with size: small",
        ]  # fmt: skip
        assert all(await page.locator(".verdict").all_inner_texts())


async def test_segments_are_counted(rich: Served) -> None:
    async with a_page(rich) as page:
        await page.goto(rich.url + "/segments")
        await page.get_by_text("33.3 %").wait_for()  # a round may have begun before they came
        cells = await page.get_by_role("row", name="parisians").locator("td").all_inner_texts()
        assert cells[1:3] == ["2", "33.3 %"]


async def test_a_dead_letter_is_delivered_after_all_by_its_button(rich: Served) -> None:
    async with a_page(rich) as page:
        await page.goto(rich.url + "/deliveries")
        assert await page.get_by_role("heading", name="Dead letters (1)").count() == 1
        await page.get_by_role("button", name="Retry the message to ada").click()
        said = await page.get_by_role("status").inner_text()
        assert said == "1 message is on the way again."


async def test_a_shops_own_words_are_text_and_no_html(rich: Served) -> None:
    async with a_page(rich) as page:
        await page.goto(rich.url + "/campaigns")
        assert await page.locator(".brand").inner_text() == "Rich & <Co>"
        assert (await page.title()).endswith("Rich & <Co>")
