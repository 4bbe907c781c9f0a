"""The dashboard in a browser that runs no script, and as another site's links lead to it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from tests.clients import chromium
from tests.server.dashboard.shop import KEY, a_page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.server.dashboard.shop import Served

pytestmark = pytest.mark.skipif(bool(chromium.why_not()), reason=chromium.why_not())


@asynccontextmanager
async def elsewhere(*links: str) -> AsyncIterator[str]:
    """A page of another site with links, each by its place; where it is."""

    async def show(_request: web.Request) -> web.Response:
        told = "".join(f'<a id="l{place}" href="{one}">go</a>' for place, one in enumerate(links))
        return web.Response(text=told, content_type="text/html")

    app = web.Application()
    app.router.add_get("/", show)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    # By its name and not its address this machine is another site.
    yield f"http://localhost:{runner.addresses[0][1]}/"
    await runner.cleanup()


async def test_whoever_says_the_key_is_let_in_and_can_do_things(served: Served) -> None:
    async with a_page(served, signed_in=False, java_script_enabled=False) as page:
        await page.goto(served.url + "/users/ada")
        await page.get_by_label("Admin key").fill("wrong")
        await page.keyboard.press("Enter")
        await page.get_by_text("That is not the admin key.").wait_for()
        await page.get_by_label("Admin key").fill(KEY)
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", name="ada", exact=True).wait_for()
        await page.get_by_role("button", name="Have cart-abandonment go on now").click()
        await page.get_by_text("It went on.").wait_for()
        await page.get_by_role("button", name="Sign out").click()
        await page.get_by_role("heading", name="Sign in").wait_for()


async def test_what_takes_a_while_is_looked_at_again_by_a_link(served: Served) -> None:
    async with a_page(served, java_script_enabled=False) as page:
        await page.goto(served.url + "/funnel?event=Signed+Up&event=Product+Added")
        again = page.get_by_role("link", name="Look again")
        told = page.get_by_text("2 of 2 came from the first to the last")
        while not await told.count():
            if await again.count():
                await again.click()
            await told.or_(again).wait_for()


@pytest.mark.parametrize("script", [True, False], ids=["with-a-script", "without"])
async def test_the_way_in_lets_in_by_another_sites_link(served: Served, *, script: bool) -> None:
    async with (
        elsewhere(served.app.way_in) as other,
        a_page(served, signed_in=False, java_script_enabled=script) as page,
    ):
        await page.goto(other)
        await page.locator("#l0").click()
        await page.get_by_role("heading", name="Now", exact=True).wait_for()
        assert "way-in" not in page.url


@pytest.mark.parametrize("script", [True, False], ids=["with-a-script", "without"])
async def test_another_sites_link_shows_its_page_to_whoever_is_signed_in(
    served: Served, *, script: bool
) -> None:
    async with (
        elsewhere(f"{served.url}/users?q=ad%26a") as other,
        a_page(served, java_script_enabled=script) as page,
    ):
        await page.goto(other)
        await page.locator("#l0").click()
        await page.get_by_role("heading", name="Found for").wait_for()
        assert await page.get_by_label("Look for").input_value() == "ad&a"


async def test_another_sites_link_asks_whoever_is_not_for_the_key(served: Served) -> None:
    async with (
        elsewhere(f"{served.url}/users/ada") as other,
        a_page(served, signed_in=False) as page,
    ):
        await page.goto(other)
        await page.locator("#l0").click()
        await page.get_by_label("Admin key").fill(KEY)
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", name="ada", exact=True).wait_for()


async def test_a_page_that_is_none_says_so_and_leads_back(served: Served) -> None:
    async with a_page(served) as page:
        answer = await page.goto(served.url + "/campaing")
        assert answer is not None
        assert (answer.status, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
        await page.get_by_role("heading", name="There is no such page").wait_for()
        await page.get_by_role("link", name="To the dashboard").click()
        await page.get_by_role("heading", name="Now", exact=True).wait_for()


async def test_a_form_of_a_session_that_is_over_is_answered_by_a_page(served: Served) -> None:
    async with a_page(served) as page:
        await page.goto(served.url + "/users/ada")
        await page.context.clear_cookies()
        await page.get_by_role("button", name="Have cart-abandonment go on now").click()
        told = page.get_by_role("alert")
        assert (await told.inner_text()).startswith("You are signed out, and nothing was done;")
        await page.get_by_role("link", name="To the dashboard").click()
        await page.get_by_label("Admin key").wait_for()
