"""An audit tells nothing of a sound database, and each thing that was corrupted in one that is."""

from __future__ import annotations

import sqlite3
from array import array
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.core.inputs import decode_inputs, encode_inputs
from engine.core.messages.waiting import Pending, by_id
from engine.core.state import decode_user, encode_user
from engine.sim import auditing
from engine.sim.auditing import audit
from engine.store import Store, indexing, user_log
from engine.store.saved import saved_bytes
from tests.sim.audited import audited, change, one, told
from tests.sim.lives import KEEP_MS, Run, count_records

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engine.core.state import User


@pytest.fixture
async def database(tmp_path: Path) -> Path:
    """One that a run left behind: messages under way, enrollments, records, an index."""
    path = tmp_path / "hairspring.db"
    store = await Store.open(path, sync="normal")
    run = Run(store, 4, archives=False)
    await run.live(spans=6)
    processor = await run.start()
    run.take_some(processor)
    batch = processor.begin(run.now_ms)
    if batch is not None:
        await store.commit(batch)
    processor.save_all()
    while (batch := processor.begin(run.now_ms)) is not None:
        await store.commit(batch)
        processor.finish(batch)
    while await store.keep_archive(run.now_ms):
        pass
    await store.close()
    return path


def change_user(path: Path, fits: Callable[[User], bool], how: Callable[[User], None]) -> str:
    """Change the saved state of the first user that fits, wherever it is; his id."""
    connection = sqlite3.connect(path)
    for (user_id,) in connection.execute("SELECT user_id FROM users").fetchall():
        state = saved_bytes(connection, user_id)
        assert state is not None
        user = decode_user(state)
        if fits(user):
            how(user)
            values = (encode_user(user), 1 << 40, user_id)
            connection.execute("UPDATE users SET state = ?, batch = ? WHERE user_id = ?", values)
            connection.commit()
            connection.close()
            return str(user_id)
    connection.close()
    raise AssertionError("nobody fits")


@pytest.mark.parametrize("archives", [False, True])
@pytest.mark.parametrize("seed", range(6))
async def test_a_sound_database_has_nothing_to_be_told(
    tmp_path: Path, seed: int, archives: bool
) -> None:
    store = await Store.open(tmp_path / "hairspring.db", sync="normal", keep_ms=KEEP_MS)
    await Run(store, seed, archives=archives).live(spans=8)
    found = await audit(store, lambda _done, _total: None)
    await store.close()
    assert (found.findings, found.notes) == ([], [])
    assert min(found.users, found.inputs) > 0


async def test_how_far_it_is_is_told_from_the_first_check_on_and_never_goes_back(
    database: Path,
) -> None:
    """The bar stood still, or was not there, for all that came between the journal and a replay."""
    heard: list[float] = []
    store = await Store.open(database)
    await audit(store, lambda done, total: heard.append(done / total))
    await store.close()
    assert heard == sorted(heard)
    assert heard[-1] == 1
    assert len({share for share in heard if share <= 0.2}) >= 8


async def test_the_database_of_these_tests_is_sound_and_has_what_they_corrupt(
    database: Path,
) -> None:
    found = await audited(database)
    assert found.findings == []
    assert min(found.users, found.inputs, found.records, found.messages) > 0


async def test_an_empty_database_is_sound(tmp_path: Path) -> None:
    await (await Store.open(tmp_path / "hairspring.db")).close()
    found = await audited(tmp_path / "hairspring.db")
    assert found.findings == []
    assert found.notes == ["nothing was replayed: nothing has been taken in yet"]


async def test_a_state_that_does_not_follow_from_the_inputs_is_told(database: Path) -> None:
    def rename(user: User) -> None:
        user.traits = {**user.traits, "email": "mallory@example.com"}

    user_id = change_user(database, lambda user: bool(user.traits), rename)
    assert f"replay {user_id!r} the last state is another" in await told(database)


def remove(path: Path, *user_ids: str) -> None:
    """Take users' rows away, and what the user log, from which they came back, has of anybody."""
    connection = sqlite3.connect(path)
    for (user_id,) in connection.execute("SELECT user_id FROM users").fetchall():
        values = (saved_bytes(connection, user_id), 1 << 40, user_id)
        connection.execute("UPDATE users SET state = ?, batch = ? WHERE user_id = ?", values)
    connection.execute("DELETE FROM user_log")
    connection.commit()
    connection.close()
    for user_id in user_ids:
        change(path, "DELETE FROM users WHERE user_id = ?", user_id)


