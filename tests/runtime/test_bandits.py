"""Weights follow what converts, in virtual time, through restarts, and out of the journal again."""

from __future__ import annotations

from random import Random  # noqa: TID251 - seeded, the same story each time
from typing import TYPE_CHECKING

import msgspec
import pytest

from config import load_shop
from engine.core.inputs import EMPTY, EventReceived, UsersMerged, WeightsDrawn
from engine.runtime.bandits import EVERY_MS, SHARE_MIN, shares
from engine.runtime.clock import Clock
from engine.runtime.restart import restart
from engine.sim.exported import decode_lines
from engine.sim.exporting import export
from engine.sim.replaying import Replay
from engine.sim.simulate import Simulation
from engine.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from config import Shop
    from engine.core.effects import Record
    from engine.runtime.processor import Processor

START_MS = 1_767_225_600_000
MINUTE_MS = 60_000
RATES = {"a": 0.05, "b": 0.3}

CAMPAIGN = """campaign: c
enter: {event: Go}
goal: {event: Bought, within: 1h}
steps:
  - split:
      name: copy
      mode: bandit
      variants:
        a: {}
        b: {}
  - {wait: 30m, id: half-an-hour}
"""


def shop(text: str = CAMPAIGN) -> Shop:
    return load_shop({"hairspring.toml": "", "campaigns/c.yaml": text})


class Shoppers:
    """One a minute, who buys some minutes later, as often as his variant has people do."""

    def __init__(self, processor: Processor, count: int, seed: int = 7) -> None:
        self._processor = processor
        self._count = count
        self._random = Random(seed)

    def events(self) -> Iterator[EventReceived]:
        for number in range(self._count):
            at_ms = START_MS + number * MINUTE_MS
            user_id = f"user-{number}"
            yield EventReceived(user_id, "Go", at_ms, at_ms)
            variant = self._processor.users[user_id].drawn["c\ncopy"]
            if self._random.random() < RATES[variant]:
                yield EventReceived(user_id, "Bought", at_ms + 1, at_ms + 1)


def exposures(records: list[Record]) -> list[tuple[int, str]]:
    return [(one.at_ms, one.variant) for one in records if one.kind == "branched"]


def run(count: int) -> tuple[list[Record], Simulation]:
    simulation = Simulation(shop().plan)
    told = simulation.run(Shoppers(simulation.processor, count).events())
    return [record for released in told for record in released.records], simulation


def test_a_bandit_comes_to_show_what_converts() -> None:
    records, simulation = run(1_500)
    shown = exposures(records)
    first = [variant for at_ms, variant in shown if at_ms < START_MS + EVERY_MS]
    last = [variant for _, variant in shown[-600:]]
    assert 15 < first.count("a") < 45
    assert last.count("b") > 0.9 * len(last)
    assert last.count("a") > 0  # it is still tried
    weights = simulation.processor.plan.weights["c\ncopy"]
    assert weights["b"] > 0.9
    assert weights["a"] >= SHARE_MIN / 2


def test_the_same_events_give_the_same_records() -> None:
    assert run(300)[0] == run(300)[0]


def test_nobody_moves_as_weights_do() -> None:
    simulation = Simulation(shop().plan)
    list(simulation.run(Shoppers(simulation.processor, 400).events()))
    users = simulation.processor.users
    before = {user_id: user.drawn["c\ncopy"] for user_id, user in users.items()}
    at_ms = simulation.processor.now_ms + EVERY_MS
    again = [EventReceived(user_id, "Go", at_ms, at_ms) for user_id in before]
    records = [one for released in simulation.run(again) for one in released.records]
    assert {one.user_id: one.variant for one in records if one.kind == "branched"} == before


def test_weights_are_drawn_where_visitors_turn_out_to_be_customers() -> None:
    simulation = Simulation(shop().plan)
    events = [EventReceived(user_id, "Go", START_MS, START_MS) for user_id in ("ada", "device")]
    joined = UsersMerged("ada", START_MS, START_MS, EMPTY, merged_id="device", is_alias=True)
    list(simulation.run([*events, joined]))
    assert simulation.processor.plan.weights["c\ncopy"] != {}


def test_shares_are_how_often_an_arm_comes_out_best() -> None:
    even = shares({"a": (0, 0), "b": (0, 0)}, "seed")
    assert even["a"] == pytest.approx(0.5, abs=0.1)
    clear = shares({"a": (1_000, 10), "b": (1_000, 500), "c": (1_000, 20)}, "seed")
    assert clear == pytest.approx({"a": 0.0098, "b": 0.98, "c": 0.0098}, abs=0.001)
    assert sum(clear.values()) == pytest.approx(1)
    assert shares({"a": (9, 3), "b": (9, 4)}, "x") == shares({"a": (9, 3), "b": (9, 4)}, "x")
    assert shares({"a": (9, 3), "b": (9, 4)}, "x") != shares({"a": (9, 3), "b": (9, 4)}, "y")


