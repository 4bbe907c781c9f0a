"""What the how-to has a page say, said."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.acceptance.sdk.conftest import Visit

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(300)]

PAGE = (Path(__file__).parents[3] / "docs/how-to/add-the-browser-sdk.md").read_text()
FENCE = re.compile(r"^ *```(\w+)([^\n]*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)


def blocks(language: str, mark: str = "") -> list[str]:
    return [
        code for one, how, code in FENCE.findall(PAGE) if (one, how.strip()) == (language, mark)
    ]


def test_what_the_page_says_works_before_and_after_the_sdk_is_there(visit: Visit) -> None:
    line, marked, early = blocks("html")
    said = [
        one.replace('"ada"', f'"{visit.user}"').replace("ada@", f"{visit.user}@")
        for one in blocks("js", "sdk")
    ]
    assert len(said) == 3
    loaded = line.replace("https://events.shop.example", visit.serving.url)
    loaded = loaded.replace("a-key-of-pages", "demo-write-key").replace(
        " defer", ' data-consent="required" data-off="pages dwell" defer'
    )
    visit.shop.text = (
        f"<!doctype html><title>Fern</title>{early}<script>{said[0]}</script>{loaded}{marked}"
    )
    page = visit.page
    page.goto(visit.shop.url)
    page.evaluate(said[1])
    page.evaluate(said[2])
    page.locator("button").click()
    assert visit.leave() == [
        ("Product Added", {"product_id": "p1", "name": "Fern", "price": 19.5, "quantity": 1}),
        ("Size Chart Opened", {"product_id": "p1"}),
        ("Left", {}),
    ]
