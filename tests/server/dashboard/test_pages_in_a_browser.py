"""Every page in Chromium: what it shows, what it does, and whether everybody can use it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.clients import chromium
from tests.server.dashboard.shop import KEY, a_page, shopper

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.dashboard.shop import Served

pytestmark = pytest.mark.skipif(bool(chromium.why_not()), reason=chromium.why_not())

WHY = "/users/ada?campaign=cart-abandonment"


async def test_the_key_opens_the_page_that_was_asked_for(served: Served) -> None:
    async with a_page(served, signed_in=False) as page:
        await page.goto(served.url + "/users")
        await page.get_by_label("Admin key").fill("wrong")
        await page.keyboard.press("Enter")
        await page.get_by_role("alert").wait_for()
        await page.get_by_label("Admin key").fill(KEY)
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_role("heading", name="Users", exact=True).wait_for()


async def test_now_follows_what_happens_without_being_loaded_again(served: Served) -> None:
    async with a_page(served) as page:
        events = page.locator(".tile .note").first
        await page.get_by_text("6 since the start").first.wait_for()
        await served.send(*shopper("cleo"))
        await page.get_by_text("9 since the start").first.wait_for()
        live = page.get_by_role("button", name="Live")
        await live.click()
        assert await live.get_attribute("aria-pressed") == "false"
        assert "9" in await events.inner_text()


@pytest.mark.parametrize(
    ("said", "found"),
    [("ada", ["ada"]), ("BOB@exam", ["bob"]), ("city=par", ["ada"]), ("zoe", [])],
)
async def test_users_are_found(served: Served, said: str, found: list[str]) -> None:
    async with a_page(served) as page:
        await page.goto(served.url + "/users")
        await page.get_by_label("Look for").fill(said)
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", name="Found for").wait_for()
        assert await page.locator("tbody td:first-child").all_inner_texts() == found


async def test_a_users_page_tells_what_he_did_what_waits_and_why(served: Served) -> None:
    async with a_page(served) as page:
        await page.goto(served.url + "/users/ada")
        timeline = await page.locator("section[aria-labelledby=timeline]").inner_text()
        assert "Product Added" in timeline
        assert "<b>free</b>" in timeline
        coming = page.get_by_role("region", name="What comes next")
        assert "cart-abandonment" in await coming.inner_text()
        await page.get_by_label("Campaign").select_option("cart-abandonment")
        await page.get_by_role("button", name="Explain").click()
        verdict = await page.locator(".verdict").inner_text()
        assert "waits in step wait-push" in verdict


async def test_why_is_told_of_an_instant_in_the_past(served: Served) -> None:
    async with a_page(served) as page:
        await page.goto(served.url + WHY + "&at=2020-01-01T00:00")
        told = await page.get_by_role("alert").inner_text()
        assert told.startswith("There is no user 'ada' at 2020-01-01")


async def test_a_user_is_exported_and_erased(served: Served, tmp_path: Path) -> None:
    async with a_page(served) as page:
        await page.goto(served.url + "/users/ada")
        async with page.expect_download() as download:
            await page.get_by_role("link", name="Export").click()
        path = tmp_path / "export.json"
        await (await download.value).save_as(path)
        assert msgspec.json.decode(path.read_bytes())["user_id"] == "ada"
        await page.get_by_role("link", name="Erase").click()
        await page.get_by_label("Type the user's id").fill("bob")
        await page.get_by_role("button", name="Erase for good").click()
        assert "nothing was erased" in await page.get_by_role("alert").inner_text()
        await page.goto(served.url + "/users/ada/erase")
        await page.get_by_label("Type the user's id").fill("ada")
        await page.get_by_role("button", name="Erase for good").click()
        assert await page.get_by_role("status").inner_text() == "ada is erased."
    assert "ada" not in served.app.processor


async def test_what_somebody_waits_for_goes_on_now_or_ends_by_its_buttons(served: Served) -> None:
    async with a_page(served) as page:
        await page.goto(served.url + "/users/ada")
        await page.get_by_role("button", name="Have cart-abandonment go on now").click()
        assert await page.get_by_role("status").inner_text() == "It went on."
        timeline = page.locator("section[aria-labelledby=timeline]")
        assert "Forwarded by an operator" in await timeline.inner_text()
        coming = page.get_by_role("region", name="What comes next")
        assert "wait-push" not in await coming.inner_text()
        await page.get_by_role("button", name="End cart-abandonment for him").click()
        assert await page.get_by_role("status").inner_text() == "It is ended."
        assert "End cart-abandonment" not in await coming.inner_html()
        assert "cancelled" in await timeline.inner_text()


async def test_a_campaign_is_drawn_as_its_flow_with_what_came_of_each_step(
    served: Served,
) -> None:
    async with a_page(served) as page:
        await page.goto(served.url + "/campaigns")
        row = page.get_by_role("row", name="cart-abandonment")
        assert (await row.locator("td").all_inner_texts())[3:6] == ["2", "2", "2"]
        await row.get_by_role("link").click()
        nudge = await page.locator(".node", has_text="nudge").inner_text()
        assert "2 came here" in nudge
        assert "2 sent" in nudge
        waiting = await page.locator(".node", has_text="wait-push").inner_text()
        assert "2 wait here" in waiting
        branches = page.locator(".ways .way h3")
        assert await branches.all_inner_texts() == ["then", "then", "else", "else"]


async def test_deadlines_stand_in_their_hours(served: Served) -> None:
    async with a_page(served) as page:
        await page.goto(served.url + "/deadlines")
        await page.get_by_text("2 users, counted").wait_for()  # a round may have begun before
        rows = page.get_by_role("group", name="Deadlines by campaign").locator("tbody tr")
        told = [await row.locator("td").all_inner_texts() for row in await rows.all()]
        assert told == [["cart-abandonment", "2", "0"], ["welcome", "2", "0"]]


async def test_a_way_to_begin_is_offered_from_what_campaigns_are_for(served: Served) -> None:
    async with a_page(served) as page:
        await page.goto(served.url + "/funnel?within=9d")
        await page.get_by_role("link", name="Signed Up \u2192 Order Completed").click()
        assert await page.get_by_label("1. event").input_value() == "Signed Up"
        assert await page.get_by_label("2. event").input_value() == "Order Completed"
        assert await page.get_by_label("From one to the next within").input_value() == "9d"
        await page.goto(served.url + "/discover")
        await page.get_by_role("link", name="Order Completed").click()
        assert await page.get_by_label("Goal", exact=True).input_value() == "Order Completed"


async def test_what_could_not_be_taken_is_tried_again(served: Served) -> None:
    await served.send_bad({"user_id": "ada", "event": ""})
    async with a_page(served) as page:
        await page.goto(served.url + "/deliveries")
        await page.get_by_role("button", name="Retry item").click()
        said = await page.get_by_role("status").inner_text()
        assert said.startswith("0 items are taken. 1 item is as before")
        assert await page.get_by_role("heading", name="Quarantine (1)").count() == 1
