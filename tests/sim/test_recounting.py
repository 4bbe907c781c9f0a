"""What was counted of campaigns is held against their records; whatever differs is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from engine.sim.world.shop import world_shop
from engine.store import Store
from tests.sim.audited import change, one, told
from tests.sim.lives import Run, changed, count_records

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
async def tallied(tmp_path: Path) -> Path:
    """A database that keeps more than an hour, with its campaigns counted."""
    path = tmp_path / "hairspring.db"
    store = await Store.open(path, sync="normal")
    run = Run(store, 4, archives=False)
    run.shops = [world_shop(), changed(world_shop())]
    await run.live(spans=6)
    await count_records(store, run)
    await store.close()
    assert await told(path) == ""
    return path


def change_hour(path: Path, how: Callable[[dict[int, float]], None]) -> str:
    """Change what was counted of some hour; of which campaign."""
    campaign, hour, counts = one(path, "SELECT campaign, hour, counts FROM tallies WHERE hour >= 0")
    changed = msgspec.msgpack.decode(counts, type=dict[int, float])
    how(changed)
    values = (msgspec.msgpack.encode(changed), campaign, hour)
    change(path, "UPDATE tallies SET counts = ? WHERE campaign = ? AND hour = ?", *values)
    return str(campaign)


async def test_an_hour_that_counts_less_or_more_than_its_records_is_told(tallied: Path) -> None:
    campaign = change_hour(tallied, lambda counts: counts.update({0: counts[0] - 1}))
    found = await told(tallied)
    assert f"tallies {campaign} hour " in found
    assert "all of it is" not in found  # less than in all may be
    change_hour(tallied, lambda counts: counts.update({0: counts[0] + 7}))
    found = await told(tallied)
    assert f"tallies {campaign} hour " in found
    assert f"tallies {campaign} its hours have " in found


async def test_an_hour_that_is_not_counted_is_told(tallied: Path) -> None:
    change(tallied, "DELETE FROM tallies WHERE hour >= 0")
    assert "counts 0 of entered, its records " in await told(tallied)


async def test_whoever_was_erased_stays_counted(tallied: Path) -> None:
    change(tallied, "DELETE FROM records WHERE user_id = 'u'")
    assert "tallies " in await told(tallied)
    change(tallied, "INSERT INTO tombstones VALUES ('a digest', 1, NULL, 1)")
    assert "tallies " not in await told(tallied)


async def test_counts_that_cannot_be_read_are_told(tallied: Path) -> None:
    change_hour(tallied, lambda counts: counts.update({1_000: 1}))
    assert "tallies database cannot be read: an hour of " in await told(tallied)
    change(tallied, "UPDATE tallies SET counts = x'00' WHERE hour = -1")
    assert "tallies database cannot be read: " in await told(tallied)
    change(tallied, "UPDATE meta SET value = 1000000 WHERE name = 'tallied'")
    assert "tallies database record 1000000 is counted, and the newest is " in await told(tallied)
