# Nothing else runs on the loop of these tests, so that they may block it.
# ruff: noqa: ASYNC221, ASYNC240

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.core.effects import Record
from engine.core.inputs import EventReceived, PlanChanged
from engine.core.plan import Plan
from engine.core.state import encode_user
from engine.errors import StoreError
from engine.runtime.dedupe import Dedupe
from engine.runtime.processor import Processor
from engine.runtime.versions import Versions
from engine.store import CommitFailed, DataFolder, Quarantined, Store, plans
from engine.store.schema import SCHEMA_VERSION
from tests.core.world import HOUR, REACHABLE, START, campaign, send, wait
from tests.runtime.crashing import Effects
from tests.store.plans import plan_content

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CAMPAIGN = campaign("c", wait(5), send("email"), wait(HOUR), send("email"))
PLAN = Plan("p", [CAMPAIGN])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hairspring.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(path)
    yield opened
    await opened.close()


def event(at: int, *, user: str = "u", name: str = "Go", message: str = "") -> EventReceived:
    return EventReceived(user, name, START + at, START + at, message_id=message)


async def start(store: Store, *, window: int = HOUR) -> Processor:
    recovered = await store.recover(window)
    dedupe = Dedupe(window, 1_000)
    for at_ms, hashes in recovered.hashes:
        dedupe.restore(at_ms, hashes)
    processor = Processor(
        PLAN,
        recovered.users,
        now_ms=max(START, recovered.last_at_ms),
        next_input=recovered.next_input,
        next_message=recovered.next_message,
        next_batch=recovered.next_batch,
        log=recovered.log,
        dedupe=dedupe,
    )
    processor.replay(recovered.tail)
    return processor


async def commit(store: Store, processor: Processor) -> Any:
    batch = processor.begin(processor.now_ms)
    assert batch is not None
    await store.commit(batch)
    return processor.finish(batch)


def reachable(processor: Processor, *users: str) -> None:
    for user in users:
        processor.take(event(0, user=user, name="Other"), START)
        processor.users[user].traits = dict(REACHABLE)


async def test_a_new_database_holds_nothing(store: Store) -> None:
    recovered = await store.recover(HOUR)
    assert (recovered.users, recovered.tail, recovered.hashes) == ({}, [], [])
    assert (recovered.next_input, recovered.next_message, recovered.plan_id) == (1, 1, "")


async def test_a_commit_of_many_kinds_of_rows_keeps_ids_whole_whatever_is_in_them(
    store: Store,
) -> None:
    """One statement takes all of it apart, and a text of SQL's JSON would end at its first NUL."""
    processor = await start(store)
    odd = ["nul\0behind", "é€𝄞", '"quoted",\n[1]', "x" * 1_000]
    for user in odd:
        processor.take(event(0, user=user), START)
    processor.save_all()
    batch = processor.begin(START)
    assert batch is not None
    batch.users = [(user, encode_user(processor.users[user])) for user in odd]
    await store.commit(batch)
    rows = await store.read(
        lambda c: c.execute("SELECT user_id, state, batch FROM users").fetchall()
    )
    assert {row[0]: row[1:] for row in rows} == {
        user: (encode_user(processor.users[user]), batch.number) for user in odd
    }
    records = await store.read(
        lambda c: c.execute(
            "SELECT user_id, campaign, record FROM records ORDER BY number"
        ).fetchall()
    )
    assert [row[:2] for row in records] == [(user, "c") for user in odd]
    assert [msgspec.json.decode(row[2], type=Record).user_id for row in records] == odd
    assert set((await store.recover(HOUR)).users) == set(odd)


