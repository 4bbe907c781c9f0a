"""What pages tell of the past: funnels, what goes before a goal, a changed campaign tried on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from config import load_shop
from tests.clients import chromium
from tests.server.dashboard.shop import a_page, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.server.dashboard.shop import Served

pytestmark = pytest.mark.skipif(bool(chromium.why_not()), reason=chromium.why_not())

FILES = {
    "hairspring.toml": "[consent]\nrequired = []\n",
    "templates/t.in_app.liquid": "---\ntitle: Hi\n---\nHi",
    "templates/other.in_app.liquid": "---\ntitle: Hello\n---\nHello",
    "campaigns/cart.yaml": """
campaign: cart
enter: {event: Added}
exit: {event: Bought}
steps:
  - {send: in_app, template: t, id: one}
""",
    "campaigns/twice.yaml": """
campaign: twice
status: draft
enter: {when: 'count("Viewed") >= 2', backfill: true}
steps:
  - {wait: 1h, id: first}
""",
}
DAY_MS = 86_400_000
LATER = FILES["campaigns/cart.yaml"].replace("steps:", "steps:\n  - {wait: 1h, id: first}")


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Served]:
    """Sixty users: twenty of those who viewed twice buy, and none of the others."""
    async with serve(tmp_path, load_shop(FILES)) as made:
        begins_ms = made.app.clock.now_ms() - 20 * DAY_MS
        for number in range(60):
            names = ["Seen", "Viewed", "Added"]
            if number % 2:
                names = ["Seen", "Viewed", "Viewed", "Added"] + ["Bought"] * (number % 3 > 0)
            await made.send(*(
                {"user_id": f"u{number}", "event": name,
                 "timestamp": begins_ms + place * DAY_MS + number * 60_000}
                for place, name in enumerate(names)
            ))  # fmt: skip
        await made.settled()
        yield made


async def test_a_funnel_is_counted_over_the_events_that_are_chosen(shop: Served) -> None:
    async with a_page(shop) as page:
        await page.goto(shop.url + "/funnel")
        await page.get_by_label("1. event").fill("Viewed")
        await page.get_by_label("2. event").fill("Added")
        await page.get_by_label("3. event").fill("Bought")
        await page.get_by_role("button", name="Look").click()
        await page.get_by_text("20 of 60 came from the first to the last").wait_for()
        rows = page.get_by_role("group", name="Funnel").locator("tbody tr")
        told = [await row.locator("td").all_inner_texts() for row in await rows.all()]
        assert [(row[0], row[2], row[3]) for row in told] == [
            ("Viewed", "60", "100.0 %"),
            ("Added", "60", "100.0 %"),
            ("Bought", "20", "33.3 %"),
        ]


async def test_without_a_script_a_funnel_is_looked_at_again_by_a_link(shop: Served) -> None:
    async with a_page(shop, java_script_enabled=False) as page:
        await page.goto(shop.url + "/funnel?event=Viewed&event=Bought")
        came = page.get_by_text("20 of 60 came from the first to the last")
        again = page.get_by_role("link", name="Look again")
        while not await came.count():
            await again.or_(came).first.wait_for()
            if await again.count():
                await again.click()
                await page.wait_for_load_state()
        assert not await again.count()


async def test_discover_tells_of_whom_it_looked_at_and_offers_events_that_it_knows(
    shop: Served,
) -> None:
    async with a_page(shop) as page:
        await page.goto(shop.url + "/discover")
        assert await page.locator("#events option").count() >= 2
        await page.get_by_label("Goal", exact=True).fill("Bought")
        await page.get_by_label("Reached within").fill("7d")
        await page.get_by_role("button", name="Look").click()
        await page.get_by_text("users were looked at").wait_for()
        assert await page.get_by_role("heading", name="Paths to the goal").count() == 1
        assert await page.locator("#found[data-again]").count() == 0


async def test_an_edited_campaign_is_tried_on_the_archive_and_compared(shop: Served) -> None:
    async with a_page(shop) as page:
        await page.goto(shop.url + "/campaigns/cart")
        await page.get_by_role("link", name="File and backtest").click()
        text = page.get_by_label("campaigns/cart.yaml")
        assert (await text.input_value()).strip() == FILES["campaigns/cart.yaml"].strip()
        await page.get_by_text("It checks.").wait_for()
        await text.fill(FILES["campaigns/cart.yaml"] + "  - {send: in_app, template: t, id: two}\n")
        await page.get_by_label("Days of the archive").fill("30")
        await page.get_by_role("button", name="Backtest").click()
        await page.get_by_text("It would have sent something else to 60 users.").wait_for()
        row = page.get_by_role("group", name="Compared").get_by_role("row", name="sent: in_app")
        assert (await row.locator("td").all_inner_texts())[1:] == ["60", "120", "+60"]
        assert "two" in await text.input_value()
        assert await page.locator(".timeline li").count() == 100
        assert shop.app.processor.plan.campaigns["cart"].steps[-1].id == "one"


async def test_how_many_a_backfill_would_bring_in_is_told(shop: Served) -> None:
    async with a_page(shop) as page:
        await page.goto(shop.url + "/campaigns/twice/file")
        text = FILES["campaigns/twice.yaml"].replace("draft", "live")
        await page.get_by_label("campaigns/twice.yaml").fill(text)
        await page.get_by_role("button", name="Backtest").click()
        row = page.get_by_role("group", name="Taken on").get_by_role("row", name="(backfill)")
        await row.wait_for()
        assert (await row.locator("td").all_inner_texts())[1] == "30"
        await page.goto(shop.url + "/campaigns/twice/file")
        await page.get_by_role("button", name="Backtest").click()
        await page.get_by_text("Nothing changes").wait_for()


async def test_a_campaign_at_fault_is_told_where_and_keeps_what_was_typed(shop: Served) -> None:
    async with a_page(shop) as page:
        await page.goto(shop.url + "/campaigns/cart/file")
        text = page.get_by_label("campaigns/cart.yaml")
        await text.fill(LATER.replace("template: t", "template: none"))
        await page.get_by_role("button", name="Backtest").click()
        await page.get_by_text("It does not check: 1 fault.").wait_for()
        assert (
            "campaigns/cart.yaml:7" in await page.get_by_role("group", name="Findings").inner_text()
        )
        assert "template: none" in await text.input_value()
        await text.fill(LATER)
        await page.get_by_role("button", name="Check").click()
        await page.get_by_text("It checks.").wait_for()
        assert "wait: 1h" in await text.input_value()
        await text.fill(FILES["campaigns/cart.yaml"].replace("template: t", "template: other"))
        await page.get_by_role("button", name="Backtest").click()
        told = "as many messages, 0 of them at another time, 60 from another template."
        await page.get_by_text(told).wait_for()


async def test_what_is_not_kept_any_more_is_said(shop: Served) -> None:
    await shop.sign_in()
    status, text = await shop.get("/campaigns/cart/file?study=0123")
    assert (status, "not kept any more" in text) == (200, True)
    status, text = await shop.get("/campaigns/none/file")
    assert (status, "There is no campaign" in text) == (404, True)
    for path in ("/funnel?event=A&days=0", "/funnel?event=A&within=soon", "/discover?within=0s"):
        assert (await shop.get(path))[0] == 400
