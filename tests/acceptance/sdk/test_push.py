"""Web push in a real browser: it subscribes, its worker shows what comes and opens the link."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.acceptance.sdk.conftest import Visit

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(300)]

# No push service can be reached from a test: what it would answer stands here. All else is real.
SUBSCRIBED = """PushManager.prototype.subscribe = async function (asked) {
  window.asked = asked
  return {toJSON: () => ({
    endpoint: "https://push.example/" + location.search.slice(1), expirationTime: null,
    keys: {p256dh: "BPublic", auth: "secret"}})}
}"""


def test_a_browser_subscribes_and_shows_what_is_pushed(visit: Visit) -> None:
    visit.shop.files["/push-sw.js"] = f'importScripts("{visit.serving.url}/sdk-sw.js")'
    visit.context.grant_permissions(["notifications"])
    visit.context.add_init_script(SUBSCRIBED)
    page = visit.open("/one?first", off="pages dwell", service_worker="/push-sw.js")
    page.evaluate("hairspring.push.subscribe()")
    key = page.evaluate("asked.applicationServerKey")
    assert key.startswith("B")
    assert len(key) == 87
    visit.flush()
    assert [one["endpoint"] for one in subscriptions(visit)] == ["https://push.example/first"]
    assert visit.context.service_workers[0].url == visit.shop.url + "/push-sw.js"

    tools = visit.context.new_cdp_session(page)
    found: list[str] = []
    tools.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda said: found.extend(one["registrationId"] for one in said["registrations"]),
    )
    tools.send("ServiceWorker.enable")
    while not found:  # each answer of the page brings what the browser has told by then
        page.evaluate("1")
    message = {
        "id": "effect-1",
        "title": "Still yours",
        "body": "A fern waits",
        "url": "https://shop.example/cart",
    }
    told = {"origin": visit.shop.url, "registrationId": found[0], "data": json.dumps(message)}
    tools.send("ServiceWorker.deliverPushMessage", told)
    shown = page.wait_for_function("""async () => {
      const registration = await navigator.serviceWorker.getRegistration("/hairspring-push/")
      const [one] = await registration.getNotifications()
      return one && [one.title, one.body, one.tag, one.data]
    }""")
    assert shown.json_value() == [
        "Still yours",
        "A fern waits",
        "effect-1",
        "https://shop.example/cart",
    ]
    # A click by hand is what a browser wants before it opens a window; what it would open is told.
    opened = visit.context.service_workers[0].evaluate("""async () => {
      const [notification] = await registration.getNotifications()
      const opened = new Promise((done) => { clients.openWindow = async (url) => done(url) })
      dispatchEvent(new NotificationEvent("notificationclick", {notification}))
      return opened
    }""")
    assert opened == "https://shop.example/cart"


def subscriptions(visit: Visit) -> list[dict[str, str]]:
    held = visit.state()["traits"]["push"]
    return held if isinstance(held, list) else [held]


def test_each_browser_of_somebody_is_subscribed_besides_the_others(visit: Visit) -> None:
    visit.context.grant_permissions(["notifications"])
    visit.context.add_init_script(SUBSCRIBED)
    visit.shop.files["/push-sw.js"] = f'importScripts("{visit.serving.url}/sdk-sw.js")'
    for browser in ("first", "second", "first"):
        page = visit.open(f"/one?{browser}", off="pages dwell", service_worker="/push-sw.js")
        page.evaluate("hairspring.push.subscribe()")
        visit.flush()
    told = [one["endpoint"].rpartition("/")[2] for one in subscriptions(visit)]
    assert told == ["second", "first"]


def test_who_says_no_is_asked_for_nothing_more(visit: Visit) -> None:
    page = visit.open(off="pages dwell")
    page.evaluate("Notification.requestPermission = async () => 'denied'")
    assert page.evaluate("hairspring.push.subscribe()") is None
    assert visit.context.service_workers == []
