"""The same thing twice: an event, a process, an operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.faults.life import Life

pytestmark = [pytest.mark.acceptance, pytest.mark.crash]


async def test_an_event_that_comes_again_is_taken_once_also_over_kills_and_an_orderly_restart(
    life: Life,
):
    life.start()
    life.live(range(2))
    assert [life.place(number) for number in (0, 1, 1)] == [200] * 3
    life.serving.kill()
    life.start()
    assert [life.place(number) for number in (1, 0)] == [200] * 2
    assert life.serving.drain() == 0
    life.start()
    assert life.place(0) == 200
    life.orders = [0, 1]
    life.live(range(2, 3))
    life.come_to_rest()
    await life.holds()


def test_a_second_process_on_the_same_data_is_told_who_has_it(life: Life):
    life.start()
    refusal = life.refused_start()
    pid = life.serving.process.pid
    assert refusal["code"] == "store.in_use"
    assert refusal["why"] == (
        f"the data folder {life.data} is in use by another process (pid {pid})"
    )
    assert "stop that process" in refusal["hint"]
    life.live(range(1))  # the first one is none the worse for it
    life.come_to_rest()
