"""What one user is brought back from: his inputs among those of others, indexed or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.inputs import EventReceived, InputErased, decode_inputs
from engine.core.plan import Plan
from engine.runtime.processor import Processor
from engine.store import Store, archive, indexing, past

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from engine.core.inputs import Input

START = 1_767_225_600_000
USERS = 7
NEVER_MS = START + 10**9


def concerns(happened: Input, user_id: str) -> bool:
    if isinstance(happened, InputErased):
        return False
    return getattr(happened, "user_id", user_id) == user_id


async def filled(path: Path, count: int) -> Store:
    """A journal of many inputs, some of which concern everybody."""
    store = await Store.open(path, sync="normal")
    processor = Processor(Plan("p0"), now_ms=START)
    for number in range(count):
        at_ms = START + number
        user_id = f"u{number * number % USERS}"
        processor.take(EventReceived(user_id, '{"type":"plan"', at_ms, at_ms), at_ms)
        if number % 211 == 0:
            processor.adopt(Plan(f"p{number}"), at_ms, b"content")
        if number % 307 == 5:
            processor.resume(at_ms, 30_000, at_ms)
        if number % 13 == 0 and (batch := processor.begin(at_ms)) is not None:
            await store.commit(batch)
            processor.finish(batch)
    batch = processor.begin(START + count)
    if batch is not None:
        await store.commit(batch)
        processor.finish(batch)
    return store


async def journaled(store: Store) -> list[tuple[int, Input]]:
    rows = await store.read(
        lambda c: c.execute("SELECT first_input, inputs FROM journal ORDER BY 1").fetchall()
    )
    return [pair for first, lines in rows for pair in enumerate(decode_inputs(lines), first)]


async def test_a_users_inputs_and_those_of_everybody_are_found_with_an_index_and_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "SEGMENT_INPUTS", 256)
    monkeypatch.setattr(indexing, "SLICE_INPUTS", 100)
    store = await filled(tmp_path / "hairspring.db", 900)
    for indexed in (False, True):
        if indexed:
            while await store.transact(store.indexing.catch_up):
                pass
            said = await store.read(lambda c: archive.places(c, "journal", "u1"))
            assert said[1] > 512
        everything = await journaled(store)
        for user_id, first in (("u1", 1), ("u4", 300), ("u3", 1), ("nobody", 1)):
            found = await past.inputs_since(store, (user_id,), first, NEVER_MS)
            assert found == [
                (number, one)
                for number, one in everything
                if number >= first and concerns(one, user_id)
            ]
    await store.close()


async def test_what_came_after_the_instant_is_left_out(tmp_path: Path) -> None:
    store = await filled(tmp_path / "hairspring.db", 300)
    found = await past.inputs_since(store, ("u1",), 1, START + 150)
    assert found
    assert max(one.at_ms for _, one in found) <= START + 150
    later = await past.inputs_since(store, ("u1",), 1, NEVER_MS)
    assert later[: len(found)] == found
    assert later[len(found)][1].at_ms > START + 150
    await store.close()


async def test_a_journal_that_has_its_first_input_is_begun_from_nobody(tmp_path: Path) -> None:
    store = await filled(tmp_path / "hairspring.db", 50)
    starts = await store.read(lambda c: past.starts_before(c, ("u1",), START + 20, START - 1))
    assert starts == [past.Start(0, 1, [], [])]
    await store.transact(lambda c: c.execute("DELETE FROM journal WHERE first_input = 1"))
    assert await store.read(lambda c: past.starts_before(c, ("u1",), START + 20, START - 1)) == []
    await store.close()


async def test_the_neighbours_of_an_id_are_those_next_to_it_in_order(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "hairspring.db", sync="normal")
    rows = [(f"u{number:02}", b"", 0) for number in range(20)]
    await store.transact(
        lambda c: c.executemany("INSERT INTO users (user_id, state, batch) VALUES (?, ?, ?)", rows)
    )
    found = await store.read(lambda c: past.neighbours(c, "u07x", 2))
    assert sorted(found) == ["u06", "u07", "u08", "u09"]
    assert await store.read(lambda c: past.neighbours(c, "zz", 1)) == ["u19"]
    await store.close()
