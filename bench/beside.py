"""A backtest beside a running process, and what is due meanwhile.

The archive holds 60,000 events of 6,000 users. What counts is how late the deadlines of others are
that are due from the question to its answer, at the p99: at most 5 ms.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import msgspec

from bench.explaining import GAP_MS, LEAD_MS, PROMISED_NS, during
from bench.harness import Run, quantile
from bench.lateness import by_loop
from bench.shop import WAITING
from config import Shop, load_shop
from engine.core.inputs import EventReceived
from engine.runtime.beside import Beside
from engine.runtime.clock import Clock
from engine.runtime.errands import Archive, BacktestErrand
from engine.runtime.processor import Processor
from engine.runtime.shell import Shell
from engine.runtime.versions import versions
from engine.store import Store

CHUNK = 500
EACH = 10
DAY_MS = 86_400_000


class Load(msgspec.Struct, frozen=True):
    """How many events there are, and the shop."""

    n: int
    shop: Shop


class BesideLateness:
    """Stands for the p99 of lateness; the reference is what is promised."""

    name = "beside-lateness"
    title = "deadlines while 60,000 events are backtested beside, p99 of lateness; over 5 ms"
    n = 60_000
    n_small = 1_000
    limit = 1.0
    repetitions = 3

    def prepare(self, n: int) -> Load:
        """A shop with a campaign that waits."""
        return Load(n, load_shop({"campaigns/waiting.yaml": WAITING}))

    def reference(self, load: Load) -> Run:
        """What is promised, beside bare timers of the same loop (its laps)."""
        late_ns = asyncio.run(by_loop([LEAD_MS + GAP_MS * number for number in range(200)]))
        return Run(PROMISED_NS / 1e9, (load.n, True), late_ns)

    def ours(self, load: Load) -> Run:
        """Shell, ticker, wheel, core, journal; and the run in a process beside them."""
        with tempfile.TemporaryDirectory() as name:
            late_ns, was_told = asyncio.run(_run_beside(load, Path(name) / "archive.db"))
        return Run(quantile(sorted(late_ns), 0.99) / 1e9, (load.n, was_told), late_ns)


async def _run_beside(load: Load, path: Path) -> tuple[list[int], bool]:
    store = await Store.open(path, sync="normal")
    clock = Clock()
    processor = Processor(load.shop.plan, now_ms=clock.now_ms())
    shell = Shell(processor, store, clock, lambda _: None)
    working = asyncio.create_task(shell.run())
    shell.adopt(load.shop.plan, load.shop.content, versions())
    for done in range(0, load.n, CHUNK):
        now_ms = clock.now_ms()
        await shell.submit(
            [
                EventReceived(f"user-{(done + place) // EACH}", "Seen", now_ms, now_ms)
                for place in range(min(CHUNK, load.n - done))
            ]
        )
    until_ms = clock.now_ms()
    archive = Archive(
        path=str(path), keep_ms=store.keep_ms, from_ms=until_ms - DAY_MS, until_ms=until_ms
    )
    errand = BacktestErrand(content=load.shop.content.decode(), archive=archive)

    async def ask() -> bytes:
        return bytes(await Beside().do(errand, lambda _done, _total: None))

    late_ns, told = await during(ask, shell, processor, clock)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    await store.close()
    return late_ns, msgspec.json.decode(told)["events"] >= load.n


SCENARIOS = (BesideLateness(),)
