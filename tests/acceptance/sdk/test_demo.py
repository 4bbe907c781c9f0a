"""The shop of `hairspring demo`, as somebody walks through it who has never seen Hairspring."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.clients import node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import BrowserContext, Locator, Page

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(300)]

START = [sys.executable, "-m", "engine", "demo", "--json", "--port", "0"]


class Demo:
    """The process, and what it prints.

    Attributes:
        url: Of the shop.
        dashboard: A way in.
        messages: Those to visitors, not to simulated shoppers, as it prints them.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(START, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        opened = json.loads(self._process.stdout.readline())
        self.url: str = opened["url"].replace("127.0.0.1", "localhost")
        self.dashboard: str = opened["dashboard"]
        self.messages: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            said = json.loads(line)
            if said.get("user_id", "").startswith("visitor-"):
                self.messages.append(said)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(60)
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.fixture(scope="module")
def demo(browser: object) -> Iterator[Demo]:
    """Once there is a browser to come in with."""
    assert browser is not None
    one = Demo()
    yield one
    one.close()


@pytest.fixture
def page(context: BrowserContext, demo: Demo) -> Iterator[Page]:
    """The front page, to a visitor who has never been here. Nothing may break on it."""
    page = context.new_page()
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.on("console", lambda said: broken.append(said.text) if said.type == "error" else None)
    page.clock.install()
    page.goto(demo.url)
    page.wait_for_function("() => window.hairspring.inapp")
    yield page
    assert broken == []


def go_to(page: Page, product: str) -> None:
    page.get_by_role("link", name=product).click()
    page.get_by_role("heading", name=product).wait_for()


def fill_the_basket(page: Page) -> None:
    go_to(page, "Wool throw")
    page.get_by_role("button", name="Add to basket").click()


def dwell(page: Page) -> None:
    go_to(page, "Oak chair")
    page.mouse.move(200, 300)
    page.clock.run_for(22_000)


def scroll(page: Page) -> None:
    page.mouse.move(200, 300)
    page.mouse.wheel(0, 20_000)


def leave_by_the_top(page: Page) -> None:
    fill_the_basket(page)
    page.mouse.move(200, 200)
    page.mouse.move(200, -5)


def click_in_anger(page: Page) -> None:
    go_to(page, "Reading lamp")
    page.get_by_role("button", name="View in your room").click(click_count=3)


def leave_the_checkout(page: Page) -> None:
    fill_the_basket(page)
    page.locator("#basket").click()
    page.get_by_role("link", name="Check out").click()
    page.get_by_label("Email").fill("ada@example.com")
    page.get_by_role("link", name="Shop", exact=True).click()


SIGNALS: dict[str, tuple[Callable[[Page], None], str, str]] = {
    "product-advice": (dwell, "toast", "Shall we help you choose?"),
    "season-letter": (scroll, "banner", "Read on by letter"),
    "before-you-go": (leave_by_the_top, "modal", "Wool throw would miss you"),
    "what-is-stuck": (click_in_anger, "toast", "What does not work?"),
    "checkout-help": (leave_the_checkout, "tooltip", "Nothing is lost"),
}
"""By campaign: what is done, and the style and title of what the page then shows."""


def shown(page: Page, style: str, title: str) -> Locator:
    box = page.locator(f".box.{style} .inner", has=page.get_by_text(title, exact=True))
    box.wait_for()
    return box


def see_in_the_dashboard(demo: Demo, visit: Page, *told: str) -> None:
    """Return once the dashboard has all of that of the visitor."""
    visitor = visit.locator("aside b").first.inner_text()
    page = visit.context.new_page()
    page.goto(demo.dashboard)
    page.goto(f"{demo.dashboard.partition('/sign-in')[0]}/users/{visitor}")
    while not all(page.get_by_text(one).count() for one in told):
        page.reload()  # what a page says as it is left arrives a little later


@pytest.mark.parametrize("campaign", SIGNALS)
def test_what_somebody_does_without_saying_so_starts_a_campaign(
    demo: Demo, page: Page, campaign: str
) -> None:
    act, style, title = SIGNALS[campaign]
    act(page)
    shown(page, style, title)
    page.locator(f"#tries .done[data-campaign={campaign}]").wait_for()
    visitor = page.locator("aside b").first.inner_text()
    told = [(one["user_id"], one["title"]) for one in demo.messages if one["campaign"] == campaign]
    assert (visitor, title) in told


def test_a_message_shows_and_its_click_is_reported(demo: Demo, page: Page) -> None:
    leave_by_the_top(page)
    box = shown(page, "modal", "Wool throw would miss you")
    box.get_by_role("link", name="Go on to the checkout").click()
    page.wait_for_url(f"{demo.url}/checkout")
    told = ("Exit Intended", "In-App Message Opened", "In-App Message Clicked")
    see_in_the_dashboard(demo, page, *told)


def test_an_answer_is_an_event_and_an_order_brings_its_receipt(demo: Demo, page: Page) -> None:
    click_in_anger(page)
    box = shown(page, "toast", "What does not work?")
    with page.expect_response("**/answer?*"):
        box.get_by_role("button", name="This button").click()
    page.get_by_role("button", name="Add to basket").click()
    page.locator("#basket").click()
    page.get_by_role("link", name="Check out").click()
    page.get_by_label("Email").fill("ada@example.com")
    page.get_by_role("button", name="Pay").click()
    page.get_by_role("heading", name="Thank you").wait_for()
    page.evaluate("() => void hairspring.flush()")
    see_in_the_dashboard(demo, page, "Feedback Given", "Order Completed", "order-receipt")


@pytest.mark.parametrize("width", [390, 1440])
def test_whoever_walks_in_can_use_it(demo: Demo, context: BrowserContext, width: int) -> None:
    if reason := node.why_not():
        pytest.skip(reason)
    page = context.new_page()
    page.set_viewport_size({"width": width, "height": 900})
    page.add_init_script(path=node.HERE / "node_modules/axe-core/axe.min.js")
    for path in ("/", "/product/mug-01", "/checkout"):
        page.goto(demo.url + path)
        if path.startswith("/product"):
            page.get_by_role("button", name="Add to basket").click()
        found = page.evaluate("async () => (await axe.run('header, main, aside')).violations")
        assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_shop_knows_its_visitor_again(demo: Demo, page: Page) -> None:
    visitor = page.locator("aside b").first.inner_text()
    page.goto(f"{demo.url}/product/soap-3")
    page.get_by_role("heading", name="Olive soap").wait_for()
    assert page.locator("aside b").first.inner_text() == visitor
