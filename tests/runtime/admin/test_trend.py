"""Sizes of segments are kept a day each, and counted anew in each hour."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from config import load_shop
from engine.core.inputs import UserIdentified
from engine.runtime.admin.outlook import Outlook
from engine.runtime.admin.trend import DAY_MS, HOUR_MS, Trend
from engine.store.segments import DAYS_KEPT, Size
from tests.runtime.rig import Rig

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "segments.yaml": 'gold: user.plan == "gold"\n',
    "campaigns/a.yaml": "campaign: a\nenter: {event: Go}\nsteps: [{wait: 1h, id: w}]\n",
}
GOLD = msgspec.Raw(b'{"plan": "gold"}')


async def test_the_newest_count_of_a_day_is_that_days_and_old_days_go(tmp_path: Path) -> None:
    rig = await Rig.open(tmp_path / "hairspring.db", load_shop(FILES).plan)
    processor = rig.processor
    first_ms = (processor.now_ms // DAY_MS + 1) * DAY_MS

    def identify(user_id: str, at_ms: int) -> None:
        processor.take(UserIdentified(user_id, at_ms, at_ms, GOLD), at_ms)

    async def kept(at_ms: int) -> list[tuple[int, int]]:
        """What is kept once somebody has looked at that instant: (day, users)."""
        processor.advance(at_ms)
        trend = Trend(rig.store, processor, Outlook(processor, rig.clock))
        await trend.keep()
        return [(one.day, one.users) for one in await trend.days(DAYS_KEPT)]

    identify("ada", first_ms)
    day = first_ms // DAY_MS
    assert await kept(first_ms) == [(day, 1)]
    identify("bob", first_ms + HOUR_MS)
    assert await kept(first_ms + HOUR_MS) == [(day, 2)]
    assert await kept(first_ms + DAY_MS) == [(day, 2), (day + 1, 2)]
    assert await kept(first_ms + DAYS_KEPT * DAY_MS) == [(day + 1, 2), (day + DAYS_KEPT, 2)]
    trend = Trend(rig.store, processor, Outlook(processor, rig.clock))
    assert await trend.days(1) == [Size(day + DAYS_KEPT, "gold", 2, 2)]
    await rig.store.close()
