"""Everything that can be done on the dashboard, done by keyboard alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec
import pytest

from engine.server.dashboard.door import ACTS, VIEWS
from tests.clients import chromium
from tests.server.dashboard.full import PAGES, WRONG, full_shop
from tests.server.dashboard.shop import KEY, a_page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Page

    from tests.server.dashboard.shop import Served

pytestmark = pytest.mark.skipif(bool(chromium.why_not()), reason=chromium.why_not())

NO_PAGES: Final = {"/now/stream", "/users/{id}/export", "/templates/{id}/body"}
"""Views that answer with something else."""

TYPED: Final = {"event": "Signed Up", "goal": "Order Completed", "q": "shopper-3"}
"""What is filled in where a form asks for it, by the field's name."""

ENDS: Final = ("/users/{id}/erase", "/sign-out")
"""In the order in which less and less can be done."""

PHONE: Final = 390
STEPS_MAX: Final = 1_000

# All that somebody can press, fill in or scroll, in the order in which it is read.
CONTROLS: Final = """() => [...document.querySelectorAll(
    "a[href], button, input, select, textarea, summary, [tabindex='0']"
  )].filter((one) => one.type !== "hidden" && one.checkVisibility({visibilityProperty: true}))"""
TOLD: Final = f"""() => ({CONTROLS})().map((one) => one.outerHTML.slice(0, 160))"""

# Where the keyboard is: which of them, and whether that is to be seen.
PLACE: Final = f"""() => {{
  const one = document.activeElement, style = getComputedStyle(one);
  const at = one.getBoundingClientRect();
  return {{
    place: ({CONTROLS})().indexOf(one),
    marked: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    message: one.localName === "iframe",
    shown: at.bottom > 0 && at.top < innerHeight && at.right > 0 && at.left < innerWidth,
  }};
}}"""

BUTTONS: Final = f"""() => ({CONTROLS})()
  .map((one, place) => [one, place])
  .filter(([one]) => one.localName === "button" && one.form)
  .map(([one, place]) => ({{
    method: one.form.method, path: new URL(one.form.action).pathname,
    name: one.textContent, place,
  }}))"""


class Button(msgspec.Struct, frozen=True):
    """What a form is sent by, and where it stands among all controls of its page."""

    method: str
    path: str
    name: str
    place: int


class Place(msgspec.Struct, frozen=True):
    """Where the keyboard is."""

    place: int
    message: bool
    marked: bool
    shown: bool


Kind: TypeAlias = tuple[str, str, str]
"""Of a button: method, route and name."""


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Served]:
    async with full_shop(tmp_path) as made:
        yield made


def route_of(path: str, routes: tuple[str, ...]) -> str:
    """The route that a path is of; whole words before names."""
    for route in sorted(routes, key=lambda one: one.count("{")):
        if re.fullmatch(re.sub(r"\{[a-z]+\}", "[^/]+", route), path):
            return route
    return path


async def open_page(page: Page, url: str) -> None:
    await page.goto(url)
    await page.locator("[data-again='1']").wait_for(state="detached")


async def step(page: Page) -> Place:
    await page.keyboard.press("Tab")
    return msgspec.convert(await page.evaluate(PLACE), Place)


async def test_each_control_is_reached_in_its_order_and_is_seen_to_be(shop: Served) -> None:
    routes = tuple(VIEWS)
    assert {route_of(path.split("?")[0], routes) for path in PAGES} == VIEWS.keys() - NO_PAGES
    async with a_page(shop, PHONE) as page:
        for path in (*PAGES, *WRONG):
            await open_page(page, shop.url + path)
            controls = await page.evaluate(TOLD)
            reached = await walk(page)
            for at in reached:
                assert at.marked, (path, controls[at.place])
                assert at.shown, (path, controls[at.place])
            places = [at.place for at in reached]
            first = places.index(min(places))  # where something was said, one begins from there
            assert sorted(places) == places[first:] + places[:first], path
            missed = [told for place, told in enumerate(controls) if place not in places]
            assert missed == [], path