async def test_users_who_are_missing_are_told_by_their_ids(database: Path) -> None:
    remove(database)
    assert (await audited(database)).findings == []
    remove(database, "v", "w")
    found = [one for one in (await audited(database)).findings if one.part == "replay"]
    assert [one.subject for one in found] == ["'v'", "'w'"]
    assert {one.told for one in found} == {
        "the run has no state of this user, and its inputs make one"
    }


def still_logged(path: Path) -> list[str]:
    """Who has a row, and an older state in the user log."""
    connection = sqlite3.connect(path)
    batches = dict(connection.execute("SELECT user_id, batch FROM users"))
    logged: dict[str, int] = {}
    for batch, states in connection.execute("SELECT batch, states FROM user_log ORDER BY batch"):
        for state in user_log.unpack(states):
            if not user_log.marked(state):
                logged[decode_user(state).user_id] = batch
    connection.close()
    return [one for one, batch in sorted(logged.items()) if batches.get(one, 0) > batch]


async def test_a_user_whose_row_is_gone_and_whom_the_log_still_has_is_told(database: Path) -> None:
    first, second, *_ = still_logged(database)
    change(database, "DELETE FROM users WHERE user_id = ?", first)
    change(database, "UPDATE users SET batch = 0 WHERE user_id = ?", second)
    found = await told(database)
    for user_id in (first, second):
        assert f"users {user_id!r} his row, which batch " in found
    assert "users database " in found
    assert "the rows of 2 users that were written are gone" in found


async def test_of_very_many_users_who_differ_the_first_are_told_and_how_many_more_there_are(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auditing, "FOUND_MAX", 2)
    remove(database, "v", "w", "x", "y", "z")
    found = [one for one in (await audited(database)).findings if one.part == "replay"]
    assert [one.subject for one in found] == ["'v'", "'w'", "and more"]
    assert found[-1].told == "3 users differ beyond the first 2"


async def test_a_message_that_nobody_waits_for_is_told(database: Path) -> None:
    (message_id,) = one(database, "SELECT id FROM outbox WHERE dead IS NULL")
    change(
        database,
        "INSERT INTO outbox SELECT number + 1000, id || 'x', user_id, channel, message, snapshot, "
        "rendered, dead, urgent, dead_at_ms, attempts, pending, tried_at_ms "
        "FROM outbox WHERE id = ?",
        message_id,
    )
    found = await told(database)
    assert f"outbox message {message_id}x is another one than its row says" in found
    assert "who does not wait for it" in found


async def test_a_message_to_somebody_unknown_is_told(database: Path) -> None:
    change(database, "UPDATE outbox SET user_id = 'nobody'")
    assert "is to go to 'nobody', who is not known" in await told(database)


async def test_a_message_that_is_awaited_and_not_there_is_told(database: Path) -> None:
    (message_id,) = one(database, "SELECT id FROM outbox WHERE dead IS NULL")
    change(database, "DELETE FROM outbox WHERE id = ?", message_id)
    found = await told(database)
    assert f"outbox message {message_id}" in found
    assert "waits for it, and it is not in the outbox" in found


async def test_a_user_who_waits_for_what_never_was_is_told(database: Path) -> None:
    def wait(user: User) -> None:
        user.pending = {**by_id(user.pending), "never": Pending("e", "c", "s", "email", "t", 1)}

    user_id = change_user(database, lambda _: True, wait)
    found = await told(database)
    assert f"outbox message never {user_id!r} waits for it" in found
    assert f"replay {user_id!r}" in found


async def test_a_dead_letter_that_is_still_awaited_is_told(database: Path) -> None:
    change(database, "UPDATE outbox SET dead = 'gone' WHERE dead IS NULL")
    assert "is a dead letter, and " in await told(database)


async def test_a_message_that_is_another_than_its_user_waits_for_is_told(database: Path) -> None:
    message_id, message = one(database, "SELECT id, message FROM outbox WHERE dead IS NULL")
    other = {**msgspec.json.decode(message), "template": "another"}
    change(
        database,
        "UPDATE outbox SET message = ? WHERE id = ?",
        msgspec.json.encode(other),
        message_id,
    )
    found = await told(database)
    assert f"outbox message {message_id} has the template 'another', and " in found


