"""The timer wheel beside `heapq` with lazy deletion, which is what one would write first.

The reference is tuned as far as it stays readable: one tuple a timer, methods bound to local
names, cancellation by forgetting the key in a dict, no classes.
"""

from __future__ import annotations

import random
import time
from heapq import heappop, heappush

import msgspec

from bench.harness import Laps, Run
from engine.timers import Alarm, Deadlines, Wheel

START_AT_MS = 1_760_000_000_000
DAY_MS = 86_400_000
TIMERS_PER_TURN = 12
WAITS_MS = (1_800_000, 7_200_000, DAY_MS, 7 * DAY_MS)
GAP_MS_MAX = 60_000
MOVES_PER_KEY = 20

Fired = list[tuple[int, str]]


class DayOfTimers(msgspec.Struct, frozen=True):
    """Timers to arm, in this order, and those of them to cancel before any is due."""

    timers: list[tuple[str, int]]
    cancelled: list[str]
    turns_at_ms: range


class WheelDay:
    """Arm n timers spread over 24 hours, cancel 30 % of them, fire the rest turn by turn."""

    name = "wheel-24h"
    title = "arm, cancel 30 %, fire over 24 h; over heapq with lazy deletion"
    n = 1_000_000
    n_small = 50_000
    limit = 0.6
    repetitions = 3

    def prepare(self, n: int) -> DayOfTimers:
        """Draw instants and cancellations from a fixed seed."""
        draw = random.Random(n)
        timers = [(f"user-{number}", START_AT_MS + draw.randrange(DAY_MS)) for number in range(n)]
        cancelled = [key for key, _ in draw.sample(timers, n * 3 // 10)]
        # As many timers a turn at every size, or a small run would measure empty turns: a
        # million timers have a turn each second or so.
        turn_ms = DAY_MS * TIMERS_PER_TURN // n
        turns_at_ms = range(START_AT_MS, START_AT_MS + DAY_MS + turn_ms, turn_ms)
        return DayOfTimers(timers, cancelled, turns_at_ms)

    def reference(self, load: DayOfTimers) -> Run:
        """Push, forget, pop and skip what was forgotten."""
        laps = Laps()
        with laps.running():
            fired = _day_by_heap(load, laps.laps_ns)
        return Run(laps.seconds, fired, laps.laps_ns)

    def ours(self, load: DayOfTimers) -> Run:
        """Insert, remove, advance."""
        laps = Laps()
        with laps.running():
            fired = _day_by_wheel(load, laps.laps_ns)
        return Run(laps.seconds, fired, laps.laps_ns)


def _day_by_heap(load: DayOfTimers, laps_ns: list[int]) -> Fired:
    heap: list[tuple[int, int, str]] = []
    due: dict[str, int] = {}
    for order, (key, due_at_ms) in enumerate(load.timers):
        due[key] = due_at_ms
        heappush(heap, (due_at_ms, order, key))
    for key in load.cancelled:
        del due[key]
    fired: Fired = []
    clock = time.perf_counter_ns
    for now_ms in load.turns_at_ms:
        lap_ns = clock()
        while heap and heap[0][0] <= now_ms:
            due_at_ms, _, key = heappop(heap)
            if due.get(key) == due_at_ms:
                del due[key]
                fired.append((due_at_ms, key))
        laps_ns.append(clock() - lap_ns)
    return fired


def _day_by_wheel(load: DayOfTimers, laps_ns: list[int]) -> Fired:
    wheel = Wheel[str](START_AT_MS)
    insert, remove = wheel.insert, wheel.remove
    for key, due_at_ms in load.timers:
        insert(key, due_at_ms)
    for key in load.cancelled:
        remove(key)
    fired: Fired = []
    clock = time.perf_counter_ns
    for now_ms in load.turns_at_ms:
        lap_ns = clock()
        for entry in wheel.advance(now_ms):
            fired.append(entry)
        laps_ns.append(clock() - lap_ns)
    return fired


class Visits(msgspec.Struct, frozen=True):
    """Who moves his deadline to when, in order of time, and the end of the last wait."""

    keys: list[str]
    moves: list[tuple[int, int]]
    last_at_ms: int


class WheelPostpone:
    """Some time after a person's last event, where each visit brings twenty more events."""

    name = "wheel-postpone"
    title = "a deadline moved 20 times, one lazy entry each; over heapq with a push a move"
    n = 2_000_000
    n_small = 50_000
    limit = 0.05
    repetitions = 3

    def prepare(self, n: int) -> Visits:
        """Make `n` moves beside the first settings, in visits that are spread over a day.

        Each visitor waits for one of four spans after his last event, as campaigns do.
        """
        draw = random.Random(n)
        keys = [f"user-{number}" for number in range(n // MOVES_PER_KEY)]
        events: list[tuple[int, int, int]] = []
        for number in range(len(keys)):
            at_ms = START_AT_MS + draw.randrange(DAY_MS)
            wait_ms = draw.choice(WAITS_MS)
            for _ in range(MOVES_PER_KEY + 1):
                at_ms += draw.randrange(GAP_MS_MAX)
                events.append((at_ms, number, at_ms + wait_ms))
        events.sort()
        moves = [(number, due_at_ms) for _, number, due_at_ms in events]
        return Visits(keys, moves, max(due_at_ms for _, due_at_ms in moves))

    def reference(self, load: Visits) -> Run:
        """Push at each move; what is popped and is not the latest is skipped."""
        laps = Laps()
        due = [0] * len(load.keys)
        with laps.running():
            fired = _postponed_by_heap(load, due)
        return Run(laps.seconds, sorted(fired))

    def ours(self, load: Visits) -> Run:
        """Set at each move; the wheel is touched at the first."""
        laps = Laps()
        alarms = [Alarm(key) for key in load.keys]
        with laps.running():
            fired = _postponed_by_wheel(load, alarms)
        return Run(laps.seconds, sorted(fired))


def _postponed_by_heap(load: Visits, due: list[int]) -> Fired:
    heap: list[tuple[int, int, int]] = []
    for order, (number, due_at_ms) in enumerate(load.moves):
        due[number] = due_at_ms
        heappush(heap, (due_at_ms, order, number))
    fired: Fired = []
    while heap and heap[0][0] <= load.last_at_ms:
        due_at_ms, _, number = heappop(heap)
        if due[number] == due_at_ms:
            due[number] = 0
            fired.append((due_at_ms, load.keys[number]))
    return fired


def _postponed_by_wheel(load: Visits, alarms: list[Alarm[str]]) -> Fired:
    deadlines = Deadlines[Alarm[str]](START_AT_MS)
    for number, due_at_ms in load.moves:
        # What a hot loop may do by itself, as `Deadlines.insert` says.
        alarm = alarms[number]
        if due_at_ms < alarm.armed_at_ms:
            deadlines.insert(alarm, due_at_ms)
        else:
            alarm.due_at_ms = due_at_ms
    fired: Fired = []
    for due_at_ms, alarm in deadlines.advance(load.last_at_ms):
        fired.append((due_at_ms, alarm.key))
    return fired


SCENARIOS = (WheelDay(), WheelPostpone())
