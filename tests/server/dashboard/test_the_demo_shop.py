"""The demo shop's pages, once its simulated shoppers have come: none of them is empty."""

from __future__ import annotations

from random import Random  # noqa: TID251 - draws who the simulated shoppers are
from typing import TYPE_CHECKING

import pytest

from config import demo_shop, load_folder
from engine.sim.shoppers import visit
from tests.clients import chromium
from tests.server.dashboard.shop import a_page, serve

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(bool(chromium.why_not()), reason=chromium.why_not())

SHOPPERS = 60


async def test_its_segments_fill_and_its_catalog_has_what_is_bought(tmp_path: Path) -> None:
    folder = demo_shop()
    shop = load_folder(folder)
    rng = Random(8)
    async with serve(tmp_path, shop, folder) as made:
        bought: set[str] = set()
        for number in range(SHOPPERS):
            acts = list(visit(rng, number, shop.settings.shop.url))
            await made.send(*(act.item for act in acts))
            said = [act.item["properties"] for act in acts if "properties" in act.item]
            bought |= {one["name"] for one in said if "product_id" in one}
        await made.settled()
        async with a_page(made) as page:
            await page.goto(made.url + "/segments")
            await page.get_by_text(f"{SHOPPERS} users, counted").wait_for()
            rows = page.get_by_role("group", name="Segments").locator("tbody tr")
            sizes = [await row.locator("td").nth(1).inner_text() for row in await rows.all()]
            assert len(sizes) == 3
            assert all(0 < int(size) < SHOPPERS for size in sizes)
            await page.goto(made.url + "/catalog")
            titles = page.get_by_role("group", name="Products").locator("tbody td:nth-child(2)")
            assert bought < set(await titles.all_inner_texts())