async def test_the_state_after_a_restart_is_that_before(path: Path) -> None:
    store = await Store.open(path)
    processor = await start(store)
    for number in range(60):
        processor.take(event(number, user=f"u{number % 50}"), START + number)
        if number % 7 == 0:
            await commit(store, processor)
    await commit(store, processor)
    await store.close()
    store = await Store.open(path)
    again = await start(store)
    await store.close()
    assert {name: encode_user(user) for name, user in again.users.items()} == {
        name: encode_user(user) for name, user in processor.users.items()
    }
    assert again.take(event(100), START + 100)
    batch = again.begin(START + 100)
    assert batch is not None
    assert batch.first_input == 61


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM users WHERE user_id = 'u0'",  # the log has him as he was before
        "DELETE FROM users WHERE user_id = 'u1'",  # and him as he is
        "UPDATE users SET batch = 1 WHERE user_id = 'u0'",
    ],
)
async def test_whose_row_is_gone_does_not_come_back_as_the_log_still_has_him(
    path: Path, damage: str
) -> None:
    store = await Store.open(path)
    processor = await start(store)
    for number in range(8):
        processor.take(event(number, user=f"u{number % 3}"), START + number)
        await commit(store, processor)
    await store.close()
    make(path, damage)

    store = await Store.open(path)
    with pytest.raises(StoreError, match="a user's row that was written is gone") as caught:
        await store.recover(HOUR)
    await store.close()
    assert str(path) in caught.value.message
    assert caught.value.code == "store.corrupt"
    assert f"hairspring restore FILE --data {path.parent}" in caught.value.hint


async def test_nothing_is_sent_twice_over_a_restart_and_nothing_is_lost(path: Path) -> None:
    effects = Effects()
    for at in (0, 5, HOUR, 2 * HOUR):
        store = await Store.open(path)
        processor = await start(store)
        if not at:
            reachable(processor, "u")
            processor.take(event(0), START)
        processor.advance(START + at)
        batch = processor.begin(START + at)
        if batch is not None:
            await store.commit(batch)
            effects.take(processor.finish(batch))
        rows = await store.outbox("email", 0, 100)
        assert {row.message.id for row in rows} == set(effects.messages)
        await store.close()
    assert len(effects.messages) == 2
    assert [record["kind"] for record in effects.records] == ["entered", "sent", "sent", "finished"]


async def test_what_was_not_committed_is_gone_as_if_it_had_not_been(path: Path) -> None:
    store = await Store.open(path)
    processor = await start(store)
    processor.take(event(0, message="a"), START)
    await commit(store, processor)
    processor.take(event(1, message="b"), START + 1)
    await store.close()
    store = await Store.open(path)
    again = await start(store)
    assert not again.take(event(2, message="a"), START + 2)
    assert again.take(event(2, message="b"), START + 2)
    await store.close()


async def test_a_message_id_is_forgotten_once_its_window_is_over(path: Path) -> None:
    store = await Store.open(path)
    processor = await start(store)
    processor.take(event(0, message="a"), START)
    await commit(store, processor)
    processor.take(event(3 * HOUR, message="b"), START + 3 * HOUR)
    await commit(store, processor)
    await store.close()
    store = await Store.open(path)
    again = await start(store)
    assert again.take(event(3 * HOUR, message="a"), START + 3 * HOUR)
    assert not again.take(event(3 * HOUR, message="b"), START + 3 * HOUR)
    await store.close()


async def test_rendered_bytes_stay_with_their_message(store: Store) -> None:
    processor = await start(store)
    reachable(processor, "u")
    processor.take(event(0), START)
    processor.advance(START + 5)
    released = await commit(store, processor)
    ((_, message),) = released.messages
    (row,) = await store.outbox("email", 0, 10)
    assert row.rendered is None
    assert row.snapshot == bytes(message.snapshot)
    await store.keep_rendered([(b"bytes", message.id)])
    (row,) = await store.outbox("email", 0, 10)
    assert row.rendered == b"bytes"


async def test_the_outbox_is_read_in_order_from_any_row_on(store: Store) -> None:
    processor = await start(store)
    users = [f"u{number}" for number in range(5)]
    reachable(processor, *users)
    for user in users:
        processor.take(event(0, user=user), START)
    processor.advance(START + 5)
    released = await commit(store, processor)
    numbers = [number for number, _ in released.messages]
    rows = await store.outbox("email", numbers[1], 2)
    assert [row.number for row in rows] == numbers[2:4]


async def test_a_faulty_item_is_kept_with_its_reason(store: Store) -> None:
    processor = await start(store)
    processor.quarantine(Quarantined(START, "/events", "$.timestamp", "is no instant", b"{}"))
    await commit(store, processor)
    assert await store.count("quarantine") == 1


