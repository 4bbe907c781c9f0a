"""A start on what the last run left, by the clocks of a machine that the test holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.inputs import EventReceived, decode_inputs
from engine.core.state import encode_user
from engine.runtime.clock import Clock
from engine.runtime.processor import Processor
from engine.runtime.restart import Restarted, restart
from engine.sim.world.shop import GRACE_MS, world_shop
from engine.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from engine.core.plan import Plan

START_AT_MS = 1_767_225_600_000
AWAY_MS = 3_600_000


async def started(store: Store, at_ms: int) -> Restarted:
    def clock(last_at_ms: int) -> Clock:
        return Clock(last_at_ms, wall_ns=lambda: at_ms * 1_000_000, monotonic_ns=lambda: 0)

    return await restart(world_shop(), store, lambda _: None, clock)


async def committed(store: Store, processor: Processor, now_ms: int) -> None:
    batch = processor.begin(now_ms)
    assert batch is not None
    await store.commit(batch)
    processor.finish(batch)


def from_the_first_input(path: Path, plan: Plan) -> Processor:
    """What the journal alone gives."""
    import sqlite3

    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT inputs FROM journal ORDER BY first_input").fetchall()
    connection.close()
    processor = Processor(plan)
    processor.replay(enumerate((one for row in rows for one in decode_inputs(row[0])), start=1))
    return processor


async def test_what_fired_before_a_downtime_is_not_held_by_it_when_the_journal_is_read_again(
    tmp_path: Path,
) -> None:
    path = tmp_path / "hairspring.db"
    store = await Store.open(path)
    first = (await started(store, START_AT_MS)).processor
    viewed = EventReceived("u", "Product Viewed", START_AT_MS, START_AT_MS)
    first.take(viewed, START_AT_MS)
    first.advance(START_AT_MS + 6_000)  # his wait of five seconds is over, and he was idle for six
    await committed(store, first, START_AT_MS + 6_000)
    second = (await started(store, START_AT_MS + AWAY_MS)).processor
    await committed(store, second, second.now_ms)
    await store.close()
    again = from_the_first_input(path, second.plan)
    assert encode_user(again.users["u"]) == encode_user(second.users["u"])
    assert second.users["u"].fired_at_ms == START_AT_MS + 6_000


async def test_what_fell_due_after_the_last_stamp_waits_for_the_grace(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "hairspring.db")
    first = (await started(store, START_AT_MS)).processor
    first.take(EventReceived("u", "Product Viewed", START_AT_MS, START_AT_MS), START_AT_MS)
    await committed(store, first, START_AT_MS)
    second = (await started(store, START_AT_MS + AWAY_MS)).processor
    await store.close()
    assert second.users["u"].due_at_ms == START_AT_MS + AWAY_MS + GRACE_MS
