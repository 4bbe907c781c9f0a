"""Every page on a phone and on a desk, in light and dark: with results, faults and errors.

With a folder in `HAIRSPRING_SHOTS` a picture of each is left there, to be looked at.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.clients import chromium
from tests.server.dashboard.axe import violations
from tests.server.dashboard.full import PAGES, WRONG, full_shop
from tests.server.dashboard.shop import a_page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from playwright.async_api import Page

    from tests.server.dashboard.shop import Served

pytestmark = pytest.mark.skipif(bool(chromium.why_not()), reason=chromium.why_not())

FILE: Final = "/campaigns/cart-abandonment/file"


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Served]:
    async with full_shop(tmp_path) as made:
        yield made


async def backtested(page: Page, url: str) -> None:
    await page.goto(url + FILE)
    text = page.get_by_label("campaigns/cart-abandonment.yaml")
    edited = (await text.input_value()).replace("wait: 15m", "wait: 45m")
    await text.fill(edited + "\n  - {send: in_app, template: cart-saved, id: again}\n")
    await page.get_by_role("button", name="Backtest").click()
    await page.get_by_role("heading", name="Who would have got what").wait_for()
    await page.get_by_role("heading", name="What check says").wait_for()
    await page.get_by_role("heading", name="If it were taken on now").wait_for()


async def faulty(page: Page, url: str) -> None:
    await page.goto(url + FILE)
    text = page.get_by_label("campaigns/cart-abandonment.yaml")
    edited = (await text.input_value()).replace("wait: 15m", "wait: soon")
    await text.fill(edited.replace("template: cart-saved", "template: none"))
    await page.get_by_role("button", name="Check").click()
    await page.get_by_text("It does not check: 2 faults.").wait_for()


async def without_days(page: Page, url: str) -> None:
    await page.goto(url + FILE)
    text = page.get_by_label("campaigns/cart-abandonment.yaml")
    await text.fill("# mine\n" + await text.input_value())
    await page.locator("form.stacked").evaluate("form => { form.noValidate = true; }")
    await page.get_by_label("Days of the archive").fill("0")
    await page.get_by_role("button", name="Backtest").click()
    await page.get_by_text("Days is a whole number from 1 to 400; nothing was run.").wait_for()
    assert (await text.input_value()).startswith("# mine\n")


async def erased_wrongly(page: Page, url: str) -> None:
    await page.goto(url + "/users/shopper-3/erase")
    field = page.get_by_label("Type the user's id")
    await field.fill("shopper-4")
    await page.get_by_role("button", name="Erase for good").click()
    await page.get_by_text("The id that was typed is not this user's").wait_for()
    assert await field.get_attribute("aria-invalid") == "true"


async def signed_in_wrongly(page: Page, url: str) -> None:
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_label("Admin key").fill("wrong")
    await page.keyboard.press("Enter")
    await page.get_by_text("That is not the admin key.").wait_for()
    assert page.url.startswith(url)


def at(path: str) -> Callable[[Page, str], Awaitable[None]]:
    async def go(page: Page, url: str) -> None:
        await page.goto(url + path)
        await page.locator("[data-again='1']").wait_for(state="detached")

    return go


STATES: Final = {
    **{path: at(path) for path in (*PAGES, *WRONG)},
    "backtested": backtested,
    "faulty": faulty,
    "without days": without_days,
    "erased wrongly": erased_wrongly,
    "signed in wrongly": signed_in_wrongly,
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
async def test_pages_fit_ask_nobody_else_and_have_no_fault_of_access(
    shop: Served, width: int, scheme: Any
) -> None:
    told: list[str] = []
    asked: set[str] = set()
    async with a_page(shop, width, color_scheme=scheme, bypass_csp=True) as page:
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("request", lambda request: asked.add(request.url.split("/")[2]))
        for name, go in STATES.items():
            await go(page, shop.url)
            assert await page.evaluate("document.documentElement.scrollWidth") <= width, name
            assert await over(page) == [], name
            assert await violations(page) == [], name
            await keep(page, f"{width}-{scheme} {name}")
    assert told == []
    assert asked == {shop.url.split("/")[2]}


async def over(page: Page) -> list[str]:
    """What of a table's text runs over its own cell, into the next one."""
    found: list[str] = await page.evaluate("""() => [...document.querySelectorAll("td")].filter(
      (one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.innerText)""")
    return found


async def keep(page: Page, name: str) -> None:
    """A picture, where somebody wants to look."""
    if folder := os.environ.get("HAIRSPRING_SHOTS"):
        path = Path(folder) / f"{re.sub('[^a-z0-9]+', '-', name)}.png"
        await page.screenshot(path=path, full_page=True)
