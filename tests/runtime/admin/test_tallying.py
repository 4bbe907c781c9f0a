"""What is counted as it happens is what the records come to, through restarts and erasures."""

from __future__ import annotations

from random import Random  # noqa: TID251 - seeded, the same life each time
from typing import TYPE_CHECKING, Any

import pytest

from config import load_shop
from engine.core.inputs import EventReceived
from engine.core.reports.tallies import LATE, Tallies
from engine.runtime.admin.census import Census, count_standing, steps_of
from engine.runtime.admin.performance import Performance
from engine.runtime.admin.tallying import Tallying
from engine.runtime.restart import bring_back
from engine.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from engine.core.reports.tallies import Key
    from engine.runtime.processor import Processor

HOUR = 3_600_000
START_MS = 1_767_225_600_000

CAMPAIGN = """
campaign: c
enter: {event: Go, reentry: 3h}
exit: {event: Left}
goal: {event: Bought, value: event.total, within: 5h}
holdout: 20%
steps:
  - split:
      name: copy
      variants:
        a: {weight: 1, steps: [{send: in_app, template: t, id: first}]}
        b: {weight: 1, steps: []}
  - split: {name: tone, variants: {x: {weight: 1}, y: {weight: 2}}}
  - {wait: 40m, id: pause}
  - if: 'event.total > 50'
    then: [{send: email, template: t, id: mail}]
  - {wait: 2h, id: rest}
"""
SHOP = {
    "hairspring.toml": "",
    "campaigns/c.yaml": CAMPAIGN,
    "campaigns/d.yaml": "campaign: d\nenter: {event: Go, reentry: never}\n"
    "steps: [{send: in_app, template: t, id: only}]\n",
    "templates/t.in_app.liquid": "Hello",
    "templates/t.email.liquid": "---\nsubject: Hello\n---\nHello",
}


class Life:
    """A process that is started and killed again and again on one database."""

    def __init__(self, path: Path, seed: int) -> None:
        self.path = path
        self.random = Random(seed)
        self.now_ms = START_MS
        self.shop = load_shop(SHOP)
        self.store: Store
        self.processor: Processor
        self.tallying: Tallying
        self.refused = 0

    async def start(self) -> None:
        self.store = await Store.open(self.path, sync="normal")
        recovered = await self.store.recover(HOUR)
        self.processor, _ = bring_back(self.shop, recovered)
        self.tallying = Tallying(self.store, self.processor)
        await self.tallying.open()

    async def step(self) -> None:
        """Something happens, or time goes by; then it is committed and let out."""
        self.now_ms += self.random.choice((1_000, 60_000, 20 * 60_000))
        self.processor.advance(self.now_ms)
        for _ in range(self.random.randrange(4)):
            name = self.random.choice(("Go", "Go", "Bought", "Left"))
            total = self.random.randrange(100)
            self.processor.take(
                EventReceived(
                    f"u{self.random.randrange(12)}",
                    name,
                    self.now_ms,
                    self.now_ms,
                    f'{{"total": {total}}}'.encode(),  # type: ignore[arg-type]
                ),
                self.now_ms,
            )
        await self.commit()

    async def commit(self) -> None:
        batch = self.processor.begin(self.now_ms)
        if batch is not None:
            await self.store.commit(batch)
            released = self.processor.finish(batch)
            self.refused += sum(one.kind == "refused" for one in released.records)
            self.tallying.released(released)

    async def recounted(self) -> dict[str, dict[Key, float]]:
        """As a process counts that finds nothing counted."""
        anew = Tallying(self.store, self.processor)
        anew._newest = self.tallying._newest
        await anew.catch_up()
        return counted(anew.tallies)


def counted(tallies: Tallies) -> dict[str, dict[Key, float]]:
    """All but refusals, which are in no table, and lateness, which no record has."""
    tallies.fold()
    told = {
        name: {
            key: count for key, count in tally.total().items() if key.kind not in {"refused", LATE}
        }
        for name, tally in tallies.campaigns.items()
    }
    return {name: counts for name, counts in told.items() if counts}


