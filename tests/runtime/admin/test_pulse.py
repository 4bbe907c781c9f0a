"""What is told of the last seconds is the difference of two looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from engine.core.plan import Plan
from engine.runtime.admin.pulse import KEPT, Pulse
from engine.runtime.metrics import Metrics
from engine.runtime.processor import Processor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def pulse() -> AsyncIterator[Pulse]:
    made = Pulse(Metrics(), Processor(Plan("p")))
    yield made
    made.stop()


def look(pulse: Pulse, **more: object) -> None:
    """A second later."""
    newest = pulse.looks[-1]
    pulse.looks.append(replace(newest, at_s=newest.at_s + 1.0, **more))


async def test_growth_is_told_by_the_second(pulse: Pulse) -> None:
    for events in (10, 30, 30):
        look(pulse, events=events)
    assert pulse.each_second(lambda one: one.events) == pytest.approx([10, 20, 0])
    assert pulse.grown(lambda one: one.events, 2) == 20
    assert pulse.rate(lambda one: one.events, 2) == pytest.approx(10)


async def test_looks_older_than_five_minutes_go(pulse: Pulse) -> None:
    for _ in range(2 * KEPT):
        look(pulse)
    assert len(pulse.looks) == KEPT


async def test_lateness_lies_within_the_bucket_that_holds_the_share(pulse: Pulse) -> None:
    assert pulse.lateness_ms(0.5) is None
    fired = [0.0] * len(pulse.looks[-1].fired)
    fired[3], fired[4] = 50.0, 50.0  # up to 1 ms, and up to 2
    look(pulse, fired=tuple(fired))
    assert pulse.lateness_ms(0.5) == pytest.approx(1.0)
    assert pulse.lateness_ms(0.99) == pytest.approx(1.98)


async def test_what_fired_a_minute_ago_is_told_no_more(pulse: Pulse) -> None:
    fired = (5.0, *pulse.looks[-1].fired[1:])
    look(pulse, fired=fired)
    for _ in range(60):
        look(pulse)
    assert pulse.lateness_ms(0.5) is None
    assert pulse.grown(lambda one: sum(one.fired), 300) == 5


async def test_whoever_listens_is_woken_and_let_go_as_it_stops(pulse: Pulse) -> None:
    woken = pulse.listen()
    assert (pulse.listening, woken.is_set()) == (1, False)
    pulse.stop()
    assert woken.is_set()
    pulse.leave(woken)
    assert pulse.listening == 0
