"""The timer wheel beside `heapq` with lazy deletion, which is what one would write first.

The reference is tuned as far as it stays readable: one tuple a timer, functions bound to local
names. Both sides have the owner of a timer at hand, as the processor has its user, and walk the
same parallel lists, whose instants lie in memory in that order (`tolist` makes them so): walking
costs both the same little.
"""

from __future__ import annotations

import random
import time
from array import array
from heapq import heappop, heappush

import msgspec

from bench.harness import Laps, Run
from engine.timers import NEVER_AT_MS, Alarm, Deadlines

START_AT_MS = 1_760_000_000_000
DAY_MS = 86_400_000
TIMERS_PER_TURN = 12
WAITS_MS = (1_800_000, 7_200_000, DAY_MS, 7 * DAY_MS)
GAP_MS_MAX = 60_000
MOVES_PER_KEY = 20

Fired = list[tuple[int, str]]


class DayOfTimers(msgspec.Struct, frozen=True):
    """Timers to arm, in this order, and places of those to cancel before any is due."""

    keys: list[str]
    due_at_ms: list[int]
    cancelled: list[int]
    turns_at_ms: range


class WheelDay:
    """Arm n timers spread over 24 hours, cancel 30 % of them, fire the rest turn by turn."""

    name = "wheel-24h"
    title = "arm, cancel 30 %, fire over 24 h; over heapq with lazy deletion"
    n = 1_000_000
    n_small = 50_000
    limit = 0.6
    repetitions = 5

    def prepare(self, n: int) -> DayOfTimers:
        """Draw instants and cancellations from a fixed seed."""
        draw = random.Random(n)
        keys = [f"user-{number}" for number in range(n)]
        due_at_ms = array("q", (START_AT_MS + draw.randrange(DAY_MS) for _ in keys)).tolist()
        cancelled = draw.sample(range(n), n * 3 // 10)
        # As many timers a turn at every size, or a small run would measure empty turns: a
        # million timers have a turn each second or so.
        turn_ms = DAY_MS * TIMERS_PER_TURN // n
        turns_at_ms = range(START_AT_MS, START_AT_MS + DAY_MS + turn_ms, turn_ms)
        return DayOfTimers(keys, due_at_ms, cancelled, turns_at_ms)

    def reference(self, load: DayOfTimers) -> Run:
        """Push, forget, pop and skip what was forgotten."""
        laps = Laps()
        with laps.running():
            fired = _day_by_heap(load, laps.laps_ns)
        return Run(laps.seconds, fired, laps.laps_ns)

    def ours(self, load: DayOfTimers) -> Run:
        """Make an alarm, insert, remove, advance."""
        laps = Laps()
        with laps.running():
            fired = _day_by_wheel(load, laps.laps_ns)
        return Run(laps.seconds, fired, laps.laps_ns)


def _day_by_heap(load: DayOfTimers, laps_ns: list[int]) -> Fired:
    heap: list[tuple[int, int, str]] = []
    due: dict[str, int] = {}
    keys = load.keys
    for order, (key, due_at_ms) in enumerate(zip(keys, load.due_at_ms, strict=True)):
        due[key] = due_at_ms
        heappush(heap, (due_at_ms, order, key))
    for place in load.cancelled:
        del due[keys[place]]
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
    deadlines = Deadlines[Alarm[str]](START_AT_MS)
    insert, remove = deadlines.insert, deadlines.remove
    alarms: list[Alarm[str]] = []
    for key, due_at_ms in zip(load.keys, load.due_at_ms, strict=True):
        alarm = Alarm(key)
        alarms.append(alarm)
        insert(alarm, due_at_ms)
    for place in load.cancelled:
        remove(alarms[place])
    fired: Fired = []
    clock = time.perf_counter_ns
    for now_ms in load.turns_at_ms:
        lap_ns = clock()
        for due_at_ms, alarm in deadlines.advance(now_ms):
            fired.append((due_at_ms, alarm.key))
        laps_ns.append(clock() - lap_ns)
    return fired


class Visits(msgspec.Struct, frozen=True):
    """Whose deadline moves to when, visit by visit, and the end of the last wait.

    Both sides leave the alarms as they found them, without a deadline.
    """

    owners: list[Alarm[str]]
    due_at_ms: list[int]
    last_at_ms: int


class WheelPostpone:
    """Some time after a person's last event, where each visit brings twenty more events.

    The visits come one after another, so that a move finds its alarm in the cache: whoever moves
    a deadline has just worked on its user, and to jump between 150,000 alarms would measure the
    memory on both sides (see bench/README.md for what that makes).
    """

    name = "wheel-postpone"
    title = "a deadline moved 20 times, one lazy entry each; over heapq with a push a move"
    n = 3_000_000
    n_small = 50_000
    limit = 0.05
    repetitions = 3

    def prepare(self, n: int) -> Visits:
        """Make `n` moves beside the first settings, in visits that start at any time of a day.

        Each visitor waits for one of four spans after his last event, as campaigns do.
        """
        draw = random.Random(n)
        owners: list[Alarm[str]] = []
        due_at_ms = array("q")
        for number in range(n // MOVES_PER_KEY):
            owners += [Alarm(f"user-{number}")] * (MOVES_PER_KEY + 1)
            at_ms = START_AT_MS + draw.randrange(DAY_MS) + draw.choice(WAITS_MS)
            for _ in range(MOVES_PER_KEY + 1):
                at_ms += draw.randrange(GAP_MS_MAX)
                due_at_ms.append(at_ms)
        return Visits(owners, due_at_ms.tolist(), max(due_at_ms))

    def reference(self, load: Visits) -> Run:
        """Push at each move; what is popped and is not the latest is skipped."""
        laps = Laps()
        with laps.running():
            fired = _postponed_by_heap(load)
        return Run(laps.seconds, sorted(fired))

    def ours(self, load: Visits) -> Run:
        """Set at each move; the wheel is touched at the first."""
        laps = Laps()
        with laps.running():
            fired = _postponed_by_wheel(load)
        return Run(laps.seconds, sorted(fired))


def _postponed_by_heap(load: Visits) -> Fired:
    heap: list[tuple[int, int, Alarm[str]]] = []
    moves = zip(load.owners, load.due_at_ms, strict=True)
    for order, (owner, due_at_ms) in enumerate(moves):
        owner.due_at_ms = due_at_ms
        heappush(heap, (due_at_ms, order, owner))
    fired: Fired = []
    while heap and heap[0][0] <= load.last_at_ms:
        due_at_ms, _, owner = heappop(heap)
        if owner.due_at_ms == due_at_ms:
            owner.due_at_ms = NEVER_AT_MS
            fired.append((due_at_ms, owner.key))
    return fired


def _postponed_by_wheel(load: Visits) -> Fired:
    deadlines = Deadlines[Alarm[str]](START_AT_MS)
    insert = deadlines.insert
    for alarm, due_at_ms in zip(load.owners, load.due_at_ms, strict=True):
        # What a hot loop may do by itself, as `Deadlines.insert` says.
        if due_at_ms < alarm.armed_at_ms:
            insert(alarm, due_at_ms)
        else:
            alarm.due_at_ms = due_at_ms
    fired: Fired = []
    for due_at_ms, alarm in deadlines.advance(load.last_at_ms):
        fired.append((due_at_ms, alarm.key))
    return fired


SCENARIOS = (WheelDay(), WheelPostpone())
