from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import msgspec
import pytest

from engine.core.effects import CloseMessage, Record, SendMessage
from engine.store import Quarantined, Store
from engine.store.pruning import (
    QUARANTINE_BYTES_MAX,
    QUARANTINE_ROWS_MAX,
    SLICE_BYTES_MAX,
    SLICE_ROWS_MAX,
    LettersMax,
    Quarantine,
    prune,
)
from engine.store.schema import WAL_KEPT_BYTES
from tests.core.world import DAY, HOUR, START
from tests.store.batches import EMPTY

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path
    from typing import Any

KEEP = 30 * DAY


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "hairspring.db", sync="normal", keep_ms=KEEP)
    yield opened
    await opened.close()


async def commit(store: Store, at: int, first: int = 1, **more: Any) -> None:
    batch = msgspec.structs.replace(EMPTY, at_ms=START + at, first_input=first, **more)
    await store.commit(batch)


def item(at: int, body: bytes = b"{}") -> Quarantined:
    return Quarantined(START + at, "/events", "$", "is bad", body)


def record(at: int, kind: Any = "entered") -> Record:
    return Record(START + at, "u", "c", kind)


def message(at: int, name: str, size: int = 2) -> SendMessage:
    snapshot = msgspec.Raw(b'"%s"' % (b"x" * (size - 2)))
    return SendMessage(name, START + at, "u", "c", "e", "s", "email", "t", snapshot)


async def numbers(store: Store, table: str, key: str = "number") -> list[int]:
    rows = await store._connection.run(
        lambda c: c.execute(f"SELECT {key} FROM {table} ORDER BY {key}").fetchall()
    )
    return [row[0] for row in rows]


# The quarantine has so much room


async def test_past_so_many_items_the_oldest_go_and_are_counted(store: Store) -> None:
    few = 10
    await commit(store, 0, quarantined=[item(n) for n in range(QUARANTINE_ROWS_MAX)])
    assert (store.quarantine.rows, store.quarantine.dropped) == (QUARANTINE_ROWS_MAX, 0)
    await commit(store, 1, quarantined=[item(n) for n in range(few)])
    assert (store.quarantine.rows, store.quarantine.dropped) == (QUARANTINE_ROWS_MAX, few)
    kept = await numbers(store, "quarantine")
    assert (kept[0], kept[-1], len(kept)) == (
        few + 1, QUARANTINE_ROWS_MAX + few, QUARANTINE_ROWS_MAX,
    )  # fmt: skip


async def test_one_commit_with_more_items_than_there_is_room_keeps_the_last(store: Store) -> None:
    await commit(store, 0, quarantined=[item(n) for n in range(QUARANTINE_ROWS_MAX + 5)])
    assert await store.count("quarantine") == QUARANTINE_ROWS_MAX
    assert store.quarantine.dropped == 5


