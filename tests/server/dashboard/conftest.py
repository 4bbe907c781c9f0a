from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.server.dashboard.shop import Served, serve, shopper

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serve(tmp_path) as made:
        await made.send(*shopper("ada", name="Ada <script>", city="Paris"), *shopper("bob"))
        await made.settled()
        yield made
