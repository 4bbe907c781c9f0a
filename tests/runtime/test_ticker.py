from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from engine.runtime.ticker import LoopTicker, TimerfdTicker, make_ticker

if TYPE_CHECKING:
    from collections.abc import Callable

MS = 1_000_000
TICKERS = [LoopTicker, TimerfdTicker]


@pytest.fixture(params=TICKERS)
async def make(request: Any) -> Any:
    made = []

    def one(wake: Callable[[], None]) -> Any:
        made.append(request.param(asyncio.get_running_loop(), wake))
        return made[-1]

    yield one
    for ticker in made:
        ticker.close()
        ticker.close()


@pytest.mark.parametrize("delay_ns", [0, 1, MS])
async def test_it_calls_back(make: Any, delay_ns: int) -> None:
    rung = asyncio.Event()
    make(rung.set).arm(delay_ns)
    await rung.wait()


async def test_it_can_be_armed_again(make: Any) -> None:
    rung = asyncio.Event()
    ticker = make(rung.set)
    for _ in range(3):
        rung.clear()
        ticker.arm(MS // 10)
        await rung.wait()


async def test_a_new_alarm_replaces_the_one_before(make: Any) -> None:
    rung = asyncio.Event()
    ticker = make(rung.set)
    ticker.arm(3_600_000 * MS)
    ticker.arm(1)
    await rung.wait()


async def test_a_disarmed_one_keeps_silent(make: Any) -> None:
    rung = []
    later = asyncio.Event()
    ticker, other = make(lambda: rung.append(1)), make(later.set)
    ticker.arm(MS)
    ticker.disarm()
    other.arm(5 * MS)
    await later.wait()
    assert rung == []


async def test_a_delay_of_a_century_can_be_armed(make: Any) -> None:
    ticker = make(lambda: None)
    ticker.arm(100 * 366 * 86_400_000 * MS)
    ticker.disarm()


async def test_the_finest_is_chosen_for_the_running_loop() -> None:
    rung = asyncio.Event()
    ticker = make_ticker(rung.set)
    ticker.arm(1)
    await rung.wait()
    ticker.close()
