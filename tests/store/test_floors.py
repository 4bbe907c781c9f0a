"""A floor and the archive above it give everybody as he is: a naive run has seen all events."""

from __future__ import annotations

from random import Random  # noqa: TID251 - seeded, and the seed is in the name of the test
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import to_builtins

from engine.core.inputs import Input, InputErased, decode_inputs
from engine.core.plan import Plan
from engine.core.state import decode_user, encode_user
from engine.runtime import saving
from engine.runtime.dedupe import Dedupe
from engine.runtime.erasing import erase_at_rest, finish_erasures
from engine.runtime.processor import Processor
from engine.store import CommitFailed, Store, erasure, floors, holdings
from engine.store.floors import Floor, floors_before
from tests.core.world import START
from tests.model.scripts import UNIT, compiled, make_rules, make_script, make_shop, policy
from tests.runtime.crashing import DEDUPE_WINDOW_MS, apply, instants

if TYPE_CHECKING:
    from pathlib import Path

USERS = ("u1", "u2", "u3")
KEEP = 40 * UNIT


class Run:
    """A process that keeps an archive, and whoever wants to know what it was like."""

    def __init__(self, store: Store, plan: Plan) -> None:
        self.store = store
        self.plan = plan
        self.processor = Processor(
            plan, now_ms=START, dedupe=Dedupe(DEDUPE_WINDOW_MS, 1_000), max_replay=50
        )
        self.inputs: list[tuple[int, Input]] = []

    async def commit(self) -> None:
        batch = self.processor.begin(self.processor.now_ms)
        if batch is not None:
            await self.store.commit(batch)
            self.processor.finish(batch)
            numbered = enumerate(decode_inputs(batch.inputs), start=batch.first_input)
            self.inputs += numbered

    async def restart(self) -> None:
        """A kill: what was not committed is gone, and all of the archive's work under way."""
        self.store.floors = floors.Floors()
        recovered = await self.store.recover(DEDUPE_WINDOW_MS)
        processor = Processor(
            self.plan,
            recovered.users,
            now_ms=recovered.last_at_ms,
            next_input=recovered.next_input,
            next_message=recovered.next_message,
            next_batch=recovered.next_batch,
            log=recovered.log,
            dedupe=self.processor.dedupe,
            max_replay=50,
        )
        processor.replay(recovered.tail)
        self.processor = processor

    async def floor(self, user_id: str) -> Floor | None:
        """The archive's own: the newest that is old enough, else the oldest there is."""
        now_ms = self.processor.now_ms
        found = await self.store.read(lambda c: floors_before(c, user_id, now_ms, now_ms - KEEP))
        return found[-1] if found else None

    async def replayed(self, gone: str = "") -> dict[str, Any]:
        """Everybody as the archive alone gives him."""
        rows = await self.store.read(
            lambda c: c.execute(
                "SELECT first_input, inputs FROM journal ORDER BY first_input"
            ).fetchall()
        )
        found = {user_id: await self.floor(user_id) for user_id in USERS}
        some = found["u2"]
        assert some is not None
        if gone:
            assert (await self.floor(gone)).state is None
        tail = [
            (number, one)
            for first, lines in rows
            for number, one in enumerate(decode_inputs(lines), start=first)
            if number >= some.from_input
        ]
        assert [number for number, _ in tail] == [
            number for number, _ in self.inputs if number >= some.from_input
        ], "an input is missing above the floor"
        users = {
            user_id: decode_user(floor.state)
            for user_id, floor in found.items()
            if floor is not None and floor.state is not None
        }
        return self._end(Processor(self.plan, users, now_ms=START), tail)

    def naive(self) -> dict[str, Any]:
        return self._end(Processor(self.plan, now_ms=START), self.inputs)

    def _end(self, processor: Processor, tail: list[tuple[int, Input]]) -> dict[str, Any]:
        processor.replay(tail)
        processor.advance(self.processor.now_ms)
        return {
            name: to_builtins(decode_user(encode_user(user)))
            for name, user in processor.users.items()
        }


def live(run: Run) -> dict[str, Any]:
    users = run.processor.users
    return {name: to_builtins(decode_user(encode_user(user))) for name, user in users.items()}