async def test_inputs_without_a_plan_that_took_them_are_told(database: Path) -> None:
    change(database, "DELETE FROM changes")
    assert "plans database there are inputs, and it is not known by which plan" in (
        await told(database)
    )


async def test_a_deadline_that_nothing_has_is_told(database: Path) -> None:
    def await_it(user: User) -> None:
        user.due_at_ms = 1_900_000_000_000

    user_id = change_user(database, lambda user: user.due_at_ms > 1 << 47, await_it)
    found = await told(database)
    assert f"deadlines {user_id!r} is awaited 2030-03-17T17:46:40.000Z, and due never" in found


async def test_inputs_that_are_missing_are_told(database: Path) -> None:
    connection = sqlite3.connect(database)
    rows = connection.execute("SELECT first_input, inputs_count FROM journal").fetchall()
    connection.close()
    first, count = rows[len(rows) // 2]
    change(database, "DELETE FROM journal WHERE first_input = ?", first)
    found = await told(database)
    assert f"inputs {first} to {first + count - 1} are missing" in found
    change(database, "UPDATE journal SET inputs_count = inputs_count + 1 WHERE first_input = 1")
    assert "inputs, and says" in await told(database)


async def test_inputs_out_of_order_are_told(database: Path) -> None:
    first, lines = one(
        database, "SELECT first_input, inputs FROM journal ORDER BY first_input DESC"
    )
    inputs = decode_inputs(lines)
    inputs[-1].at_ms = 1
    change(
        database,
        "UPDATE journal SET inputs = ? WHERE first_input = ?",
        encode_inputs(inputs),
        first,
    )
    assert f"journal input {first + len(inputs) - 1} is stamped before the one before it" in (
        await told(database)
    )


async def test_a_row_that_cannot_be_read_is_told(database: Path) -> None:
    change(database, "UPDATE journal SET inputs = x'7b' WHERE first_input = 1")
    assert "journal commit of input 1 cannot be read: " in await told(database)


async def test_a_message_id_that_is_not_remembered_is_told(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "hairspring.db", sync="normal")
    run = Run(store, 4, archives=False)
    await run.live(spans=2)
    await store.close()
    path = tmp_path / "hairspring.db"
    first, lines = one(path, "SELECT first_input, inputs FROM journal ORDER BY first_input DESC")
    inputs: list[Any] = decode_inputs(lines)
    named = next(place for place, happened in enumerate(inputs) if hasattr(happened, "properties"))
    inputs[named].message_id = "m1"
    change(
        path, "UPDATE journal SET inputs = ? WHERE first_input = ?", encode_inputs(inputs), first
    )
    assert f"dedupe input {first + named} its message id is not remembered" in await told(path)


@pytest.fixture
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "SEGMENT_INPUTS", 2_048)


@pytest.mark.usefixtures("short_segments")
async def test_an_index_that_leads_nowhere_or_lacks_somebody_is_told(tmp_path: Path) -> None:
    path = tmp_path / "hairspring.db"
    connection = sqlite3.connect(path)
    await make_indexed(path)
    entries = connection.execute(
        "SELECT bucket, first, entries FROM archive_index WHERE kind = 'journal' "
        "AND length(entries) > 0"
    ).fetchone()
    bucket, first, segment = entries
    marks = array("Q")
    marks.frombytes(segment)
    place = marks[0] & 0xFFFFFFFF
    marks[0] = (marks[0] | 0xFFFFFFFF) ^ 1
    connection.execute(
        "UPDATE archive_index SET entries = ? WHERE kind = 'journal' AND bucket = ? AND first = ?",
        (marks.tobytes(), bucket, first),
    )
    connection.commit()
    connection.close()
    found = await told(path)
    assert f"does not lead to the commit of input {first + place} of " in found
    assert ", which is not there" in found


async def make_indexed(path: Path) -> None:
    """As many inputs and records as a segment of the index has, and more."""
    store = await Store.open(path, sync="normal")
    run = Run(store, 1, archives=False)
    processor = await run.start()
    for number in range(260):
        run.now_ms += 1_000
        for _ in range(8):
            run.take_some(processor)
        await run.commit(processor)
        if number % 20 == 0:
            while await store.keep_archive(run.now_ms):
                pass
    await store.close()