@pytest.mark.parametrize("seed", range(6))
async def test_what_was_counted_is_what_the_records_come_to(tmp_path: Path, seed: int) -> None:
    life = Life(tmp_path / "db", seed)
    await life.start()
    for _ in range(80):
        for _ in range(life.random.randrange(3)):
            await life.step()
        match life.random.randrange(8):
            case 0:
                await life.tallying.save()
            case 1:  # killed, with whatever was saved last
                await life.store.close()
                await life.start()
            case 2:
                await life.tallying.catch_up()
            case _:
                pass
    await life.tallying.catch_up()
    assert life.tallying.behind == 0
    found = counted(life.tallying.tallies)
    assert found["c"]
    assert found == await life.recounted()
    for tally in life.tallying.tallies.campaigns.values():
        summed: dict[Any, float] = {}
        for hour in tally.hours:
            for key, count in tally.hour(hour).items():
                summed[key] = summed.get(key, 0) + count
        assert summed == pytest.approx(tally.total())
    await life.store.close()


async def test_refusals_are_counted_too_and_kept_with_what_is_saved(tmp_path: Path) -> None:
    life = Life(tmp_path / "db", 4)
    await life.start()
    for _ in range(30):
        await life.step()
    assert life.refused > 3
    await life.tallying.save()
    await life.store.close()
    await life.start()
    tally = life.tallying.tallies.campaigns["d"].total()
    other = life.tallying.tallies.campaigns["c"].total()
    refused = [n for counts in (tally, other) for key, n in counts.items() if key.kind == "refused"]
    assert sum(refused) == life.refused
    await life.store.close()


async def test_who_is_erased_stays_counted(tmp_path: Path) -> None:
    life = Life(tmp_path / "db", 5)
    await life.start()
    for _ in range(30):
        await life.step()
    before = counted(life.tallying.tallies)
    await life.store.transact(lambda c: c.execute("DELETE FROM records").rowcount)
    await life.tallying.save()
    await life.store.close()
    await life.start()
    await life.tallying.catch_up()
    assert counted(life.tallying.tallies) == before
    await life.store.close()


async def test_hours_go_once_records_would_and_the_total_stays(tmp_path: Path) -> None:
    life = Life(tmp_path / "db", 6)
    await life.start()
    for _ in range(10):
        await life.step()
    await life.tallying.save()
    total = counted(life.tallying.tallies)
    life.now_ms += life.store.keep_ms + 2 * HOUR
    life.processor.advance(life.now_ms)
    await life.commit()
    await life.step()
    await life.tallying.save()
    tally = life.tallying.tallies.campaigns["c"]
    assert min(tally.hours) * HOUR > START_MS + HOUR
    assert sum(tally.total().values()) >= sum(total["c"].values())
    await life.store.close()
    await life.start()
    assert sorted(life.tallying.tallies.campaigns["c"].hours) == sorted(tally.hours)
    await life.store.close()


async def test_the_census_tells_who_waits_where_as_the_state_has_it(tmp_path: Path) -> None:
    life = Life(tmp_path / "db", 7)
    await life.start()
    for _ in range(40):
        await life.step()
    census = Census(life.processor)
    standings = await census.take()
    known = {}
    count_standing(life.processor.users.values(), steps_of(life.processor.plan), known)
    assert standings == known
    assert sum(standings["c"].waiting.values()) == standings["c"].active > 0
    assert standings["c"].waiting.keys() <= {"pause", "rest"}
    active = sum(len(user.enrollments) for user in life.processor.users.values())
    assert sum(one.active for one in standings.values()) == active
    counts = life.tallying.tallies
    counts.fold()
    told = Performance(
        life.processor.plan, counts, standings, now_ms=life.now_ms, costs={}, currency="USD"
    ).campaign("c")
    assert told is not None
    gone = sum(told["exited"].values()) + told["finished"]
    assert told["entered"] - gone == told["active"]
    steps = {step["id"]: step for step in told["steps"]}
    assert steps["pause"]["reached"] == told["entered"]
    assert told["factorial"]["cells"]
    assert sum(cell["entered"] for cell in told["factorial"]["cells"]) == (
        told["entered"] - told["held_out"]
    )
    await life.store.close()