async def let_go(store: Store) -> None:
    """As pruning does once the journal's rows, but for the last, have gone."""

    def work(connection: sqlite3.Connection) -> None:
        connection.execute(
            "DELETE FROM journal WHERE first_input < (SELECT max(first_input) FROM journal)"
        )
        plans.let_go(connection)

    await store.transact(work)


async def test_a_plan_comes_with_the_commit_of_its_change_and_goes_with_what_names_it(
    store: Store,
) -> None:
    processor = await start(store)
    for at, plan_id in enumerate(("one", "two", "three")):
        processor.adopt(Plan(plan_id), START + at, plan_id.encode(), Versions("1.0", "2026a"))
        processor.take(event(at, name="Other"), START + at)
        processor.sweep()
        await commit(store, processor)
    recovered = await store.recover(HOUR)
    # What is journaled under the first is there to be replayed.
    assert (recovered.plan_id, list(recovered.contents)) == ("three", ["one", "three", "two"])
    assert recovered.changes == [(5, PlanChanged("three", "1.0", "2026a", START + 2))]
    processor.take(event(3, name="Other"), START + 3)
    await commit(store, processor)
    await let_go(store)
    assert await plan_content(store, "one") is None
    assert await plan_content(store, "two") is None
    assert await plan_content(store, "three") == b"three"
    assert (await store.recover(HOUR)).plan_id == "three"


async def test_an_old_plan_stays_while_a_saved_user_is_behind_its_successor(path: Path) -> None:
    store = await Store.open(path)
    processor = await start(store)
    processor.adopt(Plan("one", [CAMPAIGN]), START, b"one")
    processor.sweep()
    processor.take(event(0), START)
    await commit(store, processor)
    processor.adopt(Plan("two", [CAMPAIGN]), START + 1, b"two")
    for at in range(1, 4):
        processor.take(event(at, user="other", name="Other"), START + at)
        await commit(store, processor)
    await let_go(store)
    recovered = await store.recover(HOUR)
    assert [number for number, _ in recovered.changes] == [1, 3]
    assert recovered.contents == {"one": b"one", "two": b"two"}

    processor.sweep()
    await commit(store, processor)
    await let_go(store)
    recovered = await store.recover(HOUR)
    assert [number for number, _ in recovered.changes] == [3]
    assert recovered.contents == {"two": b"two"}
    await store.close()


# What is refused at the door


