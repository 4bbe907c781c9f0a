"""In-app messages in a real browser: shown, read, clicked, dismissed, under a strict policy too."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import pytest

from tests.acceptance.sdk.conftest import STYLES, SURVEYS
from tests.clients import node

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from tests.acceptance.sdk.conftest import Visit

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(300)]

ACTIVE = """() => {
  const shadow = document.activeElement.shadowRoot
  return (shadow ? shadow.activeElement : document.activeElement).className
}"""


def show(visit: Visit, style: str, **more: Any) -> Locator:
    """Open a page, have the shop send such a message, and see it."""
    page = visit.open(off="pages dwell", user_token=visit.token(), **more)
    return send(visit, style, page.locator(f".box.{style}"))


def send(visit: Visit, style: str, box: Locator) -> Locator:
    visit.page.evaluate("(event) => hairspring.track(event, {name: 'Ada'})", f"Show {style}")
    visit.page.evaluate("() => void hairspring.flush()")
    box.wait_for()
    return box


def is_in_the_corner(box: Locator) -> bool:
    """Whether the way out is where people look for it."""
    frame, close = box.bounding_box(), box.locator(".close").bounding_box()
    assert frame
    assert close
    right = frame["x"] + frame["width"] - close["x"] - close["width"]
    return 0 < right < 16 and 0 < close["y"] - frame["y"] < 16


@pytest.mark.parametrize("style", STYLES)
def test_a_message_shows_and_reports_its_click(visit: Visit, style: str) -> None:
    box = show(visit, style)
    assert box.locator(".title").inner_text() == f"Your {style}"
    assert box.locator(".body").inner_text() == "It is still there, Ada. More"
    visit.page.route("https://shop.example/**", lambda route: route.fulfill(body="The cart"))
    assert box.locator(".action").inner_text() == "Take a look"  # as its template says nothing
    assert is_in_the_corner(box) or style == "banner"
    box.locator(".action").click()
    visit.page.wait_for_url("https://shop.example/cart")
    visit.wait_for_mail("after read")
    visit.wait_for_mail("after answer")
    told = [event for event, _ in visit.events() if event.startswith("In-App")]
    assert sorted(told) == ["In-App Message Clicked", "In-App Message Opened"]


@pytest.mark.parametrize("style", STYLES)
def test_a_message_that_is_closed_is_dismissed_and_does_not_come_again(
    visit: Visit, style: str
) -> None:
    box = show(visit, style)
    with visit.page.expect_response("**/dismiss?*"):
        box.get_by_role("button", name="Close").click()
    box.wait_for(state="detached")
    with visit.page.expect_response("**/inbox/stream?*"):
        visit.page.reload()
    assert visit.page.locator("hairspring-message").count() == 0
    told = [(event, said) for event, said in visit.events() if event.startswith("In-App")]
    assert [event for event, _ in told] == ["In-App Message Opened", "In-App Message Dismissed"]
    (_, opened), (_, dismissed) = told
    assert "dwell_ms" not in opened
    assert 0 < dismissed["dwell_ms"] <= dismissed["response_ms"]


def test_the_button_says_what_its_template_says(visit: Visit) -> None:
    page = visit.open(off="pages dwell", user_token=visit.token())
    page.evaluate("hairspring.track('Show toast', {name: 'Ada', button: 'To <b>my</b> cart'})")
    visit.flush()
    assert page.locator(".box.toast .action").inner_text() == "To <b>my</b> cart"


def test_a_modal_holds_the_focus_and_gives_it_back(visit: Visit) -> None:
    page = visit.open(off="pages dwell", user_token=visit.token())
    page.locator("#basket").focus()
    box = send(visit, "modal", page.locator(".box.modal"))
    assert page.get_by_role("dialog", name="Your modal").is_visible()
    assert page.evaluate(ACTIVE) == "text"
    walked = []
    for _ in range(4):
        page.keyboard.press("Tab")
        walked.append(page.evaluate(ACTIVE))
    assert walked == ["", "action", "close", ""]  # the text's link, then round again
    page.keyboard.press("Shift+Tab")
    assert page.evaluate(ACTIVE) == "close"
    with page.expect_response("**/dismiss?*"):
        page.keyboard.press("Escape")
    box.wait_for(state="detached")
    assert page.evaluate("document.activeElement.id") == "basket"


def test_who_takes_no_focus_says_what_he_is(visit: Visit) -> None:
    page = visit.open(off="pages dwell", user_token=visit.token())
    page.locator("#basket").focus()
    for style, role in (("toast", "status"), ("banner", "region"), ("tooltip", "dialog")):
        send(visit, style, page.locator(f".box.{style} .inner"))
        assert page.get_by_role(role, name=f"Your {style}").is_visible()  # type: ignore[arg-type]
    assert page.evaluate("document.activeElement.id") == "basket"


def test_a_toast_goes_by_itself_unless_somebody_is_at_it(visit: Visit) -> None:
    visit.page.clock.install()
    page = visit.open(off="pages dwell", user_token=visit.token())
    box = page.locator(".box.toast")
    page.evaluate("hairspring.track('Show toast', {name: 'Ada'})")
    visit.flush()
    box.wait_for()
    page.clock.run_for(100)
    box.locator(".title").hover()
    page.clock.run_for(60_000)
    assert box.is_visible()
    page.mouse.move(5, 500)
    page.clock.run_for(10_000)
    assert box.count() == 0


def test_a_banner_is_there_on_every_page_until_something_is_done_with_it(visit: Visit) -> None:
    show(visit, "banner")
    visit.page.goto(visit.shop.url + "/two")
    visit.page.locator(".box.banner .close").wait_for()


def test_a_tooltip_waits_for_its_element_and_stays_at_it(visit: Visit) -> None:
    page = visit.open(off="pages dwell", user_token=visit.token())
    page.evaluate("basket.remove()")
    with page.expect_event("requestfinished", lambda one: "/v1/batch" in one.url):
        page.evaluate("() => { hairspring.track('Show tooltip'); hairspring.flush() }")
    send(visit, "banner", page.locator(".box.banner .inner"))
    assert page.locator(".box.tooltip").count() == 0
    page.evaluate("""document.body.insertAdjacentHTML("afterbegin",
      "<button id=basket>Basket</button>")""")
    tip = page.locator(".box.tooltip")
    tip.wait_for()
    below = """() => {
      const tip = document.querySelector("[data-style=tooltip]").shadowRoot.querySelector(".box")
      return tip.getBoundingClientRect().top - basket.getBoundingClientRect().bottom
    }"""
    page.wait_for_function(f"() => Math.abs(({below})() - 12) < 2")
    page.evaluate("basket.style.marginTop = '150px'")
    page.wait_for_function(f"() => Math.abs(({below})() - 12) < 2")
    page.keyboard.press("Escape")
    tip.wait_for(state="detached")


def test_under_the_strictest_policy_everything_works_and_nothing_is_reported(visit: Visit) -> None:
    host = visit.serving.url
    visit.shop.headers["Content-Security-Policy"] = (
        f"default-src 'none'; script-src 'nonce-abc'; connect-src {host}; style-src 'none';"
        " require-trusted-types-for 'script'; trusted-types hairspring hairspring-inapp"
    )
    visit.context.add_init_script("""window.broken = []
      document.addEventListener("securitypolicyviolation", (event) => {
        broken.push(event.effectiveDirective + " " + event.blockedURI)
      })""")
    box = show(visit, "modal", nonce="abc")
    # The page itself has a style attribute, which is refused before anything is shown.
    assert set(visit.page.evaluate("broken")) <= {"style-src-attr inline"}
    before = visit.page.evaluate("broken.length")
    assert box.evaluate("(one) => getComputedStyle(one).position") == "fixed"
    link = box.get_by_role("link", name="More")
    assert link.evaluate("(one) => getComputedStyle(one).color") == "rgb(1, 2, 3)"
    with visit.page.expect_response("**/dismiss?*"):
        box.get_by_role("button", name="Close").click()
    assert visit.page.evaluate("broken.length") == before


def ask(visit: Visit, kind: str) -> Locator:
    """Have the shop ask, on a page that listens, and see the question."""
    page = visit.open(off="pages dwell", user_token=visit.token())
    return send(visit, kind, page.locator(f".box.{SURVEYS[kind][0]} .inner"))


def answered(visit: Visit, kind: str) -> dict[str, Any]:
    """What the one answer says, once a campaign has heard it."""
    visit.wait_for_mail(f"after {kind}")
    (told,) = [said for event, said in visit.events() if event == "Feedback Given"]
    return told


def test_a_rating_by_the_keyboard_starts_a_campaign(visit: Visit) -> None:
    box = ask(visit, "rating")
    assert box.locator(".answer").all_inner_texts() == ["1", "2", "3", "4", "5"]
    for _ in range(4):
        visit.page.keyboard.press("Tab")
    assert visit.page.evaluate(ACTIVE) == "answer"
    visit.page.keyboard.press("Enter")
    box.get_by_role("status").wait_for()
    assert visit.page.evaluate(ACTIVE) == "thanks"
    told = answered(visit, "rating")
    assert (told["survey"], told["value"], told["campaign"]) == ("delivery", 4, "show-rating")
    box.wait_for(state="detached")


def test_a_choice_starts_a_campaign_and_is_asked_for_once(visit: Visit) -> None:
    box = ask(visit, "choice")
    box.get_by_role("button", name="Too dear").click()
    told = answered(visit, "choice")
    assert (told["survey"], told["value"], told["channel"]) == ("reason", "Too dear", "in_app")
    box.wait_for(state="detached")
    with visit.page.expect_response("**/inbox/stream?*"):
        visit.page.reload()
    assert visit.page.locator("hairspring-message").count() == 0


def test_an_answer_in_words_starts_a_campaign(visit: Visit) -> None:
    box = ask(visit, "words")
    field = box.get_by_role("textbox", name="How was it?")
    field.press("Enter")
    assert box.get_by_role("button", name="Send").is_visible()  # nothing is no answer
    field.fill("  More ferns ")
    field.press("Enter")
    assert answered(visit, "words")["value"] == "More ferns"


AXE = """async () => {
  // A colour that the shop has chosen is its own to answer for.
  const {shadowRoot} = document.querySelector("hairspring-message")
  for (const link of shadowRoot.querySelectorAll(".body a")) link.removeAttribute("style")
  const {violations} = await axe.run("hairspring-message")
  return violations.map((one) => [one.id, one.nodes.map((node) => node.html)])
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("style", [*STYLES, "rating", "words"])
def test_no_rule_of_accessibility_is_broken(
    visit: Visit, style: str, scheme: Literal["light", "dark"]
) -> None:
    if reason := node.why_not():
        pytest.skip(reason)
    visit.page.emulate_media(reduced_motion="reduce", color_scheme=scheme)
    if style in SURVEYS:
        ask(visit, style)
    else:
        show(visit, style).locator(".inner").wait_for()
    visit.page.add_script_tag(path=node.HERE / "node_modules/axe-core/axe.min.js")
    assert visit.page.evaluate(AXE) == []


HOSTILE = """<img src="https://x.invalid/" onerror="ran()"><script>ran()</script>
<a href="javascript:ran()">a</a><iframe srcdoc="x"></iframe><form action="/x"><b>kept</b></form>"""


def test_nothing_in_a_message_runs(visit: Visit) -> None:
    page = visit.open(known=False, off="pages dwell")
    message = {
        "id": "m",
        "style": "modal",
        "read": False,
        "expires_at": "2999-01-01T00:00:00Z",
        "url": "javascript:ran()",
        "body": HOSTILE,
    }
    stream = f"id: 1\nevent: message\ndata: {json.dumps(message)}\n\n"
    allowed = {"Access-Control-Allow-Origin": "*", "Content-Type": "text/event-stream"}
    page.route("**/inbox/stream*", lambda route: route.fulfill(headers=allowed, body=stream))
    page.evaluate("() => { window.runs = 0; window.ran = () => runs++ }")
    page.evaluate("hairspring.inbox('a-token')")
    box = page.locator(".box.modal")
    box.locator("b").wait_for()
    shown = box.locator(".body").evaluate("(one) => one.innerHTML.replace(/\\s/g, '')")
    assert shown == '<imgsrc="https://x.invalid/"><a>a</a><b>kept</b>'
    assert box.locator(".action").count() == 0
    assert page.evaluate("runs") == 0


def test_motion_is_for_who_wants_it_and_dark_for_who_likes_it(visit: Visit) -> None:
    visit.page.emulate_media(reduced_motion="reduce", color_scheme="dark")
    box = show(visit, "modal")
    look = "(one) => [getComputedStyle(one).animationName, getComputedStyle(one).backgroundColor]"
    assert box.evaluate(look) == ["none", "rgb(29, 31, 36)"]
    visit.page.emulate_media(reduced_motion="no-preference", color_scheme="light")
    assert box.evaluate(look) == ["come", "rgb(255, 255, 255)"]


def test_a_page_that_shows_messages_itself_is_left_to_do_so(visit: Visit) -> None:
    visit.context.add_init_script("""document.addEventListener("hairspring:message", (event) => {
      event.preventDefault()
      window.said = event.detail.message.title
      event.detail.report("read")
    })""")
    page = visit.open(off="pages dwell", user_token=visit.token())
    with page.expect_response("**/read?*"):
        page.evaluate("() => { hairspring.track('Show modal'); hairspring.flush() }")
    assert page.evaluate("said") == "Your modal"
    assert page.locator("hairspring-message").count() == 0


def test_a_token_that_is_no_good_is_told_to_the_page(visit: Visit) -> None:
    visit.context.add_init_script("""window.told = 0
      document.addEventListener("hairspring:token", () => told++)""")
    page = visit.open(off="pages dwell", user_token="v1.nobody.1.x")
    page.wait_for_function("() => told === 1")
    page.evaluate("(token) => hairspring.inbox(token)", visit.token())
    send(visit, "banner", page.locator(".box.banner"))
    page.evaluate("hairspring.inbox()")
    page.locator(".box.banner").wait_for(state="detached")
