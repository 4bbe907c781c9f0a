"""Names as long as somebody may choose them, on a phone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from config import load_shop
from tests.clients import chromium
from tests.server.dashboard.axe import violations
from tests.server.dashboard.shop import a_page, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.server.dashboard.shop import Served

pytestmark = pytest.mark.skipif(bool(chromium.why_not()), reason=chromium.why_not())

PHONE = 390
NAME = "customers-who-have-not-bought-anything-for-a-very-long-time"
EVENT = "Averylongnameofaneventwithoutanyspacethatgoesonandonandon Completed"
WHO = "user-0123456789-0123456789-0123456789-0123456789-0123456789"
FILES = {
    "hairspring.toml": f'[shop]\nname = "{NAME.replace("-", "")}"\n[consent]\nrequired = []\n',
    "segments.yaml": f'{NAME}: did("{EVENT}")\n',
    f"templates/{NAME}.in_app.liquid": "Hello",
    "campaigns/long.yaml": f"""
campaign: {NAME}
enter: {{event: "{EVENT}"}}
goal: {{event: Bought}}
steps:
  - split: {{name: {NAME}, variants: {{{NAME}: {{weight: 1}}, other: {{weight: 1}}}}}}
    id: {NAME}-split
  - {{send: in_app, template: {NAME}, id: {NAME}-send}}
  - {{wait: 2d, id: {NAME}}}
""",
}
PATHS = (
    "/campaigns", f"/campaigns/{NAME}", f"/campaigns/{NAME}/file", "/experiments", "/users",
    f"/users/{WHO}", f"/users/{WHO}?campaign={NAME}", f"/users/{WHO}/erase", "/segments",
    "/deadlines", "/deliveries", "/templates", f"/templates/{NAME}.in_app", "/funnel", "/discover",
)  # fmt: skip


@pytest.fixture
async def long(tmp_path: Path) -> AsyncIterator[Served]:
    async with serve(tmp_path / "data", load_shop(FILES)) as made:
        traits = {"email": f"{WHO}@example.com", "name": NAME, "note": "x" * 200}
        await made.send(
            {"type": "identify", "user_id": WHO, "traits": traits},
            {"user_id": WHO, "event": EVENT, "properties": {"said": "y" * 200}},
        )
        await made.send_bad({"user_id": WHO, "event": "", "properties": {"said": "z" * 200}})
        await made.settled()
        yield made


async def test_pages_of_long_names_fit_on_a_phone(long: Served) -> None:
    async with a_page(long, PHONE, bypass_csp=True) as page:
        for path in PATHS:
            shown = await page.goto(long.url + path)
            assert shown is not None
            assert shown.status == 200, path
            assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE, path
            assert await violations(page) == [], path