async def walk(page: Page) -> list[Place]:
    """Every place that Tab comes by, once round."""
    reached: list[Place] = []
    for _ in range(STEPS_MAX):
        at = await step(page)
        if at.place < 0:
            continue  # the end of the page, or the links of a message that is shown
        if len(reached) > 1 and at.place == reached[0].place:
            return reached
        reached.append(at)
    pytest.fail(f"Tab does not come round on {page.url}")


async def test_each_form_is_sent_by_keyboard_and_its_answer_has_the_focus(shop: Served) -> None:
    sent: set[tuple[str, str]] = set()
    routes = (*VIEWS, *ACTS)
    async with a_page(shop) as page:
        todo = await buttons_of(page, shop)
        for kind, path in todo.items():
            method, route, name = kind
            await open_page(page, shop.url + path)
            found = await buttons_on(page)  # after what was done, others than there were
            await press(page, found[kind])
            if method == "post" and route != "/sign-out":
                assert await page.locator(".said, .alert, .verdict").count(), (path, name)
                if await page.locator(".said").count():
                    focused = await page.evaluate("document.activeElement.className")
                    assert focused == "said", (path, name)
            assert await page.get_by_text("That did not work").count() == 0, (path, name)
            sent.add((method, route))
    assert {route for method, route in sent if method == "post"} == {*ACTS, "/sign-out"}
    gets = {"/users", "/users/{id}", "/funnel", "/discover", "/templates/{id}", "/catalog"}
    assert {route_of(route, routes) for method, route in sent if method == "get"} == gets


async def buttons_of(page: Page, shop: Served) -> dict[Kind, str]:
    """Each kind of button, and a page that has one. Endings come last."""
    found: dict[Kind, str] = {}
    for path in PAGES:
        await open_page(page, shop.url + path)
        for kind in await buttons_on(page):
            found.setdefault(kind, path)
    ends = {route: place for place, route in enumerate(ENDS, 1)}
    return dict(sorted(found.items(), key=lambda one: ends.get(one[0][1], 0)))


async def buttons_on(page: Page) -> dict[Kind, Button]:
    """The last of each kind on a page."""
    found = msgspec.convert(await page.evaluate(BUTTONS), list[Button])
    return {(one.method, route_of(one.path, (*ACTS, *VIEWS)), one.name): one for one in found}


async def press(page: Page, button: Button) -> None:
    """Go to a button by Tab, filling in what is asked for on the way, and press it."""
    while (at := await step(page)).place != button.place:
        assert at.place >= 0 or at.message, button
        name = await page.evaluate("document.activeElement.name ?? ''")
        empty = await page.evaluate("document.activeElement.value === ''")
        if name in TYPED and empty:
            await page.keyboard.type(TYPED[name])
        if name == "id":  # as the page says, to confirm
            heading = await page.get_by_role("heading", level=1).inner_text()
            await page.keyboard.type(heading.removeprefix("Erase "))
    async with page.expect_navigation():
        await page.keyboard.press("Enter")


async def test_the_key_is_said_by_keyboard(shop: Served) -> None:
    async with a_page(shop, signed_in=False) as page:
        await page.goto(shop.url + "/deliveries")
        await page.keyboard.type("not the key")
        await page.keyboard.press("Enter")
        await page.get_by_role("alert").wait_for()
        await page.keyboard.type(KEY)
        await page.keyboard.press("Tab")
        await page.keyboard.press("Space")
        await page.get_by_role("heading", name="Deliveries", exact=True).wait_for()


async def test_what_comes_anew_leaves_the_keyboard_where_it_is(shop: Served) -> None:
    async with a_page(shop) as page:
        await page.goto(shop.url + "/")
        link = page.locator(".facts").get_by_role("link")
        await link.focus()
        events = page.locator(".tile .note").first
        before = await events.inner_text()
        await shop.send({"user_id": "somebody", "event": "Came"})
        await page.wait_for_function(
            "said => document.querySelector('.tile .note').innerText !== said", arg=before
        )
        assert await link.evaluate("one => one === document.activeElement")


async def test_what_is_live_is_stopped_and_begun_again_by_keyboard(shop: Served) -> None:
    async with a_page(shop) as page:
        await page.goto(shop.url + "/")
        live = page.get_by_role("button", name="Live")
        await live.focus()
        for pressed in ("false", "true"):
            await page.keyboard.press("Space")
            assert await live.get_attribute("aria-pressed") == pressed
