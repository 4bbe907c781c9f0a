"""Work in a process beside ends with whoever asked, and within its time."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from config import load_shop
from engine.runtime.beside import WAITING_MAX, Beside, ErrandFailed
from engine.runtime.errands import SimulateErrand

if TYPE_CHECKING:
    from collections.abc import Callable

FILES = {"campaigns/a.yaml": "campaign: a\nenter: {event: Go}\nsteps: [{wait: 1h, id: w}]\n"}
ERRAND = SimulateErrand(content=load_shop(FILES).content.decode())
MANY = b"".join(
    b'{"user_id": "u%d", "event": "Go", "timestamp": 1}\n' % number for number in range(100_000)
)


def children() -> set[str]:
    """Processes that this one started and that are not over."""
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


def told_nobody(_done: int, _total: int) -> None:
    pass


def at_first(event: asyncio.Event) -> Callable[[int, int], None]:
    return lambda _done, _total: event.set()


async def test_it_ends_with_whoever_asked() -> None:
    before, began = children(), asyncio.Event()
    work = asyncio.create_task(Beside().do(ERRAND, at_first(began), MANY))
    await began.wait()
    assert children() - before
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    assert children() == before


async def test_it_is_ended_when_its_time_is_over() -> None:
    before = children()
    with pytest.raises(ErrandFailed, match="takes longer") as failed:
        await Beside(within_s=0.05).do(ERRAND, told_nobody, MANY)
    assert failed.value.code == "errand.time"
    assert children() == before


async def test_one_runs_at_a_time_and_so_many_wait() -> None:
    beside = Beside()
    before, began = children(), asyncio.Event()
    works = [
        asyncio.create_task(beside.do(ERRAND, at_first(began), MANY)) for _ in range(WAITING_MAX)
    ]
    await began.wait()
    assert beside.is_full
    assert len(children() - before) == 1
    for work in works:
        work.cancel()
    await asyncio.gather(*works, return_exceptions=True)
    assert not beside.is_full


async def test_what_fails_there_is_raised_here_with_its_code() -> None:
    with pytest.raises(ErrandFailed) as failed:
        await Beside().do(ERRAND, told_nobody, b"nothing that is an event\n")
    assert failed.value.code == "events.unreadable"
