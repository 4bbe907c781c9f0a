"""A loop that is held up is seen by a timer that was due meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from engine.runtime.metrics import Metrics
from engine.runtime.stalls import LOOK_EVERY_S, StallWatch

if TYPE_CHECKING:
    from collections.abc import Callable


class HandLoop:
    """A loop with a clock of its own, which calls its one timer when it is told to."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.timer: tuple[float, Callable[[], None]] | None = None

    def time(self) -> float:
        return self.now_s

    def call_at(self, when_s: float, callback: Callable[[], None]) -> HandLoop:
        self.timer = (when_s, callback)
        return self

    def cancel(self) -> None:
        self.timer = None

    def turn(self, *, held_up_s: float) -> None:
        assert self.timer is not None
        due_s, callback = self.timer
        self.now_s = due_s + held_up_s
        callback()


def watched(*held_up_s: float) -> tuple[dict[str, float], HandLoop, StallWatch]:
    metrics, loop = Metrics(), HandLoop()
    anything: Any = loop
    watch = StallWatch(anything, metrics.stalls)
    for each in held_up_s:
        loop.turn(held_up_s=each)
    [metric] = metrics.stalls.collect()
    return (
        {
            one.labels.get("le", one.name.rpartition("_")[2]): one.value
            for one in metric.samples
            if not one.name.endswith("_created")
        },
        loop,
        watch,
    )


def test_every_look_is_counted_by_how_late_it_was() -> None:
    counts, _, _ = watched(0.0, 0.0, 0.03)
    assert (counts["0.001"], counts["0.02"], counts["0.05"], counts["count"]) == (2, 2, 3, 3)
    assert counts["sum"] == pytest.approx(0.03)


def test_the_next_look_is_reckoned_from_the_late_one() -> None:
    _, loop, _ = watched(1.0)
    assert loop.timer is not None
    assert loop.timer[0] == pytest.approx(loop.now_s + LOOK_EVERY_S)


def test_a_long_stall_is_told_in_a_line() -> None:
    with capture_logs() as lines:
        watched(0.1, 0.4)
    assert [(line["event"], line["ms"]) for line in lines] == [("loop.stalled", 400)]


def test_a_watch_that_stopped_looks_no_more() -> None:
    _, loop, watch = watched()
    watch.stop()
    assert loop.timer is None
