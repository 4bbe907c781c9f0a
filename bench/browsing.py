"""How long the browser SDK holds up a page: `python -m bench.browsing`, with Debian's Chromium.

A page says 1,000 events, each in a task of its own, with a marked click, a move of the pointer, now
and then a scroll and another address; once with a server that answers, once without. Chromium's
trace has each piece of work whose script is `sdk.js`. What counts is the processor time of the
longest one (the limit is 5 ms): wall time has whatever else the machine does in it.

It has no reference line and so is none of the scenarios.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any, Final

import msgspec

from engine.server.sdk import SdkFile

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

LIMIT_US: Final = 5_000
EVENTS: Final = 1_000
_URL: Final = "http://shop.localhost"
_ARGUMENTS: Final = ("--no-sandbox", "--disable-gpu", "--no-first-run")
_PAGE: Final = """<!doctype html><title>A page</title>
<button data-hs-event="Clicked">b</button><div style="height:9000px"></div>
<script src="/sdk.js" data-key="k" defer></script>"""
_EVENTS: Final = """(n) => new Promise((done) => {
  let i = 0
  const next = () => {
    hairspring.track("Seen", {i, product_id: "p" + i, price: 19.5, name: "Fern"})
    document.querySelector("button").click()
    dispatchEvent(new PointerEvent("pointermove"))
    if (i % 50 === 0) scrollTo(0, i * 4)
    if (i % 100 === 0) history.pushState({}, "", "/p" + i)
    if (++i < n) setTimeout(next); else setTimeout(done, 1500)
  }
  next()
})"""
_TRACED: Final = {"categories": "devtools.timeline,v8.execute", "transferMode": "ReportEvents"}
_ON_THE_PAGE: Final = frozenset({"FunctionCall", "EvaluateScript", "v8.compile", "TimerFire"})


class Longest(msgspec.Struct):
    """The longest work of the SDK on one page.

    Attributes:
        what: What the trace calls it.
        us: Its processor time.
        calls: How many pieces of work there were.
        total_us: What they took together.
    """

    what: str
    us: int
    calls: int
    total_us: int


def trace(page: Page, *, is_online: bool, events: int = EVENTS) -> Longest:
    """Have the page say so many events, and look for the longest work of the SDK in the trace."""

    def answer(route: Route) -> None:
        if route.request.url.endswith("/sdk.js"):
            route.fulfill(body=SdkFile.read("sdk.js").plain, content_type="text/javascript")
        elif route.request.method == "GET":
            route.fulfill(body=_PAGE, content_type="text/html")
        elif is_online:
            route.fulfill(json={"success": True})
        else:
            route.abort()

    page.route("**/*", answer)
    tools = page.context.new_cdp_session(page)
    traced: list[dict[str, Any]] = []
    tools.on("Tracing.dataCollected", lambda said: traced.extend(said["value"]))
    ended: list[bool] = []
    tools.on("Tracing.tracingComplete", lambda _: ended.append(True))
    tools.send("Tracing.start", _TRACED)
    page.goto(_URL)
    page.evaluate(_EVENTS, events)
    tools.send("Tracing.end")
    while not ended:
        page.wait_for_timeout(50)
    own = [
        one
        for one in traced
        if one["name"] in _ON_THE_PAGE and "sdk.js" in json.dumps(one.get("args", {}))
    ]
    longest = max(own, key=lambda one: one.get("tdur", 0))
    total_us = sum(one.get("tdur", 0) for one in own)
    return Longest(longest["name"], longest["tdur"], len(own), total_us)


def main() -> int:
    """Say the longest work with and without a server; 1 where one is over the limit."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        is_over = False
        for is_online in (True, False):
            page = browser.new_page()
            longest = trace(page, is_online=is_online)
            page.close()
            is_over |= longest.us > LIMIT_US
            print(
                f"{'online ' if is_online else 'offline'}  longest {longest.us / 1000:.2f} ms "
                f"({longest.what}), {longest.calls} in all, {longest.total_us / 1000:.1f} ms"
            )
        browser.close()
    return int(is_over)


if __name__ == "__main__":
    raise SystemExit(main())
