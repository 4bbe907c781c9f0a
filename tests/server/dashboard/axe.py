"""What axe finds wrong with a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.clients import node

if TYPE_CHECKING:
    from playwright.async_api import Page


async def violations(page: Page) -> list[str]:
    """What axe finds, of the WCAG's rules and of good practice."""
    if why := node.why_not():
        pytest.skip(why)
    await page.add_script_tag(path=node.HERE / "node_modules/axe-core/axe.min.js")
    found = await page.evaluate("axe.run()")
    return [
        f"{one['id']}: {at['html'][:120]} {at['failureSummary'][:200]}"
        for one in found["violations"]
        for at in one["nodes"]
    ]
