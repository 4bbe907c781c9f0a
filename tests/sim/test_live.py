"""What `simulate` says of a golden script, the live process says too, byte for byte.

The live side is what `serve` drives: a store, a start on what the last run left, batches that are
committed, messages that are answered; with a clock that stands where the script says. It is killed
and started again in the midst.
"""

from __future__ import annotations

import json
from random import Random  # noqa: TID251 - seeded, and the seed is in the name of the test
from typing import TYPE_CHECKING, Any

import pytest

from config import Shop, load_shop
from engine.core.inputs import DeliveryReported
from engine.core.instants import format_instant, parse_instant_ms
from engine.core.reports.records import record_line
from engine.runtime.clock import Clock
from engine.runtime.restart import restart
from engine.runtime.versions import versions
from engine.sim.exporting import export
from engine.sim.ordering import in_order
from engine.sim.reading import Reading
from engine.sim.run import Options, run_shop
from engine.sim.simulate import AFTER_LAST_MAX_MS
from engine.sim.sources import open_events
from engine.store import Store
from tests.sim.scripts import (
    GOLDEN,
    SCRIPTS,
    event_line,
    files_of,
    parts_of,
    reloaded,
    reloads_of,
    run_reloaded,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from engine.core.effects import Record
    from engine.core.inputs import UserInput
    from engine.runtime.processor import Processor

EVERYTHING = GOLDEN / "everything-at-once.txt"
NAMES = [
    *(
        "Page Viewed",
        "Product Viewed",
        "Product Added to Wishlist",
        "Product Removed from Wishlist",
    ),
    *("Product Added", "Order Completed", "Cart Cleared", "Page Viewed", "Product Viewed"),
]
LIVE = [script for script in SCRIPTS if "=== options" not in script.read_text()]


class Life:
    """A process with a clock that stands still until it is told what time it is."""

    def __init__(
        self, shop: Shop, path: Path, seed: int, reloads: dict[int, Shop] | None = None
    ) -> None:
        self.shop = shop
        self.reloads = dict(reloads or {})
        self.path = path
        self.random = Random(seed)
        self.records: list[Record] = []
        self.now_ms = 0
        self.store: Store
        self.processor: Processor

    async def start(self) -> None:
        self.store = await Store.open(self.path, sync="normal")
        started = await restart(self.shop, self.store, lambda _: None, self._clock)
        self.processor = started.processor

    def _clock(self, last_at_ms: int) -> Clock:
        at_ns = max(self.now_ms, last_at_ms) * 1_000_000
        return Clock(last_at_ms, wall_ns=lambda: at_ns, monotonic_ns=lambda: 0)

    async def live(self, inputs: Iterable[UserInput]) -> None:
        for happened in inputs:
            at_ms: int = happened.received_at_ms  # type: ignore[union-attr]
            self.now_ms = self.now_ms or at_ms - 1
            if not hasattr(self, "processor"):
                await self.start()
            await self.reload(at_ms)
            await self.pass_time(at_ms)
            self.processor.take(happened, at_ms)
            await self.commit()
            if self.random.random() < 0.2:
                await self.store.close()
                await self.start()
        last_ms = self.now_ms
        await self.reload(last_ms + AFTER_LAST_MAX_MS)
        await self.pass_time(last_ms + AFTER_LAST_MAX_MS)

    async def reload(self, until_ms: int) -> None:
        """Take on the shops that come by then."""
        while self.reloads and (at_ms := min(self.reloads)) <= until_ms:
            await self.pass_time(at_ms)
            self.shop = self.reloads.pop(at_ms)
            self.processor.adopt(self.shop.plan, at_ms, self.shop.content, versions())
            while self.processor.sweep():
                pass
            await self.commit()

    async def pass_time(self, until_ms: int) -> None:
        """Let each deadline fire at its instant, and time go on to the end of it."""
        while (due_at_ms := self.processor.wake_at_ms) <= until_ms:
            self.now_ms = due_at_ms
            self.processor.advance(due_at_ms)
            await self.commit()
        self.now_ms = until_ms

    async def commit(self) -> None:
        """What is let out once it is durable; its messages are answered at this very instant."""
        while (batch := self.processor.begin(self.processor.now_ms)) is not None:
            await self.store.commit(batch)
            released = self.processor.finish(batch)
            self.records += released.records
            for _, message in released.messages:
                reason = self.processor.verdict(message, self.processor.now_ms)
                if reason is not None:
                    outcome = "cancelled" if reason else "delivered"
                    report = DeliveryReported(message.user_id, message.id, outcome, reason)
                    self.processor.take(report, self.processor.now_ms)


def simulate(
    script: Path, folder: Path, lines: list[str] | None = None
) -> tuple[Shop, str, list[bytes]]:
    """The shop of a script, its events (or others) as a file, and the records made of them."""
    parts = parts_of(script.read_text())
    shop = load_shop(files_of(parts))
    events = folder / "events.ndjson"
    happened = parts["events"].splitlines() if lines is None else lines
    events.write_text("\n".join(map(event_line, happened)))
    blocks: list[bytes] = []
    with open_events(str(events)) as source:
        if reloads := reloads_of(parts):
            run_reloaded(files_of(parts), reloads, source, Options(), blocks.append)
        else:
            run_shop(shop, source, options=Options(), write=blocks.append)
    return shop, str(events), b"".join(blocks).splitlines(keepends=True)


def shops_to_come(script: Path) -> dict[int, Shop]:
    """What the shop is reloaded to, by instant."""
    parts = parts_of(script.read_text())
    files, shops = files_of(parts), dict[int, Shop]()
    for at_ms, changed in reloads_of(parts).items():
        files = reloaded(files, changed)
        shops[at_ms] = load_shop(files)
    return shops


def by_user(lines: Iterable[bytes]) -> list[bytes]:
    """Between users of one instant there is no order that means anything."""
    return sorted(lines, key=lambda line: line.split(b'"user_id":', 1)[1].split(b",", 1)[0])


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("script", LIVE, ids=lambda script: script.stem)
async def test_the_live_process_says_what_simulate_says(
    script: Path, seed: int, tmp_path: Path
) -> None:
    shop, events, simulated = simulate(script, tmp_path)
    await says_the_same(shop, events, simulated, seed, tmp_path, shops_to_come(script))


@pytest.mark.parametrize("seed", range(6))
async def test_the_live_process_says_what_simulate_says_of_any_history(
    seed: int, tmp_path: Path
) -> None:
    """Sessions, segments, scores, collections, merges, late and doubled events in one shop."""
    lines = history(Random(seed))
    shop, events, simulated = simulate(EVERYTHING, tmp_path, lines)
    assert len(simulated) > len(lines) // 4
    await says_the_same(shop, events, simulated, seed, tmp_path)


def history(random: Random) -> list[str]:
    """Some days around the night in which Berlin's clocks are set, as lines of a script."""
    lines: list[str] = []
    at_ms = parse_instant_ms("2026-10-23T20:00:00Z")
    for number in range(random.randint(60, 120)):
        at_ms += random.choice(
            [0, 0, 1, 60_000, 300_000, 1_199_999, 1_200_000, 2_700_000, 7_200_000]
        )
        user, product = random.choice(["ada", "bob", "cy"]), random.choice("pqr")
        item: dict[str, Any] = {"user_id": user, "timestamp": format_instant(at_ms)}
        match random.randrange(12):
            case 0:
                item |= {"type": "identify", "traits": {"plan": random.choice(["gold", "tin"])}}
            case 1:
                item |= {"type": "score", "model": "churn", "score": random.choice([0.2, 0.5, 0.9])}
            case 2 if number > 30:
                item |= {"type": "alias", "previousId": f"{user}-{random.choice('xy')}"}
            case _:
                name = random.choice(NAMES)
                total = random.choice([5, 11, 60, 101])
                said = {"product_id": product, "price": 30, "total": total, "name": "Home"}
                item |= {"event": name, "properties": said, "message_id": f"m{number}"}
                item["user_id"] = random.choice([user, user, f"{user}-x", f"{user}-y"])
                if random.random() < 0.15:
                    late_ms = random.choice([1, 60_000, 1_200_000, 9_000_000])
                    item["received_at"] = item["timestamp"]
                    item["timestamp"] = format_instant(at_ms - late_ms)
        lines += [json.dumps(item)] * random.choice([1, 1, 1, 1, 2])
    return lines


async def says_the_same(
    shop: Shop,
    events: str,
    simulated: list[bytes],
    seed: int,
    tmp_path: Path,
    reloads: dict[int, Shop] | None = None,
) -> None:
    life = Life(shop, tmp_path / "hairspring.db", seed, reloads)
    with open_events(events) as source:
        await life.live(in_order(source.inputs(Reading("events"), {})))
    assert by_user(map(record_line, life.records)) == by_user(simulated)

    journal = tmp_path / "journal.ndjson"
    written: list[bytes] = []
    await export(life.store, written.append, lambda _done, _total: None)
    await life.store.close()
    journal.write_bytes(b"".join(written))
    with open_events(str(journal)) as source:
        replayed = run_shop(life.shop, source, options=Options()).replayed
    assert replayed is not None
    assert (replayed.different, replayed.shown) == (0, [])
    assert replayed.inputs > 0