def test_weights_of_other_variants_than_those_in_force_are_not_used() -> None:
    simulation = Simulation(shop().plan)
    list(simulation.run(Shoppers(simulation.processor, 600).events()))
    processor = simulation.processor
    assert set(processor.plan.weights["c\ncopy"]) == {"a", "b"}
    at_ms = processor.now_ms + 1
    processor.adopt(
        shop(CAMPAIGN.replace("        b: {}", "        b: {}\n        d: {}")).plan, at_ms
    )
    for number in range(90):
        processor.take(EventReceived(f"new-{number}", "Go", at_ms, at_ms), at_ms)
    batch = processor.begin(at_ms)
    assert batch is not None
    shown = [variant for _, variant in exposures(batch.records)]
    assert all(15 < shown.count(variant) < 45 for variant in "abd")


class Life:
    """A live run on a store: a shopper a minute, over restarts that lose what was not committed."""

    def __init__(self, path: Path, keep_ms: int) -> None:
        self._path = path
        self._keep_ms = keep_ms
        self._random = Random(3)
        self.now_ms = START_MS
        self.records: list[Record] = []

    async def live(self, *, hours: int) -> list[bytes]:
        """Live so long, and export it."""
        store = await Store.open(self._path, sync="normal", keep_ms=self._keep_ms)
        for _ in range(hours):
            self._processor = (await restart(shop(), store, lambda _: None, self._clock)).processor
            for _ in range(60):
                self.now_ms += MINUTE_MS
                self._processor.advance(self.now_ms)
                self._shop()
                await self._commit(store)
            self._shop()  # what nobody acknowledged is gone with the process
        self._processor = (await restart(shop(), store, lambda _: None, self._clock)).processor
        await self._commit(store)
        written: list[bytes] = []
        await export(store, written.append, lambda _done, _total: None)
        await store.close()
        return b"".join(written).splitlines()

    def _clock(self, last_at_ms: int) -> Clock:
        at_ns = self.now_ms * 1_000_000
        return Clock(last_at_ms, wall_ns=lambda: at_ns, monotonic_ns=lambda: 0)

    def _shop(self) -> None:
        user_id = f"user-{self._random.randrange(10**9)}"
        self._processor.take(EventReceived(user_id, "Go", self.now_ms, self.now_ms), self.now_ms)
        variant = self._processor.users[user_id].drawn["c\ncopy"]
        if self._random.random() < RATES[variant]:
            bought = EventReceived(user_id, "Bought", self.now_ms, self.now_ms)
            self._processor.take(bought, self.now_ms)

    async def _commit(self, store: Store) -> None:
        batch = self._processor.begin(self.now_ms)
        if batch is not None:
            await store.commit(batch)
            self.records += self._processor.finish(batch).records
        while await store.keep_archive(self.now_ms):
            pass
        while await store.prune(self.now_ms):
            pass


def run_again(lines: list[bytes]) -> Replay:
    replay = Replay()
    for _ in replay.run(decode_lines(lines, "run")):
        pass
    return replay


def weights_in(lines: list[bytes], kind: bytes) -> list[WeightsDrawn]:
    return [
        msgspec.convert(msgspec.json.decode(line)["input"], WeightsDrawn)
        for line in lines
        if line.startswith(b'{"type":"%s"' % kind) and b'{"type":"weights"' in line
    ]


async def test_a_live_run_goes_on_counting_after_restarts_and_comes_out_again(
    tmp_path: Path,
) -> None:
    life = Life(tmp_path / "hairspring.db", keep_ms=30 * 24 * EVERY_MS)
    lines = await life.live(hours=10)
    drawn = weights_in(lines, b"input")
    assert len(drawn) == 10
    assert drawn[-1].weights["b"] > drawn[0].weights["a"]
    late = [variant for _, variant in exposures(life.records)[-120:]]
    assert late.count("b") > 90
    found = run_again(lines).comparison
    assert (found.different, found.shown) == (0, [])
    assert found.records > 600
    # By the weights that it began with it is another story.
    bare = [line for line in lines if b'{"type":"weights"' not in line]
    assert run_again(bare).comparison.different > 0


async def test_a_cut_archive_begins_with_the_weights_of_then(tmp_path: Path) -> None:
    life = Life(tmp_path / "hairspring.db", keep_ms=3 * EVERY_MS)
    lines = await life.live(hours=12)
    assert msgspec.json.decode(lines[0])["exact_from_ms"] > START_MS
    before, after = weights_in(lines, b"change"), weights_in(lines, b"input")
    assert 1 <= len(before) < 8  # those before the cut that something came after are gone
    assert after
    found = run_again(lines).comparison
    assert (found.different, found.shown) == (0, [])
    bare = [
        line for line in lines if not line.startswith(b'{"type":"change"') or b"weights" not in line
    ]
    assert run_again(bare).comparison.different > 0
