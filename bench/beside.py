"""A backtest beside a running process, and what is due meanwhile.

The archive holds 60,000 events of 6,000 users, and the run is in a process of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from bench.meanwhile import Load, Meanwhile, at_work, during
from bench.shop import WAITING
from config import load_shop
from engine.runtime.beside import Beside
from engine.runtime.errands import Archive, BacktestErrand

if TYPE_CHECKING:
    from pathlib import Path

EACH = 10
DAY_MS = 86_400_000


class BesideLateness(Meanwhile):
    """While a campaign is tried on the past."""

    name = "beside-lateness"
    title = "deadlines while 60,000 events are backtested beside, p99 of lateness; over 5 ms"

    def prepare(self, n: int) -> Load:
        """A shop with a campaign that waits."""
        return Load(n, load_shop({"campaigns/waiting.yaml": WAITING}))

    @override
    async def run(self, load: Load, path: Path) -> tuple[list[int], bool]:
        did = [f"user-{number // EACH}" for number in range(load.n)]
        async with at_work(load.shop, path, did) as core:
            until_ms, keep_ms = core.clock.now_ms(), core.store.keep_ms
            from_ms = until_ms - DAY_MS
            archive = Archive(path=str(path), keep_ms=keep_ms, from_ms=from_ms, until_ms=until_ms)
            errand = BacktestErrand(content=load.shop.content.decode(), archive=archive)

            async def ask() -> bytes:
                return bytes(await Beside().do(errand, lambda _done, _total: None))

            late_ns, told = await during(core, ask)
        return late_ns, msgspec.json.decode(told)["events"] >= load.n


SCENARIOS = (BesideLateness(),)