async def test_past_so_many_bytes_the_oldest_go(store: Store) -> None:
    body = b"x" * (QUARANTINE_BYTES_MAX // 8)
    for at in range(12):
        await commit(store, at, quarantined=[item(at, body)])
    assert await numbers(store, "quarantine") == list(range(5, 13))
    assert (store.quarantine.rows, store.quarantine.bytes) == (8, QUARANTINE_BYTES_MAX)
    await commit(store, 12, quarantined=[item(12, b"x")])
    assert (store.quarantine.rows, store.quarantine.dropped) == (8, 5)


async def test_a_restart_knows_how_full_the_quarantine_is(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "q.db", sync="normal")
    await commit(store, 0, quarantined=[item(0, b"12345"), item(1, b"678")])
    await store.close()
    store = await Store.open(tmp_path / "q.db", sync="normal")
    assert (store.quarantine.rows, store.quarantine.bytes) == (2, 8)
    await store.close()


async def test_a_commit_that_fails_drops_nothing(store: Store) -> None:
    await commit(store, 0, quarantined=[item(0)])
    await store._connection.run(lambda c: c.execute("PRAGMA max_page_count = 1").fetchall())
    with pytest.raises(Exception, match="full"):
        await commit(store, 1, quarantined=[item(n, b"x" * 9_000) for n in range(20_000)])
    assert (store.quarantine.rows, store.quarantine.dropped) == (1, 0)
    assert await store.count("quarantine") == 1


async def test_it_is_known_how_full_the_quarantine_is_also_where_pruning_and_commits_cross(
    store: Store,
) -> None:
    few = 10
    await commit(store, 0, quarantined=[item(0) for _ in range(few)])
    more = commit(store, KEEP, quarantined=[item(KEEP, b"123")])
    await asyncio.gather(store.prune(START + KEEP + 1), more)
    assert (store.quarantine.rows, store.quarantine.bytes) == (1, 3)
    await commit(store, KEEP, quarantined=[item(KEEP) for _ in range(QUARANTINE_ROWS_MAX)])
    assert store.quarantine.dropped == 1
    assert await store.count("quarantine") == QUARANTINE_ROWS_MAX


# What is older than it is kept goes


async def test_what_is_as_old_as_it_is_kept_stays_and_what_is_older_goes(store: Store) -> None:
    for at, name in ((0, "a"), (1, "b")):
        await commit(
            store, at, records=[record(at)], quarantined=[item(at, b"12")],
            messages=[message(at, name)], first_message=at + 1,
            closed=[CloseMessage(name, dead=True, reason="no such mailbox")],
        )  # fmt: skip
    assert not await store.prune(START + KEEP)
    assert await store.prune(START + KEEP + 1)
    for table in ("records", "quarantine", "outbox"):
        assert await numbers(store, table) == [2]
    assert (store.quarantine.rows, store.quarantine.bytes, store.quarantine.dropped) == (1, 2, 0)
    assert not await store.prune(START + KEEP + 1)


async def test_an_unfinished_delivery_stays_however_old(store: Store) -> None:
    await commit(store, 0, messages=[message(0, "a")])
    await store.prune(START + 2 * KEEP)
    assert len(await store.outbox("email", 0, 10)) == 1


async def journal(store: Store, *inputs: int, replay_from: int, body: bytes = b"{}") -> None:
    first = 1
    for at, count in enumerate(inputs):
        await commit(
            store, at, first, inputs_count=count, inputs=body, replay_from=replay_from
        )  # fmt: skip
        first += count
    while await store.keep_archive(START):
        pass  # a floor for the archive to be replayed from, as old as the oldest row


@pytest.mark.parametrize(
    ("replay_from", "left"),
    [(1, [1, 4, 6, 10]), (4, [4, 6, 10]), (7, [6, 10]), (9, [6, 10]), (10, [10]), (12, [10])],
)
async def test_journal_rows_go_below_the_one_that_a_replay_begins_in(
    store: Store, replay_from: int, left: list[int]
) -> None:
    await journal(store, 3, 2, 4, 2, replay_from=replay_from)
    await store.prune(START + 2 * KEEP)
    assert await numbers(store, "journal", "first_input") == left


async def test_no_journal_row_goes_before_its_time(store: Store) -> None:
    await journal(store, 1, 1, 1, 1, replay_from=5)
    await store.prune(START + KEEP + 2)
    assert await numbers(store, "journal", "first_input") == [3, 4]


async def test_a_slice_looks_at_no_more_rows_however_many_stay(store: Store) -> None:
    # All is old enough, and above the floor: the journal of a shop's first month, or of any other
    # behind its last slice.
    few, many = 20, 400
    asked = []
    for first in range(1, many):
        await commit(store, first, first, inputs_count=1, inputs=b"{}", replay_from=first)
        if first == 1:
            while await store.keep_archive(START):
                pass
        if first in {few, many - 1}:
            asked.append(await steps(store, lambda c: prune(c, START + DAY, 9, Quarantine())))
    assert await store.count("journal") == many - 1
    assert asked[1] < asked[0] + few


async def steps(store: Store, work: Callable[[sqlite3.Connection], object]) -> int:
    """How many steps of SQLite's virtual machine it takes."""
    taken = 0

    def count() -> int:
        nonlocal taken
        taken += 1
        return 0

    def counted(connection: sqlite3.Connection) -> None:
        connection.set_progress_handler(count, 1)
        work(connection)
        connection.set_progress_handler(None, 0)

    await store.read(counted)
    return taken


async def test_past_so_many_dead_letters_the_oldest_go_and_are_counted(tmp_path: Path) -> None:
    store = await Store.open(
        tmp_path / "l.db", sync="normal", keep_ms=KEEP, letters_max=LettersMax(200)
    )
    names = [f"m{number}" for number in range(500)]
    await commit(
        store, 0, messages=[message(0, name) for name in [*names, "waits"]],
        closed=[CloseMessage(name, dead=True) for name in names],
    )  # fmt: skip
    left = []
    more = True
    while more:
        more = await store.prune(START)
        left.append(await store.count("outbox"))
    assert left == [401, 301, 201, 201]
    assert await numbers(store, "outbox") == list(range(301, 502))
    assert store.letters.dropped == 300
    # Two more are a hundredth of them: they are looked at again.
    await commit(
        store, 1, first_message=502, messages=[message(1, "a"), message(1, "b")],
        closed=[CloseMessage("a", dead=True), CloseMessage("b", dead=True)],
    )  # fmt: skip
    await store.prune(START)
    assert (await store.count("outbox"), store.letters.dropped) == (201, 302)
    await store.close()


async def test_past_so_many_bytes_of_dead_letters_the_oldest_go_however_few_they_are(
    tmp_path: Path,
) -> None:
    most = LettersMax(bytes=10_000_000)
    store = await Store.open(tmp_path / "l.db", sync="normal", keep_ms=KEEP, letters_max=most)
    assert not await store.prune(START)  # it knows by now that there are none

    async def fail(first: int, count: int) -> None:
        names = [f"m{number}" for number in range(first, first + count)]
        sent = [message(0, name) for name in names]
        await commit(store, first, first_message=first, messages=sent)
        await store.keep_rendered([(b"x" * 1_000_000, name) for name in names])
        await commit(store, first + 1, closed=[CloseMessage(name, dead=True) for name in names])

    await fail(1, 12)
    left = []
    while await store.prune(START):
        left.append(await store.count("outbox"))
    assert left == [9], "ten are more than that by what they are made of"
    assert await numbers(store, "outbox") == list(range(4, 13))
    await fail(20, 2)
    while await store.prune(START):
        pass
    assert await numbers(store, "outbox") == [*range(6, 13), 20, 21]
    assert store.letters.dropped == 5
    await store.close()


# A slice is no more than that


async def test_a_slice_is_bounded_in_rows(store: Store) -> None:
    few = SLICE_ROWS_MAX // 2
    for at in range(5):
        await commit(store, at, records=[record(at)] * few)
    left = []
    more = True
    while more:
        more = await store.prune(START + 2 * KEEP)
        left.append(await store.count("records"))
    assert left == [3 * few, few, 0, 0]


async def test_a_slice_takes_twice_what_a_commit_adds(store: Store) -> None:
    many = 3 * SLICE_ROWS_MAX
    for at in range(4):
        await commit(store, at, records=[record(at)] * many)
    await store.prune(START + 2 * KEEP)
    assert await store.count("records") == 2 * many
    await store.prune(START + 2 * KEEP)
    assert await store.count("records") == 2 * many - SLICE_ROWS_MAX


async def test_a_slice_is_bounded_in_bytes(store: Store) -> None:
    body = b'{"type":"' + b"x" * (SLICE_BYTES_MAX // 4) + b'"}'
    await journal(store, *[1] * 10, replay_from=11, body=body)
    await commit(
        store, 10, 11, replay_from=11,
        messages=[message(0, f"m{n}", SLICE_BYTES_MAX // 2) for n in range(5)],
        closed=[CloseMessage(f"m{n}", dead=True) for n in range(5)],
    )  # fmt: skip
    left = []
    more = True
    while more:
        more = await store.prune(START + 2 * KEEP)
        left.append((await store.count("journal"), await store.count("outbox")))
    assert left == [(6, 3), (2, 1), (1, 0), (1, 0)]


async def test_pages_that_went_are_used_again(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "f.db", sync="normal", keep_ms=HOUR)
    first = 1
    for hour in range(40):
        await commit(
            store, hour * HOUR, first, inputs_count=1, inputs=b'{"type":"%s"}' % (b"x" * 500_000),
            replay_from=first, records=[record(hour * HOUR)] * 500,
        )  # fmt: skip
        first += 1
        while await store.keep_archive(START + hour * HOUR):
            pass
        await store.prune(START + hour * HOUR)
    await store.close()
    assert (tmp_path / "f.db").stat().st_size < 4_000_000


async def test_a_large_commit_leaves_no_large_log_behind(store: Store) -> None:
    await commit(store, 0, quarantined=[item(0, b"x" * 30_000) for _ in range(1_500)])
    log = f"{store.path}-wal"
    assert os.path.getsize(log) > 2 * WAL_KEPT_BYTES  # noqa: ASYNC240, PTH202
    for at in range(3):
        await commit(store, at, records=[record(at)] * 20_000)
    assert os.path.getsize(log) <= WAL_KEPT_BYTES  # noqa: ASYNC240, PTH202


# What a restart reads is bounded


async def test_only_as_many_message_ids_are_read_as_are_remembered(store: Store) -> None:
    for at in range(6):
        hashes = bytes([at] * 8) * 10
        await commit(store, at, at + 1, inputs_count=1, hashes=hashes, replay_from=at + 2)
    recovered = await store.recover(HOUR, 25)
    assert [at - START for at, _ in recovered.hashes] == [3, 4, 5]
    assert len((await store.recover(HOUR)).hashes) == 6
