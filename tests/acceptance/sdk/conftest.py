"""A served shop, a page of it with the browser SDK, and Chromium."""

from __future__ import annotations

import hashlib
import json
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from channels.tokens import Signer
from engine.runtime.clock import wall_ms
from tests.acceptance.conftest import Mailbox, Serving, settings, write
from tests.clients import chromium
from tests.clients.pages import Pages, pages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Page

SIGNING = "a-signing-key"
ADMIN = {"Authorization": "Bearer an-admin-key"}
SIGNALS = {
    "dwell": ("Page Dwelled", "event.total_seconds >= 40"),
    "scroll": ("Page Scrolled", "event.depth == 75"),
    "exit": ("Exit Intended", 'event.by == "pointer"'),
    "swipe": ("Exit Intended", 'event.by == "scroll"'),
    "form": ("Form Abandoned", 'event.form == "checkout"'),
    "rage": ("Rage Clicked", "event.clicks == 3"),
    "error": ("Error Repeated", "event.times == 3"),
    "click": ("Size Chart Opened", "event.price == 19.5"),
    "left": ("Left", "true"),
    "read": ("In-App Message Opened", "true"),
    "answer": ("In-App Message Clicked", "true"),
    "rating": ("Feedback Given", 'event.survey == "delivery" && event.value >= 4'),
    "choice": ("Feedback Given", 'event.survey == "reason" && event.value == "Too dear"'),
    "words": ("Feedback Given", 'event.survey == "wish" && event.value == "More ferns"'),
}
"""The event that each signal is, and what its campaign asks of it."""

CAMPAIGN = """
campaign: after-{name}
purpose: transactional
enter: {{event: {event}, when: '{when}'}}
steps:
  - {{send: email, template: after-{name}, id: mail}}
"""
SHOWN = """
campaign: show-{style}
purpose: transactional
enter: {{event: Show {style}, reentry: always}}
steps:
  - {{send: in_app, template: {style}, id: message}}
"""
TEMPLATE = """---
style: {style}
title: "Your {style}"
url: https://shop.example/cart
button: "{{{{ event.button }}}}"
target: "{target}"
---
<p>It is <b>still there</b>, {{{{ event.name }}}}.
<a href="https://shop.example/more" style="color: rgb(1, 2, 3)">More</a></p>
"""
STYLES = ("modal", "banner", "toast", "tooltip")
SURVEYS = {
    "rating": ("modal", "delivery", "choices: 1-5"),
    "choice": ("toast", "reason", "choices: Too dear, Too big"),
    "words": ("banner", "wish", ""),
}
"""The style, the survey and what its template says besides, of each kind of answer."""


def shop_files(mailbox: Mailbox) -> dict[str, str]:
    keys = f'[keys]\nadmin = "an-admin-key"\nsigning = "{SIGNING}"\n'
    in_app = '[channels.in_app]\ntransport = "inbox"\n'
    push = '[channels.push]\ntransport = "webpush"\ncontact = "mailto:ops@shop.example"\n'
    files = {"hairspring.toml": settings(mailbox) + keys + in_app + push}
    for name, (event, when) in SIGNALS.items():
        told = CAMPAIGN.format(name=name, event=event, when=when)
        files[f"campaigns/after-{name}.yaml"] = told
        files[f"templates/after-{name}.email.liquid"] = f"---\nsubject: after {name}\n---\nHello.\n"
    for style in STYLES:
        target = "#basket" if style == "tooltip" else ""
        files[f"campaigns/show-{style}.yaml"] = SHOWN.format(style=style)
        files[f"templates/{style}.in_app.liquid"] = TEMPLATE.format(style=style, target=target)
    for kind, (style, survey, more) in SURVEYS.items():
        files[f"campaigns/show-{kind}.yaml"] = SHOWN.format(style=kind)
        asked = f"---\nstyle: {style}\nsurvey: {survey}\n{more}\ntitle: How was it?\n---\nSay it.\n"
        files[f"templates/{kind}.in_app.liquid"] = asked
    return files


@pytest.fixture(scope="module")
def sdk_mailbox() -> Iterator[Mailbox]:
    box = Mailbox()
    yield box
    box.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, sdk_mailbox: Mailbox) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("sdk") / "shop"
    write(folder, shop_files(sdk_mailbox))
    serving = Serving(folder)
    yield serving
    serving.kill()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if reason := chromium.why_not():
        pytest.skip(reason)
    with chromium.chromium() as one:
        yield one


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    one = browser.new_context()
    yield one
    one.close()


