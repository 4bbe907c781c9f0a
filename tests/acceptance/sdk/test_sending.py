"""What a page says arrives once, in order, whatever the network and the visitor's wishes are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Request, Route

    from tests.acceptance.sdk.conftest import Visit

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(300)]

STUB = """<script>
((h) => {
  for (const m of ["track", "identify", "page", "group", "alias", "reset", "consent"])
    h[m] = (...a) => h.push([m, ...a]);
})((window.hairspring = window.hairspring || []));
</script>"""
QUIET = "pages dwell"


def names(events: list[tuple[str, dict[str, Any]]]) -> list[str]:
    return [event for event, _ in events]


def test_what_a_page_says_before_the_sdk_is_there_is_sent_first(visit: Visit) -> None:
    early = STUB + (
        '<script>hairspring.track("Size Asked", {size: "L"}); hairspring.push(["track", "Seen"]);'
        "</script>"
    )
    visit.open(before=early, off=QUIET)
    assert visit.leave() == [("Size Asked", {"size": "L"}), ("Seen", {}), ("Left", {})]


def test_every_call_is_taken_and_the_visitor_becomes_who_he_says_he_is(visit: Visit) -> None:
    page = visit.open(known=False, off=QUIET)
    page.evaluate("""() => {
      hairspring.track("Product Viewed", {product_id: "p1"})
      hairspring.page("Fern", {colour: "green"})
    }""")
    visit.identify()
    page.evaluate("""() => {
      hairspring.group("g1", {plan: "gold"})
      hairspring.identify({city: "Ghent"})
    }""")
    anonymous = page.evaluate("hairspring.anonymousId")
    events = visit.leave()
    assert names(events) == ["Product Viewed", "Page Viewed", "Left"]
    assert events[1][1] == {"name": "Fern", "colour": "green"}
    user = visit.state()
    assert user["traits"]["city"] == "Ghent"
    assert user["traits"]["group"] == {"plan": "gold", "id": "g1"}
    assert anonymous in [alias["id"] for alias in user["aliases"]]


def test_whoever_comes_after_a_reset_is_somebody_else(visit: Visit) -> None:
    page = visit.open(off=QUIET)
    first = page.evaluate("hairspring.anonymousId")
    page.evaluate("hairspring.reset()")
    second = page.evaluate("hairspring.anonymousId")
    assert first != second
    page.evaluate("hairspring.track('Seen')")
    visit.flush()
    assert names(visit.events(second)) == ["Seen"]


def test_an_alias_makes_one_user_of_two(visit: Visit) -> None:
    page = visit.open(known=False, off=QUIET)
    page.evaluate("hairspring.track('Seen')")
    page.evaluate("(id) => hairspring.alias(id)", visit.user)
    visit.identify()
    assert names(visit.leave()) == ["Seen", "Left"]


def test_the_id_lasts_from_page_to_page(visit: Visit) -> None:
    page = visit.open("/one", known=False)
    first = page.evaluate("hairspring.anonymousId")
    page.goto(visit.shop.url + "/two")
    assert page.evaluate("hairspring.anonymousId") == first
    page.evaluate("hairspring.track('Done')")
    visit.flush()
    told = visit.events(first)
    assert [said["path"] for event, said in told if event == "Page Viewed"] == ["/one", "/two"]


def test_pages_of_an_application_are_viewed_as_its_address_changes(visit: Visit) -> None:
    page = visit.open("/one", off="dwell")
    page.evaluate("""() => {
      history.pushState({}, "", "/two")
      document.title = "Two"
    }""")
    page.evaluate("history.replaceState({}, '', '/two')")
    page.evaluate("history.pushState({}, '', '/three?size=L')")
    page.go_back()
    views = [said for event, said in visit.leave() if event == "Page Viewed"]
    assert [one["path"] for one in views] == ["/one", "/two", "/three", "/two"]
    assert views[1]["title"] == "Two"
    assert views[1]["referrer"].endswith("/one")
    assert views[2]["search"] == "?size=L"


def test_what_is_done_offline_is_sent_once_there_is_a_network(visit: Visit) -> None:
    page = visit.open(off=QUIET)
    visit.flush()
    visit.context.set_offline(offline=True)
    page.evaluate("() => { for (let i = 0; i < 5; i++) hairspring.track('Seen', {i}) }")
    page.evaluate("hairspring.flush()")
    stored = page.evaluate("Object.keys(localStorage).filter((one) => one.includes('queue'))")
    assert len(stored) == 1
    with page.expect_response("**/v1/batch"):
        visit.context.set_offline(offline=False)
    assert [said["i"] for event, said in visit.leave() if event == "Seen"] == [0, 1, 2, 3, 4]


def test_what_one_page_could_not_send_the_next_one_sends(visit: Visit) -> None:
    page = visit.open("/one", off=QUIET)
    visit.flush()
    page.route("**/v1/batch*", lambda route: route.abort())
    page.evaluate("hairspring.track('Seen')")
    page.evaluate("hairspring.flush()")
    page.goto("about:blank")
    page.unroute("**/v1/batch*")
    page.goto(visit.shop.url + "/two")
    assert names(visit.leave()) == ["Seen", "Left"]
    page.goto(visit.shop.url + "/three")
    page.wait_for_function("!Object.keys(localStorage).some((one) => one.includes('queue'))")


def test_a_server_that_asks_to_wait_is_left_alone_for_as_long(visit: Visit) -> None:
    visit.page.clock.install()
    tried: list[str] = []

    def refuse(route: Route, request: Request) -> None:
        tried.append(request.post_data or "")
        headers = {
            "Retry-After": "7",
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Expose-Headers": "Retry-After",
        }
        route.fulfill(status=429 if len(tried) == 1 else 503, headers=headers)

    page = visit.open(off=QUIET)
    page.route("**/v1/batch*", refuse)
    page.evaluate("hairspring.flush()")
    page.clock.run_for(6_000)
    page.evaluate("hairspring.flush()")
    assert len(tried) == 1
    with page.expect_response("**/v1/batch"):
        page.clock.run_for(1_500)
    page.unroute("**/v1/batch*")
    with page.expect_response(lambda answer: answer.status == 200):
        page.clock.run_for(8_000)
    assert len(tried) == 2
    assert names(visit.leave()) == ["Left"]


def test_a_queue_is_bounded_and_the_oldest_goes(visit: Visit) -> None:
    page = visit.open(off=QUIET)
    visit.flush()
    visit.context.set_offline(offline=True)
    page.evaluate("() => { for (let i = 0; i < 700; i++) hairspring.track('Seen', {i}) }")
    page.evaluate("hairspring.flush()")
    with page.expect_response(lambda answer: '"i":699' in (answer.request.post_data or "")):
        visit.context.set_offline(offline=False)
    seen = [said["i"] for event, said in visit.events() if event == "Seen"]
    assert seen == list(range(200, 700))


def test_what_cannot_be_sent_breaks_nothing(visit: Visit) -> None:
    page = visit.open(off=QUIET)
    page.evaluate("""() => {
      const round = {}
      round.round = round
      hairspring.track("Seen", round)
      hairspring.track("Seen", {big: 10n})
      hairspring.push("nonsense")
    }""")
    assert names(visit.leave()) == ["Left"]


def test_nothing_is_kept_or_sent_before_consent(visit: Visit) -> None:
    asked: list[str] = []
    page = visit.page
    page.on("request", lambda request: asked.append(request.method))
    visit.open(consent="required")
    page.locator("#basket").click()
    page.evaluate("hairspring.flush()")
    page.goto(visit.shop.url + "/two")
    assert "POST" not in asked
    assert page.evaluate("[localStorage.length, document.cookie]") == [0, ""]

    page.evaluate("hairspring.track('Seen')")
    page.evaluate("hairspring.consent(true)")
    visit.identify()
    assert names(visit.leave())[:2] == ["Seen", "Page Viewed"]
    page.goto(visit.shop.url + "/three")
    assert page.evaluate("localStorage.length") > 0
    page.evaluate("hairspring.consent(false)")
    assert page.evaluate("[localStorage.length, document.cookie]") == [0, ""]
    asked.clear()
    page.locator("#basket").click()
    page.goto("about:blank")
    assert "POST" not in asked


def test_a_no_is_remembered_where_nobody_is_asked_first(visit: Visit) -> None:
    page = visit.open(known=False)
    page.evaluate("hairspring.consent(false)")
    assert page.evaluate("Object.entries(localStorage)") == [["hs.consent", "0"]]
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.method))
    page.goto(visit.shop.url + "/two")
    page.evaluate("hairspring.track('Seen')")
    page.evaluate("hairspring.flush()")
    page.goto("about:blank")
    assert "POST" not in asked


@pytest.mark.parametrize("wish", ["globalPrivacyControl = true", 'doNotTrack = "1"'])
def test_whoever_asks_not_to_be_tracked_is_not(visit: Visit, wish: str) -> None:
    name, value = wish.split(" = ")
    visit.context.add_init_script(
        f"Object.defineProperty(Navigator.prototype, '{name}', {{get: () => {value}}})"
    )
    page = visit.open()
    page.locator("#basket").click()
    page.evaluate("hairspring.track('Seen')")
    visit.flush()
    assert page.evaluate("[localStorage.length, document.cookie]") == [0, ""]
    assert visit.events() == []
    assert visit.state()["traits"]["email"] == f"{visit.user}@example.com"


def test_where_nothing_may_be_stored_a_page_still_sends(visit: Visit) -> None:
    visit.context.add_init_script("""Object.defineProperty(window, "localStorage", {
      get() { throw new DOMException("no", "SecurityError") }
    })""")
    page = visit.open("/one", known=False, off="dwell")
    first = page.evaluate("hairspring.anonymousId")
    page.goto(visit.shop.url + "/two")
    assert page.evaluate("hairspring.anonymousId") == first  # a cookie has it
    visit.identify()
    assert names(visit.leave()) == ["Page Viewed", "Page Viewed", "Left"]


BOUGHT = """() => {
  const item = {item_id: "p1", item_name: "Fern", price: 12.5, quantity: 2}
  dataLayer.push({event: "view_item", ecommerce: {currency: "EUR", items: [item]}})
  dataLayer.push({event: "add_to_cart", ecommerce: {currency: "EUR", items: [item]}})
  function gtag() { dataLayer.push(arguments) }
  gtag("event", "remove_from_cart", {currency: "EUR", items: [{...item, quantity: 1}]})
  const cart = {currency: "EUR", value: 12.5, items: [item]}
  dataLayer.push({event: "begin_checkout", ecommerce: cart})
  for (const _ of [1, 2]) dataLayer.push({event: "purchase", ecommerce: {
    transaction_id: "o-" + location.port, currency: "EUR", value: 12.5, tax: 2, items: [item]}})
  dataLayer.push({event: "gtm.load"}, null, 7, {event: "purchase"})
}"""


def test_what_tag_manager_hears_is_heard_by_campaigns(visit: Visit) -> None:
    early = (
        '<script>dataLayer = [{event: "view_item_list", ecommerce: {items: []}}];'
        "dataLayer.push = (...those) => Array.prototype.push.apply(dataLayer, those);"
        "</script>"
    )
    page = visit.open(off=QUIET, before=early)
    page.evaluate(BOUGHT)
    assert page.evaluate("dataLayer.length") > 6  # and so does Tag Manager
    events = visit.leave()
    assert names(events) == [
        "Product List Viewed",
        "Product Viewed",
        "Product Added",
        "Product Removed",
        "Checkout Started",
        "Order Completed",
        "Left",
    ]
    item = {"product_id": "p1", "name": "Fern", "price": 12.5, "quantity": 2}
    assert events[2][1] == {"currency": "EUR", **item}
    order = events[5][1]
    assert (order["order_id"][:2], order["total"], order["tax"]) == ("o-", 12.5, 2)
    assert order["products"] == [item]
