"""When what is old goes: every so many commits, and every so often where there are few."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from engine.core.plan import Plan
from engine.runtime import shell as shell_module
from engine.runtime.tidying import TIDY_EVERY_MS, Tidying
from engine.store import Quarantined
from tests.core.world import HOUR
from tests.runtime.rig import Rig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PLAN = Plan("p", [])


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    opened = await Rig.open(tmp_path / "hairspring.db", PLAN, rate=1.0)
    yield opened
    await opened.close()


async def commit(rig: Rig, at_ms: int) -> None:
    """As the shell does, of what happened by then."""
    batch = rig.processor.begin(at_ms, be_it_empty=True)
    assert batch is not None
    await rig.store.commit(batch)
    rig.processor.finish(batch)


async def until_rounds(rig: Rig, count: int) -> None:
    while len(set(rig.store.pruned_at_ms)) < count:
        await asyncio.sleep(0)


async def test_what_is_old_goes_though_nothing_happens_any_more(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell_module, "STEER_EVERY_MS", 1)
    rig.store.keep_ms = HOUR // 2
    rig.start()
    item = Quarantined(rig.clock.now_ms(), "/events", "$.timestamp", "is no instant", b"{}")
    await rig.shell.submit([rig.event()], [item])
    await until_rounds(rig, 1)
    assert await rig.store.count("quarantine") == 1
    rig.clock.jump(rig.clock.now_ms() + TIDY_EVERY_MS)
    while await rig.store.count("quarantine"):
        await asyncio.sleep(0)
    first, silent = rig.store.batches
    assert (silent.inputs_count, silent.records) == (0, [])
    assert set(rig.store.pruned_at_ms) == {first.at_ms, silent.at_ms}
    await rig.close()
    again = await Rig.open(tmp_path / "hairspring.db", PLAN, rate=1.0)
    assert again.processor.now_ms == silent.at_ms, "a restart knows by what instant things went"
    await again.store.close()


async def test_after_an_hour_the_next_commit_is_enough(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell_module, "STEER_EVERY_MS", 1)  # a round is under way, perhaps
    rig.start()
    await rig.shell.submit([rig.event()])
    await until_rounds(rig, 1)
    rig.clock.jump(rig.clock.now_ms() + TIDY_EVERY_MS)
    await rig.shell.submit([rig.event()])
    await until_rounds(rig, 2)
    assert [batch.inputs_count for batch in rig.store.batches] == [1, 1]


async def test_before_an_hour_is_over_neither_time_nor_a_commit_begins_a_round(rig: Rig) -> None:
    tidying = Tidying(rig.processor, rig.store)
    at_ms = rig.clock.now_ms()
    assert not tidying.wants_commit(at_ms + 10 * TIDY_EVERY_MS), "nothing was committed"
    await commit(rig, at_ms)
    tidying.look_after()
    assert tidying.task is not None
    assert not tidying.wants_commit(at_ms + TIDY_EVERY_MS), "one is under way"
    await tidying.task
    before_ms = at_ms + TIDY_EVERY_MS - 1
    assert not tidying.wants_commit(before_ms)
    await commit(rig, before_ms)
    tidying.look_after()
    assert tidying.task is None
    assert tidying.wants_commit(before_ms + 1)
    tidying.look_after()
    assert tidying.task is None, "by no instant that is in no commit"
    await commit(rig, before_ms + 1)
    assert not tidying.wants_commit(before_ms + 1)
    tidying.look_after()
    assert tidying.task is not None
    await tidying.task
    assert set(rig.store.pruned_at_ms) == {at_ms, before_ms + 1}