PAGE = """<!doctype html><html lang="en"><title>Fern</title>
<body style="margin:0">
<h1>Fern</h1>
<button id="basket" data-hs-event="Size Chart Opened" data-hs-price="19.5" data-hs-product-id="7"
>Sizes</button>
<button id="stuck">Buy</button>
<p id="dead">Nothing happens here.</p>
<form id="checkout"><input name="email"><input name="card" type="password"><button>Pay</button>
</form>
<div style="height:4000px"></div>
%s
"""


class Visit:
    """A page of the shop with the SDK, which a visitor has open.

    Attributes:
        user: Whose mails go where the mailbox is, once the page has said who it is.
    """

    def __init__(
        self,
        context: BrowserContext,
        shop: Pages,
        serving: Serving,
        mailbox: Mailbox,
        user: str,
    ) -> None:
        self.context = context
        self.mailbox = mailbox
        self.shop = shop
        self.serving = serving
        self.user = user
        self.page: Page = context.new_page()

    def script(self, **attributes: str) -> str:
        """The element that loads the SDK."""
        said = {"src": f"{self.serving.url}/sdk.js", "data-key": "demo-write-key"}
        for name, value in attributes.items():
            said[name if name == "nonce" else f"data-{name.replace('_', '-')}"] = value
        return "<script {} defer></script>".format(" ".join(f'{k}="{v}"' for k, v in said.items()))

    def open(
        self, path: str = "/fern", before: str = "", *, known: bool = True, **attributes: str
    ) -> Page:
        """Go to the page; the attributes are those of the script element.

        Where the visitor is `known`, the page says at once who it is.
        """
        self.shop.text = PAGE % (before + self.script(**attributes))
        self.page.goto(self.shop.url + path)
        if known:
            self.identify()
        return self.page

    def identify(self) -> None:
        """Say who it is, and where mails go."""
        traits = {"email": f"{self.user}@example.com", "consent": {"email": True}}
        self.page.evaluate("([id, traits]) => hairspring.identify(id, traits)", [self.user, traits])

    def flush(self) -> None:
        """Send what waits, and return once the server has answered."""
        with self.page.expect_response("**/v1/batch"):
            self.page.evaluate("() => void hairspring.flush()")

    def wait_for_mail(self, subject: str) -> None:
        """Return once such a mail to this visitor has come."""
        wanted = (subject, f"{self.user}@example.com")
        box = self.mailbox
        box.wait_for(lambda: any((one["Subject"], one["To"]) == wanted for one in box.mails))

    def leave(self) -> list[tuple[str, dict[str, Any]]]:
        """Leave the page; what the server then has of this visitor, as `events` tells it."""
        self.page.evaluate("() => hairspring.track('Left')")
        self.page.goto("about:blank")
        self.wait_for_mail("after left")
        return self.events()

    def token(self) -> str:
        return Signer([SIGNING]).sign_user(self.user, wall_ms() + 3_600_000)

    def _ask(self, path: str) -> Any:
        asking = urllib.request.Request(self.serving.admin_url + path, headers=ADMIN)
        with urllib.request.urlopen(asking) as answer:
            return json.load(answer)

    def state(self) -> dict[str, Any]:
        """What the server has of this visitor."""
        state: dict[str, Any] = self._ask(f"/api/users/{self.user}")
        return state

    def events(self, user: str = "") -> list[tuple[str, dict[str, Any]]]:
        """His events, or those of another id: names with their properties, in order."""
        told = self._ask(f"/api/users/{user or self.user}/timeline")["timeline"]
        told = [one for one in told if one.get("kind") == "event"]
        return [(one["event"], one.get("properties", {})) for one in told]


@pytest.fixture
def shop_pages() -> Iterator[Pages]:
    with pages() as server:
        yield server


@pytest.fixture
def visit(
    context: BrowserContext,
    shop_pages: Pages,
    served: Serving,
    sdk_mailbox: Mailbox,
    request: pytest.FixtureRequest,
) -> Visit:
    # Of any test another one: the server is the same for all of a module.
    user = hashlib.sha256(request.node.name.encode()).hexdigest()[:12]
    return Visit(context, shop_pages, served, sdk_mailbox, user)
