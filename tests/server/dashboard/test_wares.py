"""Pages of what messages are made of: templates, with the clicks on their links, and products."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from config import load_folder
from tests.clients import chromium
from tests.server.dashboard.axe import violations
from tests.server.dashboard.shop import KEY, a_page, serve
from tests.server.links.visits import BROWSER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.server.dashboard.shop import Served

pytestmark = pytest.mark.skipif(bool(chromium.why_not()), reason=chromium.why_not())

FILES = {
    "hairspring.toml": '[consent]\nrequired = []\n[catalog]\nfile = "products.json"\n',
    "products.json": """[
  {"id": "p1", "title": "A blue mug", "price": 9.5, "url": "https://shop.example/p1"},
  {"id": "p2", "title": "<b>A pot</b>", "price": 30, "stock": 0},
  {"id": "p3", "title": "A lamp", "price": 80, "stock": 4}
]""",
    "templates/letter.email.liquid": """---
subject: Hello {{ user.first_name }}
---
<html><body><p><a href="https://shop.example/one?u={{ user.id }}">One</a></p>
<p><a href="https://shop.example/two">Two</a> {{ user.city }}</p>
<script>document.title = "ran"</script><img src="https://elsewhere.example/x.png" alt="">
<p><a href="{{ links.unsubscribe }}">Leave</a></p></body></html>
""",
    "templates/letter.push.liquid": """---
title: Hello
url: https://shop.example/push?a=1
---
Come back
""",
    "campaigns/letter.yaml": """
campaign: letter
enter: {event: Go}
steps:
  - {send: email, template: letter, id: first}
