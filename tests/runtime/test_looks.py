from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from engine.runtime import looks
from engine.runtime.looks import Looks

if TYPE_CHECKING:
    import pytest

HOUR = 3_600_000


async def test_a_look_is_not_late_by_what_the_clock_jumps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "ASLEEP_MAX_S", 0.0)
    now_ms = 0
    looked = asyncio.Event()
    Looks(looked.set, now_ms=lambda: now_ms).at(8 * HOUR)
    now_ms = 7 * HOUR
    for _ in range(10):
        await asyncio.sleep(0)
    assert not looked.is_set()
    now_ms = 8 * HOUR  # the machine was asleep
    await looked.wait()


async def test_however_many_ask_for_an_instant_it_is_looked_once() -> None:
    now_ms = 0
    times = []
    done = asyncio.Event()
    at_once = Looks(lambda: times.append(now_ms), now_ms=lambda: now_ms, rate=1e9)
    for _ in range(3):
        at_once.at(5)
    Looks(done.set, now_ms=lambda: now_ms, rate=1e9).at(6)
    now_ms = 6
    await done.wait()
    assert times == [6]
