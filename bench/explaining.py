"""`explain` of a user with a long archive, and what is due meanwhile.

One user did 60,000 things, which the process kept; he is asked about as of an instant in the midst,
so that he is lived through again from the archive. What counts is how late the deadlines of others
are that are due from the question to its answer, at the p99: at most 5 ms.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from bench.harness import Run, quantile
from bench.instants import NS_PER_MS
from bench.lateness import by_loop
from bench.shop import WAIT_S, WAITING
from config import Shop, load_shop
from engine.core.inputs import EventReceived
from engine.runtime.admin.explaining import Explaining
from engine.runtime.clock import Clock
from engine.runtime.processor import Processor
from engine.runtime.shell import Shell
from engine.runtime.versions import versions
from engine.store import Store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from engine.runtime.admin.explaining import Explanation

_T = TypeVar("_T")

CHUNK = 500
GAP_MS = 5
QUESTIONS = 3
LEAD_MS = 200
PROMISED_NS = 5 * NS_PER_MS
WAIT_MS = WAIT_S * 1_000

_ASKED = """
campaign: asked
enter: {event: Seen, when: 'count("Seen", "7d") >= 100000'}
exit: {when: 'idle("30d")'}
steps: [{exit: done}]
"""


class Load(msgspec.Struct, frozen=True):
    """How many things he did, and the shop."""

    n: int
    shop: Shop


class ExplainLateness:
    """Stands for the p99 of lateness; the reference is what is promised."""

    name = "explain-lateness"
    title = "deadlines while a user of 60,000 events is explained, p99 of lateness; over 5 ms"
    n = 60_000
    n_small = 1_000
    limit = 1.0
    repetitions = 3

    def prepare(self, n: int) -> Load:
        """A shop that asks how often he did it."""
        files = {"campaigns/waiting.yaml": WAITING, "campaigns/asked.yaml": _ASKED}
        return Load(n, load_shop(files))

    def reference(self, load: Load) -> Run:
        """What is promised, beside bare timers of the same loop (its laps)."""
        late_ns = asyncio.run(by_loop([LEAD_MS + GAP_MS * number for number in range(200)]))
        return Run(PROMISED_NS / 1e9, (load.n, True), late_ns)

    def ours(self, load: Load) -> Run:
        """Shell, ticker, wheel, core, journal; and the archive on threads beside them."""
        with tempfile.TemporaryDirectory() as name:
            late_ns, was_told = asyncio.run(_asked(load, Path(name) / "explained.db"))
        return Run(quantile(sorted(late_ns), 0.99) / 1e9, (load.n, was_told), late_ns)


async def _asked(load: Load, path: Path) -> tuple[list[int], bool]:
    store = await Store.open(path, sync="normal")
    clock = Clock()
    processor = Processor(load.shop.plan, now_ms=clock.now_ms())
    shell = Shell(processor, store, clock, lambda _: None)
    working = asyncio.create_task(shell.run())
    shell.adopt(load.shop.plan, load.shop.content, versions())
    done = 0
    while done < load.n:
        now_ms = clock.now_ms()
        count = min(CHUNK, load.n - done)
        await shell.submit([EventReceived("long", "Seen", now_ms, now_ms) for _ in range(count)])
        done += count
    asked_at_ms = clock.now_ms()
    explaining = Explaining.running(store, processor)

    async def ask() -> list[Explanation]:
        return [
            await explaining.explain("long", "asked", now_ms=processor.now_ms, at_ms=asked_at_ms)
            for _ in range(QUESTIONS)
        ]

    late_ns, told = await during(ask, shell, processor, clock)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    await store.close()
    return late_ns, all(one.verdict is not None for one in told)


async def during(
    work: Callable[[], Awaitable[_T]], shell: Shell, processor: Processor, clock: Clock
) -> tuple[list[int], _T]:
    """How late deadlines are that are due while some work is done, and what it gave."""
    late_ns: list[int] = []
    ends = asyncio.Event()
    beside = asyncio.create_task(_deadlines(shell, processor, clock, late_ns, ends))
    await asyncio.sleep(LEAD_MS / 1_000)
    given = await work()
    ends.set()
    await beside
    return late_ns, given


async def _deadlines(
    shell: Shell,
    processor: Processor,
    clock: Clock,
    late_ns: list[int],
    ends: asyncio.Event,
) -> None:
    """A deadline each `GAP_MS`, of a user of his own, for as long as is asked."""
    before_ns, at_ms = time.monotonic_ns(), clock.now_ms()
    origin_ns = before_ns + clock.delay_ns(at_ms + WAIT_MS) - WAIT_MS * NS_PER_MS

    def note(due_at_ms: int, _: int) -> None:
        late_ns.append(time.monotonic_ns() - origin_ns - (due_at_ms - at_ms) * NS_PER_MS)

    number = 0
    processor.on_fired = note
    while not ends.is_set():
        now_ms = clock.now_ms()
        await shell.submit(
            [
                EventReceived(f"u-{number + place}", "Go", due_at_ms - WAIT_MS, now_ms)
                for place in range(20)
                for due_at_ms in (now_ms + 30 + GAP_MS * place,)
            ]
        )
        number += 20
        await asyncio.sleep(20 * GAP_MS / 1_000)
    await asyncio.sleep(2 * 20 * GAP_MS / 1_000)


SCENARIOS = (ExplainLateness(),)
