"""What is due while a process does something else: how late it is, at the p99, over 5 ms.

A scenario of this kind fills an archive, and has something asked for; from the question to its
answer others have deadlines, one each few milliseconds.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from abc import ABC, abstractmethod
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from bench.harness import Run, quantile
from bench.instants import NS_PER_MS
from bench.lateness import by_loop
from bench.shop import WAIT_S
from config import Shop
from engine.core.inputs import EventReceived
from engine.runtime.clock import Clock
from engine.runtime.processor import Processor
from engine.runtime.shell import Shell
from engine.runtime.versions import versions
from engine.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

_T = TypeVar("_T")

CHUNK = 500
GAP_MS = 5
LEAD_MS = 200
PROMISED_NS = 5 * NS_PER_MS
WAIT_MS = WAIT_S * 1_000


class Load(msgspec.Struct, frozen=True):
    """How many events the archive has, and the shop."""

    n: int
    shop: Shop


class Core(msgspec.Struct, frozen=True, eq=False):
    """Shell, ticker, wheel, processor and journal, at work."""

    store: Store
    clock: Clock
    processor: Processor
    shell: Shell


class Meanwhile(ABC):
    """Stands for the p99 of lateness; the reference is what is promised."""

    n = 60_000
    n_small = 1_000
    limit = 1.0
    repetitions = 3

    def reference(self, load: Load) -> Run:
        """What is promised, beside bare timers of the same loop (its laps)."""
        late_ns = asyncio.run(by_loop([LEAD_MS + GAP_MS * number for number in range(200)]))
        return Run(PROMISED_NS / 1e9, (load.n, True), late_ns)

    def ours(self, load: Load) -> Run:
        """The lateness of others' deadlines, and whether the question was answered."""
        with tempfile.TemporaryDirectory() as name:
            late_ns, was_told = asyncio.run(self.run(load, Path(name) / "archive.db"))
        return Run(quantile(sorted(late_ns), 0.99) / 1e9, (load.n, was_told), late_ns)

    @abstractmethod
    async def run(self, load: Load, path: Path) -> tuple[list[int], bool]:
        """Fill the archive, ask, and tell whether the answer was right."""


@asynccontextmanager
async def at_work(shop: Shop, path: Path, did: list[str]) -> AsyncIterator[Core]:
    """A core whose archive has `Seen` of each of these users, in their order."""
    store = await Store.open(path, sync="normal")
    clock = Clock()
    processor = Processor(shop.plan, now_ms=clock.now_ms())
    shell = Shell(processor, store, clock, lambda _: None)
    working = asyncio.create_task(shell.run())
    shell.adopt(shop.plan, shop.content, versions())
    for done in range(0, len(did), CHUNK):
        now_ms = clock.now_ms()
        some = did[done : done + CHUNK]
        await shell.submit([EventReceived(user_id, "Seen", now_ms, now_ms) for user_id in some])
    yield Core(store, clock, processor, shell)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    await store.close()


async def during(core: Core, work: Callable[[], Awaitable[_T]]) -> tuple[list[int], _T]:
    """How late deadlines are that are due while some work is done, and what it gave."""
    late_ns: list[int] = []
    ends = asyncio.Event()
    beside = asyncio.create_task(_deadlines(core, late_ns, ends))
    await asyncio.sleep(LEAD_MS / 1_000)
    given = await work()
    ends.set()
    await beside
    return late_ns, given


async def _deadlines(core: Core, late_ns: list[int], ends: asyncio.Event) -> None:
    """A deadline each `GAP_MS`, of a user of his own, for as long as is asked."""
    clock = core.clock
    before_ns, at_ms = time.monotonic_ns(), clock.now_ms()
    origin_ns = before_ns + clock.delay_ns(at_ms + WAIT_MS) - WAIT_MS * NS_PER_MS

    def note(due_at_ms: int, _: int) -> None:
        late_ns.append(time.monotonic_ns() - origin_ns - (due_at_ms - at_ms) * NS_PER_MS)

    number = 0
    core.processor.on_fired = note
    while not ends.is_set():
        now_ms = clock.now_ms()
        await core.shell.submit(
            [
                EventReceived(f"u-{number + place}", "Go", due_at_ms - WAIT_MS, now_ms)
                for place in range(20)
                for due_at_ms in (now_ms + 30 + GAP_MS * place,)
            ]
        )
        number += 20
        await asyncio.sleep(20 * GAP_MS / 1_000)
    await asyncio.sleep(2 * 20 * GAP_MS / 1_000)