def make(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


async def refused(path: Path) -> StoreError:
    with pytest.raises(StoreError) as caught:
        await Store.open(path)
    assert str(path) in caught.value.message
    assert caught.value.hint
    return caught.value


async def test_a_database_of_a_newer_version_is_refused(path: Path) -> None:
    await (await Store.open(path)).close()
    make(path, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    assert (await refused(path)).code == "store.newer"


async def test_a_database_of_another_program_is_refused_and_left_as_it_is(path: Path) -> None:
    make(path, "CREATE TABLE theirs (a)", "INSERT INTO theirs VALUES (1)")
    before = path.read_bytes()
    assert (await refused(path)).code == "store.foreign"
    assert path.read_bytes() == before


async def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"not a database at all, but long enough to be looked at" * 100)
    assert (await refused(path)).code == "store.corrupt"


async def test_a_folder_in_the_place_of_the_database_is_refused(path: Path) -> None:
    path.mkdir()
    assert (await refused(path)).code.startswith("store.")


async def read(path: Path) -> None:
    store = await Store.open(path)
    try:
        await store.recover(HOUR)
    finally:
        await store.close()


async def test_a_damaged_page_is_told_as_such_when_it_is_read(path: Path) -> None:
    store = await Store.open(path)
    processor = await start(store)
    for number in range(300):
        processor.take(event(0, user=f"user-{number}"), START)
    await commit(store, processor)
    await store.close()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(StoreError) as caught:
        await read(path)
    assert caught.value.code == "store.corrupt"


async def test_what_cannot_be_read_while_the_process_runs_is_told_as_at_its_start(
    store: Store,
) -> None:
    await store._connection.run(lambda c: c.executescript("DROP TABLE outbox; DROP TABLE plans"))
    for reading in (store.outbox("email", 0, 10), plan_content(store, "p")):
        with pytest.raises(StoreError, match="cannot be read") as caught:
            await reading
        assert caught.value.hint


READ_ONLY = """
import asyncio, os, sys
from pathlib import Path
from engine.errors import StoreError
from engine.store import Store
if not os.geteuid():
    os.seteuid(65534)
try:
    asyncio.run(Store.open(Path(sys.argv[1])))
except StoreError as error:
    print(error.code)
"""


@pytest.mark.parametrize("folder_mode", [0o555, 0o777])
async def test_a_read_only_database_is_refused_when_it_is_opened(folder_mode: int) -> None:
    # In a process of its own, and a folder that another user may enter: root may write anything.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "hairspring.db"
        await (await Store.open(path)).close()
        path.chmod(0o444)
        folder.chmod(folder_mode)
        run = subprocess.run(
            [sys.executable, "-c", READ_ONLY, str(path)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        folder.chmod(0o755)
        assert run.stdout == "store.readonly\n", run.stderr


# One process at a time


def test_a_second_taker_of_the_data_folder_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    first = DataFolder.take(tmp_path)
    with pytest.raises(StoreError) as caught:
        DataFolder.take(tmp_path)
    assert caught.value.code == "store.in_use"
    assert f"pid {os.getpid()}" in caught.value.message
    first.release()
    first.release()
    DataFolder.take(tmp_path).release()


def test_the_data_folder_is_made_where_it_is_missing(tmp_path: Path) -> None:
    DataFolder.take(tmp_path / "a" / "b").release()
    assert (tmp_path / "a" / "b").is_dir()


def test_a_folder_that_cannot_be_is_refused_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError) as caught:
        DataFolder.take(tmp_path / "file")
    assert caught.value.code == "store.folder"
    assert "--data" in caught.value.hint


# The disk is full


async def limit_pages(store: Store, pages: int) -> None:
    await store._connection.run(lambda c: c.execute(f"PRAGMA max_page_count = {pages}").fetchall())


async def test_a_full_disk_fails_the_commit_whole_and_the_same_batch_goes_through_later(
    path: Path,
) -> None:
    store = await Store.open(path)
    processor = await start(store)
    processor.take(event(0, user="before"), START)
    await commit(store, processor)
    await limit_pages(store, 1)
    for number in range(400):
        processor.take(event(1, user=f"user-{number}", message=f"m{number}"), START + 1)
    batch = processor.begin(START + 1)
    assert batch is not None
    with pytest.raises(CommitFailed) as caught:
        await store.commit(batch)
    assert caught.value.again
    assert "space" in caught.value.hint
    assert set((await store.recover(HOUR)).users) == {"before"}
    processor.take(event(2, user="after"), START + 2)
    await limit_pages(store, 1_000_000)
    await store.commit(batch)
    processor.finish(batch)
    await commit(store, processor)
    await store.close()
    store = await Store.open(path)
    again = await start(store)
    assert {name: encode_user(user) for name, user in again.users.items()} == {
        name: encode_user(user) for name, user in processor.users.items()
    }
    assert len(again.users) == 402
    assert not again.take(event(3, user="x", message="m399"), START + 3)
    await store.close()


async def test_a_database_that_another_program_holds_is_tried_again(path: Path) -> None:
    store = await Store.open(path)
    processor = await start(store)
    await store._connection.run(lambda c: c.execute("PRAGMA busy_timeout = 0").fetchall())
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    processor.take(event(0), START)
    batch = processor.begin(START)
    assert batch is not None
    with pytest.raises(CommitFailed) as caught:
        await store.commit(batch)
    assert caught.value.again
    other.execute("ROLLBACK")
    other.close()
    await store.commit(batch)
    await store.close()


async def test_a_commit_that_cannot_go_through_later_says_so(path: Path) -> None:
    store = await Store.open(path)
    processor = await start(store)
    await store._connection.run(lambda c: c.execute("DROP TABLE journal").fetchall())
    processor.take(event(0), START)
    batch = processor.begin(START)
    assert batch is not None
    with pytest.raises(CommitFailed) as caught:
        await store.commit(batch)
    assert not caught.value.again
    await store.close()