@pytest.mark.usefixtures("short_segments")
async def test_a_long_archive_that_is_sound_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "hairspring.db"
    await make_indexed(path)
    assert one(path, "SELECT count(*) FROM archive_index")[0] > 0
    assert (await audited(path)).findings == []


async def test_records_that_are_others_are_told(database: Path) -> None:
    change(database, "UPDATE records SET campaign = 'other' WHERE number = 1")
    assert "records record 1 is of " in await told(database)
    (record,) = one(database, "SELECT record FROM records WHERE number = 2")
    changed = {**msgspec.json.decode(record), "at": "2199-01-01T00:00:00.000Z"}
    if "at_ms" in changed:
        changed["at_ms"] = 7_258_118_400_000
    change(database, "UPDATE records SET record = ? WHERE number = 2", msgspec.json.encode(changed))
    assert "record 2 " in await told(database)
    change(database, "UPDATE records SET record = x'7b' WHERE number = 3")
    assert "record 3 cannot be read" in await told(database)


async def test_states_of_others_and_plans_that_are_gone_are_told(database: Path) -> None:
    change(database, "UPDATE users SET user_id = 'mallory' WHERE user_id = 'u'")
    assert "users 'mallory' is the state of 'u'" in await told(database)
    change(database, "UPDATE users SET state = x'00' WHERE user_id = 'v'")
    assert "users 'v' cannot be read: " in await told(database)


async def test_a_quarantine_that_is_too_full_is_told(database: Path) -> None:
    connection = sqlite3.connect(database)
    connection.executemany(
        "INSERT INTO quarantine VALUES (?, 1, '/events', '$', 'bad', x'7b')",
        [(number,) for number in range(1, 10_002)],
    )
    connection.commit()
    connection.close()
    assert "quarantine quarantine holds 10001 items" in await told(database)


@pytest.mark.parametrize("seed", [110, 111])
async def test_several_lives_after_which_archive_and_counts_were_cut_are_sound(
    tmp_path: Path, seed: int
) -> None:
    store = await Store.open(tmp_path / "hairspring.db", sync="normal", keep_ms=KEEP_MS)
    run = Run(store, seed, archives=True)
    for _ in range(4):
        await run.live(spans=4)
        await count_records(store, run)
    found = await audit(store, lambda _done, _total: None)
    await store.close()
    assert (found.findings, found.notes) == ([], [])


@pytest.fixture
async def floored(tmp_path: Path) -> Path:
    """A database with several generations of floors, and the first input still there."""
    path = tmp_path / "floored.db"
    store = await Store.open(path, sync="normal", keep_ms=KEEP_MS)
    run = Run(store, 4, archives=False)
    for _ in range(4):
        await run.live(spans=2)
        while await store.keep_archive(run.now_ms):
            pass
    await store.close()
    assert one(path, "SELECT count(*) FROM generations WHERE at_ms IS NOT NULL")[0] > 2
    assert await told(path) == ""
    return path


async def test_a_floor_from_which_a_user_does_not_come_out_as_he_is_is_told(floored: Path) -> None:
    user_id, generation, state = one(
        floored, "SELECT user_id, generation, state FROM floors ORDER BY generation DESC"
    )
    user = decode_user(state)
    user.traits = {**user.traits, "email": "mallory@example.com"}
    change(
        floored,
        "UPDATE floors SET state = ? WHERE user_id = ? AND generation = ?",
        encode_user(user), user_id, generation,
    )  # fmt: skip
    found = await told(floored)
    assert f"floors {user_id!r} from the state of 2026-01-01T" in found
    assert "on the last state is another" in found
    assert "replay " not in found


async def test_floors_that_go_backwards_are_told(floored: Path) -> None:
    (newest,) = one(floored, "SELECT max(generation) FROM generations")
    change(floored, "UPDATE generations SET from_input = 1000000 WHERE generation = ?", newest)
    assert f"floors generation {newest} is from input 1000000, and the next is to be " in (
        await told(floored)
    )
    change(floored, "UPDATE generations SET from_input = 0 WHERE generation = ?", newest)
    assert f"floors generation {newest} is from before the one before it" in await told(floored)
    change(floored, "DELETE FROM generations WHERE generation = ?", newest)
    assert f"is of generation {newest}, and the newest is {newest - 1}" in await told(floored)
