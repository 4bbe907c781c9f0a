from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.server.house import House

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    started = await House.start(tmp_path)
    yield started
    await started.aclose()
