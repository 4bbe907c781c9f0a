from __future__ import annotations

import pytest

from engine.errors import ServeError
from engine.runtime.clock import (
    DISAGREEMENT_MAX_MS,
    HELD_FOR_MS,
    OFF_MAX_MS,
    STEER_EVERY_MS,
    Clock,
    check_wall_clock,
    wall_ms,
)

START_AT_MS = 1_767_225_600_000
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


class Machine:
    """A wall clock and a monotonic one, which go on when told to."""

    def __init__(self, *, not_before_ms: int = 0, rate: float = 1.0) -> None:
        self.wall_ns = START_AT_MS * 1_000_000
        self.monotonic_ns = 7
        self.clock = Clock(
            not_before_ms,
            rate=rate,
            wall_ns=lambda: self.wall_ns,
            monotonic_ns=lambda: self.monotonic_ns,
        )

    def passes(self, ms: float, *, drift_ppm: int = 0) -> None:
        ns = int(ms * 1_000_000)
        self.monotonic_ns += ns
        self.wall_ns += ns + ns * drift_ppm // 1_000_000

    def jumps(self, ms: int) -> None:
        self.wall_ns += ms * 1_000_000

    def steers(self, ms: int, *, drift_ppm: int = 0) -> list[int]:
        """Steer each second for so long; every instant that was asked to be jumped to."""
        asked = []
        for _ in range(0, ms, STEER_EVERY_MS):
            before_ms = self.clock.now_ms()
            self.passes(STEER_EVERY_MS, drift_ppm=drift_ppm)
            at_ms = self.clock.steer()
            assert before_ms < self.clock.now_ms() <= before_ms + STEER_EVERY_MS * 1.0011
            if at_ms is not None:
                asked.append(at_ms)
        return asked

    def ahead_ms(self) -> int:
        """By how much the wall clock is ahead of logical time."""
        return self.wall_ns // 1_000_000 - self.clock.now_ms()


def test_logical_time_starts_at_the_wall_clock_and_goes_with_the_monotonic_one() -> None:
    machine = Machine()
    machine.passes(1_500.9)
    assert machine.clock.now_ms() == START_AT_MS + 1_500


def test_logical_time_starts_no_earlier_than_the_last_stamp() -> None:
    assert Machine(not_before_ms=START_AT_MS + 5).clock.now_ms() == START_AT_MS + 5


@pytest.mark.parametrize("drift_ppm", [-500, -40, 40, 500])
def test_a_clock_that_drifts_is_followed_within_a_few_milliseconds(drift_ppm: int) -> None:
    machine = Machine()
    assert machine.steers(HOUR_MS, drift_ppm=drift_ppm) == []
    assert abs(machine.ahead_ms()) <= 3


@pytest.mark.parametrize("by_ms", [-30_000, 30_000])
def test_half_a_minute_is_made_up_for_by_a_thousandth(by_ms: int) -> None:
    machine = Machine()
    machine.jumps(by_ms)
    assert machine.steers(HOUR_MS) == []
    assert abs(machine.ahead_ms()) == 30_000 - 3_600 + 1  # the first second was not slewed
    assert machine.steers(9 * HOUR_MS) == []
    assert abs(machine.ahead_ms()) <= 1


def test_a_jump_ahead_is_believed_when_it_has_held_for_a_minute() -> None:
    machine = Machine()
    machine.jumps(HOUR_MS)
    assert machine.steers(HELD_FOR_MS) == []
    assert machine.ahead_ms() == HOUR_MS
    (at_ms,) = machine.steers(STEER_EVERY_MS)
    machine.clock.jump(at_ms)
    assert machine.ahead_ms() == 0
    assert machine.steers(HOUR_MS) == []


def test_a_jump_that_is_mended_within_the_minute_changes_nothing() -> None:
    machine = Machine()
    for _ in range(3):
        machine.jumps(HOUR_MS)
        assert machine.steers(HELD_FOR_MS - STEER_EVERY_MS) == []
        machine.jumps(-HOUR_MS)
        assert machine.steers(STEER_EVERY_MS) == []
    assert machine.ahead_ms() == 0


def test_a_wall_clock_set_back_is_never_followed() -> None:
    machine = Machine()
    machine.jumps(-DISAGREEMENT_MAX_MS - 1)
    assert machine.steers(HOUR_MS) == []
    assert machine.ahead_ms() == -DISAGREEMENT_MAX_MS - 1


def test_a_declared_rate_is_kept_beside_any_wall_clock() -> None:
    machine = Machine(rate=600.0)
    machine.jumps(HOUR_MS)
    machine.passes(1_000)
    assert machine.clock.steer() is None
    assert machine.clock.now_ms() == START_AT_MS + 600_000


@pytest.mark.parametrize(("rate", "by_ms"), [(1.0, 0), (1.0, 20_000), (1.0, -20_000), (7.5, 0)])
def test_who_waits_as_long_as_told_is_there_and_a_microsecond_before_is_not(
    rate: float, by_ms: int
) -> None:
    machine = Machine(rate=rate)
    machine.jumps(by_ms)
    machine.clock.steer()
    for ahead_ms in (1, 3, 999, 86_400_007):
        at_ms = machine.clock.now_ms() + ahead_ms
        delay_ns = machine.clock.delay_ns(at_ms)
        machine.monotonic_ns += delay_ns - 1_000
        assert machine.clock.now_ms() < at_ms
        machine.monotonic_ns += 1_000
        assert machine.clock.now_ms() == at_ms
        assert machine.clock.delay_ns(at_ms) == 0


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_wall_clock_days_from_the_last_stamp_is_refused(sign: int) -> None:
    check_wall_clock(0)
    check_wall_clock(wall_ms() + sign * (OFF_MAX_MS - MINUTE_MS))
    with pytest.raises(ServeError, match=r"1\.5 days") as refused:
        check_wall_clock(wall_ms() + sign * OFF_MAX_MS * 3 // 2)
    assert "--accept-clock" in refused.value.hint
