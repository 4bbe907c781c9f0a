"""From how much on something is a cause: the looks of `test_watch` provoke each for real."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from config.alerts import Alerts
from engine.runtime.alerting.causes import MINUTE_MS, Rules, Seen
from engine.runtime.alerting.hours import Hours
from engine.runtime.metrics import Metrics
from engine.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SEEN = Seen(journal="", disk_free_bytes=None, coupons={}, coupons_low=0, campaigns=())


@pytest.fixture
async def hours(tmp_path: Path) -> AsyncIterator[Hours]:
    store = await Store.open(tmp_path / "h.db", sync="normal")
    yield Hours(store)
    await store.close()


@pytest.mark.parametrize(
    ("fired", "late", "is_told"), [(100, 2, True), (1_000, 10, False), (19, 19, False)]
)
async def test_lateness_is_told_of_more_than_one_in_a_hundred_of_twenty_or_more(
    hours: Hours, fired: int, late: int, is_told: bool
) -> None:
    metrics = Metrics()
    rules = Rules(Alerts(), metrics, hours, 0)
    for number in range(fired):
        metrics.lateness.observe(100.0 if number < late else 0.0)
    found = [cause.kind for cause in rules.now(SEEN, MINUTE_MS // 2)]
    assert found == (["lateness"] if is_told else [])
