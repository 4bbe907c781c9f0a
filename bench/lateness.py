"""How late deadlines fire, inside the process: the shell beside bare timers of the same loop.

Five hundred a second, evenly, each of a user of his own. Ours wakes by its ticker, fires through
the wheel and the core, and has a commit under way nearly all the time, since each deadline ends an
enrollment. The reference only notes the time: what is compared is the waking.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bench.harness import Run, quantile
from bench.instants import NS_PER_MS
from bench.shop import WAIT_S, WAITING
from config import load_shop
from engine.core.inputs import EventReceived
from engine.core.plan import Plan
from engine.runtime.clock import Clock
from engine.runtime.processor import Processor
from engine.runtime.shell import Shell
from engine.store import Store

if TYPE_CHECKING:
    from engine.runtime.processor import Released

GAP_MS = 2
LEAD_MS = 500
"""From the last event to the first deadline, so that taking events is over by then."""

WAIT_MS = WAIT_S * 1_000


class Deadlines(msgspec.Struct, frozen=True):
    """Instants after the start, and the campaign that waits for them."""

    due_after_ms: list[int]
    plan: Plan


class DeadlineLateness:
    """All the lateness added up stands where other scenarios have their seconds."""

    name = "deadline-lateness"
    title = "500 deadlines a second through the shell, lateness; over loop.call_at"
    n = 1_500
    n_small = 100
    limit = 1.0
    repetitions = 3

    def prepare(self, n: int) -> Deadlines:
        """Deadlines each 2 ms."""
        shop = load_shop({"campaigns/waiting.yaml": WAITING})
        return Deadlines([LEAD_MS + GAP_MS * number for number in range(n)], shop.plan)

    def reference(self, load: Deadlines) -> Run:
        """`loop.call_at` for each."""
        return _sum_up(asyncio.run(by_loop(load.due_after_ms)), load)

    def ours(self, load: Deadlines) -> Run:
        """Shell, ticker, wheel, core, journal."""
        with tempfile.TemporaryDirectory() as name:
            return _sum_up(asyncio.run(_by_shell(load, Path(name) / "lateness.db")), load)


def _sum_up(late_ns: list[int], load: Deadlines) -> Run:
    """The outcome: whether as many fired as were set, and none early."""
    early = sum(late < 0 for late in late_ns)
    return Run(sum(late_ns) / 1e9, (len(late_ns) == len(load.due_after_ms), early), late_ns)


def promised(late_ns: list[int], outcome: object, count: int, over_ns: int = 0) -> Run:
    """A run whose seconds stand for the p99 of lateness, and `over_ns` beyond it.

    As many seconds as give that p99 an item, where the harness divides by their `count`.
    """
    p99_ns = quantile(sorted(late_ns), 0.99) + over_ns
    return Run(p99_ns * count / 1e9, outcome, late_ns)


async def by_loop(due_after_ms: list[int]) -> list[int]:
    """How late bare timers of asyncio's own loop are, for instants after the start."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    late_ns: list[int] = []
    started_ns = time.monotonic_ns()
    last = len(due_after_ms)

    def note(due_ns: int) -> None:
        late_ns.append(time.monotonic_ns() - due_ns)
        if len(late_ns) == last:
            done.set_result(None)

    for after_ms in due_after_ms:
        due_ns = started_ns + after_ms * NS_PER_MS
        # The loop's clock is the same one; rounded up, so that no float makes it early.
        loop.call_at((due_ns + 1_000) / 1e9, note, due_ns)
    await done
    return late_ns


async def _by_shell(load: Deadlines, path: Path) -> list[int]:
    store = await Store.open(path, sync="full")
    clock = Clock()
    started_at_ms = clock.now_ms()
    late_ns: list[int] = []
    finished = asyncio.Event()
    left = len(load.due_after_ms)

    def released(what: Released) -> None:
        nonlocal left
        left -= sum(record.kind == "finished" for record in what.records)
        if not left:
            finished.set()

    processor = Processor(load.plan, now_ms=started_at_ms)
    # When logical time is `origin`: read before the delay, so that lateness is told too high by
    # some nanoseconds and never too low.
    before_ns = time.monotonic_ns()
    origin_ns = before_ns + clock.delay_ns(started_at_ms + WAIT_MS) - WAIT_MS * NS_PER_MS

    def note(due_at_ms: int, _: int) -> None:
        due_ns = origin_ns + (due_at_ms - started_at_ms) * NS_PER_MS
        late_ns.append(time.monotonic_ns() - due_ns)

    processor.on_fired = note
    shell = Shell(processor, store, clock, released)
    working = asyncio.create_task(shell.run())
    await shell.submit(
        [
            EventReceived(f"user-{number}", "Go", at_ms, started_at_ms)
            for number, after_ms in enumerate(load.due_after_ms)
            for at_ms in (started_at_ms + after_ms - WAIT_MS,)
        ]
    )
    await finished.wait()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    await store.close()
    return late_ns


SCENARIOS = (DeadlineLateness(),)