async def open_run(path: Path, pick: Any) -> tuple[Run, Any]:
    shop, rules, script = make_shop(pick), make_rules(pick), make_script(pick, range(60, 90))
    store = await Store.open(path, sync="normal", keep_ms=KEEP)
    return Run(store, Plan("p", [compiled(one) for one in shop], policy(rules))), script


@pytest.mark.parametrize("seed", range(30))
async def test_the_floor_and_what_is_above_it_are_the_users_of_a_run_that_saw_everything(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(floors, "SLICE_USERS", 1)
    monkeypatch.setattr(saving, "LOG_BYTES_MAX", 2_000)
    pick = Random(seed).choice
    run, script = await open_run(tmp_path / "f.db", pick)
    gone = 0
    for one, (before, now) in zip(script, instants(script), strict=True):
        apply(run.processor, one, before, now)
        # Slices, commits and kills come in any order.
        for _ in range(pick((0, 1, 2))):
            await run.store.keep_archive(run.processor.now_ms)
        if pick((True, True, False)):
            await run.commit()
        if pick((True, False, False)):
            await run.store.prune(run.processor.now_ms)
        if pick((True, *[False] * 20)):
            await run.restart()
    await run.commit()
    while await run.store.keep_archive(run.processor.now_ms):
        pass
    while await run.store.prune(run.processor.now_ms):
        pass
    run.processor.advance(run.processor.now_ms)
    floor = await run.floor("u1")
    assert floor is not None
    gone = floor.from_input - 1
    assert run.naive() == live(run)
    assert await run.replayed() == live(run)
    assert gone == 0 or await run.store.count("journal") < len(run.inputs)
    await run.store.close()


async def test_floors_and_rows_below_the_archive_go(tmp_path: Path) -> None:
    pick = Random(1).choice
    run, script = await open_run(tmp_path / "f.db", pick)
    for one, (before, now) in zip(script, instants(script), strict=True):
        apply(run.processor, one, before, now)
        await run.commit()
        while await run.store.keep_archive(run.processor.now_ms):
            pass
        while await run.store.prune(run.processor.now_ms):
            pass
    (generations,) = await run.store.read(
        lambda c: c.execute("SELECT count(*) FROM generations").fetchone()
    )
    assert generations <= floors.GENERATIONS + 2
    floor = await run.floor("u1")
    assert floor is not None
    assert floor.at_ms > 0
    oldest = await run.store.read(
        lambda c: c.execute("SELECT at_ms FROM journal ORDER BY first_input LIMIT 1").fetchone()
    )
    # Nothing is kept for a quarter longer than it should be, a slice's delay aside.
    assert run.processor.now_ms - oldest[0] <= KEEP + KEEP // floors.GENERATIONS + 25 * UNIT
    await run.store.close()


NO_COMMIT = """
CREATE TABLE refused (id INTEGER PRIMARY KEY, because INTEGER NOT NULL
    REFERENCES refused DEFERRABLE INITIALLY DEFERRED);
CREATE TRIGGER begun AFTER INSERT ON generations BEGIN INSERT INTO refused VALUES (1, 2); END;
CREATE TRIGGER copied AFTER INSERT ON floors BEGIN INSERT INTO refused VALUES (1, 2); END;
PRAGMA foreign_keys = ON;
"""
"""What the archive writes is refused as late as it can be: at COMMIT, as where a disk is full."""

COMMIT_AGAIN = "DROP TRIGGER begun; DROP TRIGGER copied; DROP TABLE refused"


@pytest.mark.parametrize("slices", range(4))
async def test_a_slice_that_could_not_be_committed_is_made_again(
    slices: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(floors, "SLICE_USERS", 1)
    run, script = await open_run(tmp_path / "f.db", Random(1).choice)
    store = run.store
    for one, (before, now) in zip(script, instants(script), strict=True):
        apply(run.processor, one, before, now)
        await run.commit()
    # The first one is of nobody; a second is due, and copies three users.
    await store.keep_archive(START)
    now_ms = run.processor.now_ms
    for _ in range(slices):
        await store.keep_archive(now_ms)
    await store.read(lambda c: c.executescript(NO_COMMIT))
    with pytest.raises(CommitFailed, match="FOREIGN KEY"):
        await store.keep_archive(now_ms)
    await store.read(lambda c: c.executescript(COMMIT_AGAIN))
    while await store.keep_archive(now_ms):
        pass
    for user_id in USERS:
        copied = [encode_user(user) for _, user in await holdings.floors_of(store, user_id)]
        saved = await holdings.saved_state(store, user_id)
        assert saved is not None
        assert copied[-1:] == [encode_user(saved)]
    await store.close()


# Erasing


@pytest.mark.parametrize("seed", range(10))
async def test_an_erasure_killed_at_any_slice_is_finished_by_the_next_start(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "SLICE_ROWS", 2)
    monkeypatch.setattr(erasure, "SLICE_BYTES_MAX", 1)
    pick = Random(seed).choice
    run, script = await open_run(tmp_path / "f.db", pick)
    store = run.store
    for one, (before, now) in zip(script, instants(script), strict=True):
        apply(run.processor, one, before, now)
        await run.commit()
        await store.keep_archive(run.processor.now_ms)
    now_ms = run.processor.now_ms
    await store.transact(lambda c: erasure.begin(c, ("u1",), now_ms))
    rows = erasure.Erasure("u1", forget=store.floors.forget)
    for _ in range(pick((0, 1, 2, 3, 5, 8, 13, 21, 34))):
        await store.transact(rows.go_on)
    await store.close()
    store = await Store.open(tmp_path / "f.db", sync="normal", keep_ms=KEEP)
    await finish_erasures(store, tmp_path / "outbox")
    assert await store.read(erasure.unfinished) == []
    assert not await holdings.is_held(store, "u1")
    assert b"u1" not in (tmp_path / "f.db").read_bytes()
    run.store = store
    await run.restart()
    # Replays, of the tail and of the whole, are those of a process that never met him.
    run.processor.advance(now_ms)
    others = {name: user for name, user in run.naive().items() if name != "u1"}
    assert live(run) == others
    assert await run.replayed(gone="u1") == others
    await store.close()


@pytest.mark.parametrize("after", range(5))
async def test_a_generation_that_begins_amid_an_erasure_does_not_bring_him_back(
    after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(floors, "SLICE_USERS", 1)
    monkeypatch.setattr(erasure, "SLICE_ROWS", 3)
    run, script = await open_run(tmp_path / "f.db", Random(1).choice)
    store = run.store
    for one, (before, now) in zip(script, instants(script), strict=True):
        apply(run.processor, one, before, now)
        await run.commit()
    await store.keep_archive(START)  # the first one is of nobody; a second is due
    now_ms = run.processor.now_ms
    rows = erasure.Erasure("u1", forget=store.floors.forget)
    slices = 0
    going = True
    while going:
        if slices == after:
            await store.keep_archive(now_ms)
        going = await store.transact(rows.go_on)
        slices += 1
    assert slices > after
    while await store.keep_archive(now_ms):
        pass
    assert await holdings.floors_of(store, "u2") != []
    assert await holdings.floors_of(store, "u1") == []
    assert not await holdings.is_held(store, "u1")
    await store.close()


async def test_a_journal_without_him_has_as_many_inputs_as_before(tmp_path: Path) -> None:
    pick = Random(2).choice
    run, script = await open_run(tmp_path / "f.db", pick)
    for one, (before, now) in zip(script, instants(script), strict=True):
        apply(run.processor, one, before, now)
        await run.commit()
    erased = await erase_at_rest(run.store, tmp_path / "outbox", ("u1",), run.processor.now_ms)
    rows = await run.store.read(
        lambda c: c.execute(
            "SELECT inputs_count, inputs FROM journal ORDER BY first_input"
        ).fetchall()
    )
    left = [one for count, lines in rows for one in decode_inputs(lines)]
    assert [count for count, _ in rows] == [len(decode_inputs(lines)) for _, lines in rows]
    assert [one.at_ms for one in left] == [one.at_ms for _, one in run.inputs]
    assert sum(isinstance(one, InputErased) for one in left) == erased.inputs > 0
    await run.store.close()
