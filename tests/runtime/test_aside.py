from __future__ import annotations

import asyncio
import sys
import threading

import pytest

from engine.runtime.aside import GIVES_WAY_WITHIN_S, aside


async def test_work_aside_gives_way_sooner_until_the_last_of_it_is_done() -> None:
    usual = sys.getswitchinterval()
    gates = [threading.Event(), threading.Event()]
    first, second = (asyncio.create_task(aside(gate.wait)) for gate in gates)
    await asyncio.sleep(0)
    assert sys.getswitchinterval() == pytest.approx(GIVES_WAY_WITHIN_S)
    gates[0].set()
    assert await first
    assert sys.getswitchinterval() == pytest.approx(GIVES_WAY_WITHIN_S)
    gates[1].set()
    assert await second
    assert sys.getswitchinterval() == pytest.approx(usual)


async def test_what_work_aside_raises_is_raised() -> None:
    usual = sys.getswitchinterval()

    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await aside(fail)
    assert sys.getswitchinterval() == pytest.approx(usual)