""",
}


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Served]:
    home = tmp_path / "shop"
    for name, text in FILES.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    data = tmp_path / "data"
    async with serve(data, load_folder(home), home) as made:
        for user_id in ("ada", "bob"):
            traits = {"email": f"{user_id}@example.com", "first_name": user_id, "city": "Paris"}
            await made.send(
                {"type": "identify", "user_id": user_id, "traits": traits},
                {"user_id": user_id, "event": "Go"},
            )
        await made.settled()
        yield made


async def click(shop: Served, data: Path, user_id: str, place: int) -> None:
    """As somebody who reads his mail in a browser."""
    lines = (data / "outbox" / "email.ndjson").read_text().splitlines()
    (body,) = [one["body"] for one in map(msgspec.json.decode, lines) if one["user_id"] == user_id]
    path = re.findall(r'href="[a-z]+://[^/"]+(/c/[^"]+)"', body)[place]
    headers = {"User-Agent": BROWSER}
    url = shop.app.ingest.url + unescape(path)
    async with shop.client.get(url, headers=headers, allow_redirects=False) as answer:
        assert answer.status == 302


async def test_clicks_are_drawn_on_the_mails_own_links(shop: Served, tmp_path: Path) -> None:
    for user_id, place in (("ada", 0), ("bob", 0), ("bob", 1)):
        await click(shop, tmp_path / "data", user_id, place)
        await shop.app._link_door.engagement.aclose()
    failed: set[tuple[str, str | None]] = set()
    async with a_page(shop) as page:
        page.on("requestfailed", lambda r: failed.add((r.url.split("/")[2], r.failure)))
        await page.goto(shop.url + "/templates")
        row = page.get_by_role("row", name="letter.email")
        assert (await row.locator("td").all_inner_texts())[-1] == "3"
        await row.get_by_role("link", name="letter.email").click()
        assert "user.city" in await page.get_by_role("alert").inner_text()  # the sample has none
        await page.get_by_label("A user's id").fill("ada")
        await page.get_by_role("button", name="Show").click()
        mail = page.frame_locator("iframe.message")
        links = await mail.locator("a").all_inner_texts()
        assert links == ["2 · 66.7 %One", "1 · 33.3 %Two", "Leave"]
        assert "Paris" in await mail.locator("body").inner_text()
        assert await mail.locator("body").evaluate("document.title") != "ran"
        rows = page.get_by_role("group", name="Clicks by link").locator("tbody tr")
        assert [await one.locator("td").all_inner_texts() for one in await rows.all()] == [
            ["https://shop.example/one", "2", "66.7 %"],
            ["https://shop.example/two", "1", "33.3 %"],
        ]
        await page.get_by_label("Width").select_option("narrow")
        await page.get_by_role("button", name="Show").click()
        assert await page.locator("iframe.message").evaluate("e => e.clientWidth") <= 384
    assert ("elsewhere.example", "csp") in failed


async def test_programs_are_told_the_same_clicks(shop: Served, tmp_path: Path) -> None:
    for user_id, place in (("ada", 0), ("bob", 0), ("bob", 1)):
        await click(shop, tmp_path / "data", user_id, place)
        await shop.app._link_door.engagement.aclose()
    headers = {"Authorization": f"Bearer {KEY}"}
    _, text = await shop.get("/api/templates", headers=headers)
    letter = {
        "template": "letter",
        "channel": "email",
        "file": "templates/letter.email.liquid",
        "locales": [],
        "sent_by": [{"campaign": "letter", "step": "first"}],
        "clicks": 3,
    }
    note = {**letter, "channel": "push", "file": "templates/letter.push.liquid"}
    note |= {"sent_by": [], "clicks": 0}
    assert msgspec.json.decode(text) == {"templates": [letter, note]}
    _, text = await shop.get("/api/templates/letter.email?user=ada", headers=headers)
    told = msgspec.json.decode(text)
    assert told.items() >= letter.items()
    assert told["links"] == [
        {"leads_to": "https://shop.example/one", "clicks": 2},
        {"leads_to": "https://shop.example/two", "clicks": 1},
    ]
    assert (told["elsewhere"], told["front"]) == (0, {"subject": "Hello ada"})
    assert "Paris" in told["body"]
    _, text = await shop.get("/api/templates/letter.push", headers=headers)
    told = msgspec.json.decode(text)
    assert told["links"] == [{"leads_to": "https://shop.example/push", "clicks": 0}]


async def test_clicks_on_links_that_are_in_it_no_more_are_counted_elsewhere(
    shop: Served, tmp_path: Path
) -> None:
    await click(shop, tmp_path / "data", "ada", 1)
    await shop.app._link_door.engagement.aclose()
    file = tmp_path / "shop/templates/letter.email.liquid"
    file.write_text(file.read_text().replace("/two", "/three"))
    assert shop.app.reloading is not None
    await shop.app.reloading.reload()
    headers = {"Authorization": f"Bearer {KEY}"}
    _, text = await shop.get("/api/templates/letter.email?user=ada", headers=headers)
    told = msgspec.json.decode(text)
    assert [one["clicks"] for one in told["links"]] == [0, 0]
    assert told["elsewhere"] == told["clicks"] == 1


async def test_products_are_looked_through(shop: Served) -> None:
    async with a_page(shop) as page:
        await page.goto(shop.url + "/catalog")
        products = page.get_by_role("group", name="Products").locator("tbody tr")
        assert await products.count() == 3
        assert "<b>A pot</b>" in await products.nth(1).inner_text()
        assert "sold out" in await products.nth(1).inner_text()
        await page.get_by_label("Look for").fill("MUG")
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", name="Products with").wait_for()
        assert await products.locator("td:first-child").all_inner_texts() == ["p1"]
        assert await products.get_by_role("link").get_attribute("href") == "https://shop.example/p1"


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1440, "dark")])
async def test_its_pages_have_no_fault_of_access(shop: Served, width: int, scheme: Any) -> None:
    async with a_page(shop, width, color_scheme=scheme, bypass_csp=True) as page:
        for path in ("/templates", "/templates/letter.email?user=ada", "/catalog?q=a"):
            await page.goto(shop.url + path)
            assert await page.evaluate("document.documentElement.scrollWidth") <= width, path
            assert await violations(page) == [], path


async def test_a_template_or_user_that_is_not_there_is_said(shop: Served) -> None:
    await shop.sign_in()
    headers = {"Authorization": f"Bearer {KEY}"}
    for path in ("/templates/none.email", "/templates/letter.email?user=zoe"):
        assert (await shop.get(path))[0] == 404
        assert (await shop.get(f"/api{path}", headers=headers))[0] == 404
    assert (await shop.get("/templates/letter.email/body"))[0] == 422
    assert (await shop.get("/api/templates/letter.email", headers=headers))[0] == 422
