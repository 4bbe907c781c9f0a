"""The pages behind links in Chromium: by keyboard, without script, at both ends of width."""

from __future__ import annotations

import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import async_playwright

from config.settings import About, Consent, Settings
from engine.core.plan import Plan
from tests.clients.chromium import QUIET, why_not
from tests.core.world import campaign, send
from tests.server.house import House
from tests.server.links.visits import Reader, given

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Page

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())

TOPICS = {"newsletter": "Our newsletter", "sales": "Sales and offers", "care": "Plant care"}
CONTRAST_MIN = 4.5

CONTRAST = """() => {
  const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).map(Number).map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = e => { for (; e; e = e.parentElement) {
    const c = getComputedStyle(e).backgroundColor;
    if (!/, 0\\)$/.test(c) && c !== 'transparent') return c; } return 'rgb(255,255,255)'; };
  const texts = [...document.querySelectorAll('h1,p,legend,label span,small,button,a')];
  return texts.map(e => { const a = light(getComputedStyle(e).color), b = light(ground(e));
    return [e.textContent, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)]; });
}"""


@pytest.fixture
async def reader(tmp_path: Path) -> AsyncIterator[Reader]:
    plan = Plan("p", [campaign("cart", send("email", "sms", "push"), topic="sales")])
    settings = Settings(shop=About(name="Fern & Oak"), consent=Consent(topics=TOPICS))
    house = await House.start(tmp_path, plan=plan, settings=settings)
    made = Reader(house)
    consent = {"email": True, "topics": {"care": False}}
    push = {"endpoint": "https://push.example/1"}
    await made.exists(email="ann@example.com", phone="+33123456789", push=push, consent=consent)
    yield made
    await house.aclose()


@asynccontextmanager
async def a_page(width: int = 1440, height: int = 900, **more: Any) -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=QUIET
        )
        context = await browser.new_context(
            viewport={"width": width, "height": height}, java_script_enabled=True, **more
        )
        yield await context.new_page()
        await browser.close()


def address(reader: Reader, route: str, about: str = "") -> str:
    purpose: Any = {"u": "unsubscribe", "s": "survey"}.get(route, "preferences")
    return f"{reader.house.site.url}/{route}/{reader.token(purpose, about)}"


async def test_the_preferences_are_set_by_keyboard_alone(reader: Reader) -> None:
    async with a_page() as page:
        await page.goto(address(reader, "preferences"))
        seen = []
        for _ in range(8):
            await page.keyboard.press("Tab")
            seen.append(await page.evaluate("document.activeElement.value"))
            if seen[-1] == "sms":
                await page.keyboard.press("Space")
            if seen[-1] == "save":
                await page.keyboard.press("Enter")
                break
        await page.get_by_role("status").wait_for()
        assert seen == ["email", "push", "sms", "newsletter", "sales", "care", "save"]
        assert await page.get_by_label("Text messages").is_checked()
        assert (await page.title()).startswith("Your preferences are saved.")
    assert reader.stated == [("preferences", {"sms": True}, {})]


async def test_a_reader_hears_one_heading_groups_and_labels(reader: Reader) -> None:
    async with a_page() as page:
        await page.goto(address(reader, "preferences"))
        headings = await page.get_by_role("heading").all_inner_texts()
        groups = [await page.get_by_role("group", name=n).count() for n in (
            "How we may write to you", "What about")]  # fmt: skip
        boxes = [
            await box.evaluate("e => e.labels.length") for box in await page.get_by_role(
                "checkbox").all()
        ]  # fmt: skip
        assert headings == ["Your preferences"]
        assert groups == [1, 1]
        assert boxes == [1] * 6
        assert await page.evaluate("document.documentElement.lang") == "en"
        assert await page.get_by_role("main").count() == 1


async def test_without_script_the_button_unsubscribes_and_leads_on(reader: Reader) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=QUIET
        )
        page = await (await browser.new_context(java_script_enabled=False)).new_page()
        await page.goto(address(reader, "u", "sales"))
        assert reader.stated == []
        await page.get_by_role("button", name="Unsubscribe", exact=True).click()
        await page.get_by_role("status").wait_for()
        assert reader.stated == [("unsubscribe-page", {"email": False}, {})]
        await page.get_by_role("link", name="All preferences").click()
        await page.get_by_role("heading", name="Your preferences").wait_for()
        assert not await page.get_by_label("Email").is_checked()
        await page.get_by_role("button", name="Unsubscribe from everything").click()
        await page.get_by_role("status").wait_for()
        assert await page.get_by_role("checkbox", name="Push").is_checked() is False
        await browser.close()


async def test_an_answer_is_given_by_its_button_by_keyboard(reader: Reader) -> None:
    async with a_page() as page:
        await page.goto(address(reader, "s", "nps\n9"))
        assert await page.get_by_text("You chose: 9").is_visible()
        assert given(reader) == []
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await page.get_by_text("Thank you").wait_for()
    assert given(reader) == [9]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 1440])
@pytest.mark.parametrize("route", ["preferences", "u", "s"])
async def test_pages_fit_and_can_be_read(
    reader: Reader, route: str, width: int, scheme: Any, tmp_path: Path
) -> None:
    errors: list[str] = []
    asked: list[str] = []
    async with a_page(width, 844, color_scheme=scheme) as page:
        page.on("console", lambda said: errors.append(said.text))
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(address(reader, route, "nps\n9" if route == "s" else "sales"))
        shot = await page.screenshot(path=tmp_path / f"{route}-{width}-{scheme}.png")
        wide = await page.evaluate("document.documentElement.scrollWidth")
        faint = [(t, c) for t, c in await page.evaluate(CONTRAST) if c < CONTRAST_MIN]
        small = await page.evaluate(
            "[...document.querySelectorAll('button,.act,.choice')]"
            ".filter(e => e.getBoundingClientRect().height < 44).map(e => e.textContent)"
        )
    assert shot
    assert wide <= width
    assert faint == []
    assert small == []
    assert errors == []
    assert {url.split("/")[2] for url in asked} == {reader.house.site.url.split("/")[2]}
