"""Two users who become one, in a process with a database: through restarts, erasure and export."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec
import pytest

from engine.core.inputs import EMPTY, EventReceived, UsersMerged
from engine.core.plan import Plan
from engine.core.state import encode_user
from engine.runtime.admin import dossier
from engine.runtime.admin.explaining import Explaining
from engine.runtime.admin.past import Past, live_again
from engine.runtime.erasing import erase_at_rest, finish_erasures
from engine.store import Store, erasure, holdings
from engine.store.floors import SLICE_USERS
from engine.store.past import Start
from tests.core.world import HOUR, campaign, send, wait
from tests.runtime.rig import Rig, ScriptedChannel

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator
    from pathlib import Path

    from engine.store.floors import Floors

PLAN = Plan("p", [campaign("c", wait(HOUR), send("email"), per="event.who")])
ANON, ADA = "anon-7f3a", "ada-lovelace"


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    opened = await open_rig(tmp_path)
    yield opened
    opened.store.gate.set()
    await opened.close()


async def open_rig(folder: Path) -> Rig:
    return await Rig.open(folder / "m.db", PLAN, rate=1.0, email=ScriptedChannel())


def seen(rig: Rig, user: str = ANON, name: str = "Go") -> EventReceived:
    event = rig.event(name, user=user)
    event.is_anonymous = user == ANON
    event.properties = msgspec.Raw(msgspec.json.encode({"who": user}))
    return event


def merged(rig: Rig, user: str = ADA, other: str = ANON, *, alias: bool = False) -> UsersMerged:
    now_ms = rig.clock.now_ms()
    return UsersMerged(user, now_ms, now_ms, EMPTY, merged_id=other, is_alias=alias)


def bytes_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.glob("m.db*"))


async def test_both_are_saved_with_the_merge_and_a_restart_knows_the_alias(
    rig: Rig, tmp_path: Path
) -> None:
    rig.start()
    await rig.shell.submit([seen(rig)])
    await rig.shell.submit([merged(rig)])
    before = encode_user(rig.processor.users[ADA])
    await rig.close()

    again = await open_rig(tmp_path)
    assert list(again.processor.users) == [ADA]
    assert encode_user(again.processor.users[ADA]) == before
    again.start()
    await again.shell.submit([seen(again, name="Other")])
    assert list(again.processor.users) == [ADA]
    await again.close()


async def test_a_crash_before_the_commit_leaves_both_as_they_were(rig: Rig, tmp_path: Path) -> None:
    rig.start()
    await rig.shell.submit([seen(rig), seen(rig, ADA)])
    rig.store.gate.clear()
    rig.processor.take(merged(rig), rig.clock.now_ms())
    assert list(rig.processor.users) == [ADA]
    rig.working.cancel()  # type: ignore[union-attr]

    again = await open_rig(tmp_path)
    assert sorted(again.processor.users) == sorted([ADA, ANON])
    await again.close()


async def test_what_a_user_saw_before_the_merge_is_replayed_to_nobody_twice(
    rig: Rig, tmp_path: Path
) -> None:
    rig.start()
    await rig.shell.submit([seen(rig)])
    await rig.shell.submit([seen(rig, "bob")])  # who is not saved: the tail begins with him
    await rig.shell.submit([merged(rig), seen(rig, name="Other")])
    state = encode_user(rig.processor.users[ADA])
    await rig.close()

    again = await open_rig(tmp_path)
    assert encode_user(again.processor.users[ADA]) == state
    await again.close()


@pytest.mark.parametrize("asked", [ANON, ADA])
async def test_erasing_by_any_id_leaves_no_byte_of_either(
    rig: Rig, tmp_path: Path, asked: str
) -> None:
    rig.start()
    await rig.shell.submit([seen(rig), seen(rig, ADA)])
    await rig.shell.submit([merged(rig)])
    # Somebody else at the same browser: his inputs do not tell of it.
    await rig.shell.submit([merged(rig, "bob"), merged(rig, "bob", alias=True)])
    await rig.shell.submit([seen(rig, name="Other"), seen(rig, "bob")])
    assert await rig.store.count("quarantine") == 1
    await rig.shell.settle()

    erased = await rig.erasing(tmp_path).erase(asked)
    assert erased.inputs >= 5
    assert list(rig.processor.users) == ["bob"]
    assert ANON.encode() not in bytes_in(tmp_path)
    assert ADA.encode() not in bytes_in(tmp_path)
    assert await rig.store.read(erasure.unfinished) == []
    await rig.shell.submit([seen(rig)])
    assert ANON in rig.processor.users


async def test_an_erasure_that_a_kill_broke_off_is_finished_for_all_ids(
    rig: Rig, tmp_path: Path
) -> None:
    rig.start()
    await rig.shell.submit([seen(rig), merged(rig)])
    await rig.shell.settle()
    ids = rig.processor.ids_of(ANON)
    await rig.store.transact(lambda c: erasure.begin(c, ids, rig.clock.now_ms()))
    await rig.close()

    store = await Store.open(tmp_path / "m.db")
    await finish_erasures(store, tmp_path / "outbox")
    await store.close()
    assert ANON.encode() not in bytes_in(tmp_path)
    assert ADA.encode() not in bytes_in(tmp_path)


async def test_at_rest_an_alias_finds_the_user_too(rig: Rig, tmp_path: Path) -> None:
    rig.start()
    await rig.shell.submit([seen(rig), merged(rig, "old")])
    await rig.shell.submit([merged(rig, ADA, "old", alias=True)])
    await rig.shell.settle()
    await rig.close()

    store = await Store.open(tmp_path / "m.db")
    user = await holdings.saved_state(store, ANON)
    assert user is not None
    assert user.user_id == ADA
    ids = await holdings.ids_of(store, ANON)
    assert ids == (ADA, ANON, "old")
    pieces = dossier.export(store, tmp_path / "outbox", ids, user, made_at_ms=0)
    document = msgspec.json.decode(b"".join([piece async for piece in pieces]))
    assert [one["id"] for one in document["state"]["aliases"]] == [ANON, "old"]
    assert [one["kind"] for one in document["events"]] == ["event", "merged", "merged"]
    await erase_at_rest(store, tmp_path / "outbox", ids, 0)
    await store.close()
    assert ANON.encode() not in bytes_in(tmp_path)


@pytest.mark.parametrize("asked", [ANON, ADA])
async def test_explain_tells_of_the_merge_and_of_what_was_before(rig: Rig, asked: str) -> None:
    rig.start()
    event = seen(rig)
    await rig.shell.submit([event])
    await rig.shell.submit([merged(rig)])
    explaining = Explaining(rig.store, keep_ms=HOUR, known=[PLAN], processor=rig.processor)
    told = await explaining.explain(asked, "c", now_ms=rig.clock.now_ms())
    assert told.user_id == ADA
    assert list(told.aliases) == [ANON]
    assert told.account.came is not None
    assert [record.kind for record in told.account.records] == ["entered"]


@pytest.mark.parametrize("first", ["a", "z"])
async def test_a_floor_that_is_copied_across_a_merge_has_what_both_did(
    rig: Rig, first: str
) -> None:
    """The one may have been copied before it, and the other behind it."""
    rig.start()
    into = first + ADA
    others = [f"m{number:03}" for number in range(SLICE_USERS)]
    await rig.shell.submit([seen(rig, user) for user in (into, ANON, *others)])
    await rig.shell.settle()
    now_ms = rig.clock.now_ms()
    floors = rig.store.floors
    # All are in rows of their own, which are copied in order of their ids.
    rows = [(one, encode_user(user)) for one, user in rig.processor.users.items()]
    await rig.store.transact(partial(_begin_anew, floors, rows=rows))
    for step in range(5):
        await rig.store.transact(partial(floors.work, now_ms=now_ms + 8 * HOUR, keep_ms=HOUR))
        if step == 1:
            await rig.shell.submit([merged(rig, into)])
            await rig.shell.settle()
    ids = rig.processor.ids_of(into)
    saved = [dict(await holdings.floors_of(rig.store, one)) for one in ids]
    states = [encode_user(user) for each in saved for user in each.values()]
    start = Start(now_ms, rig.processor.users[into].seen + 1, states, [])
    lived = live_again(Past(start, [], {}), ANON, now_ms)
    assert lived.user is not None
    if lived.user.user_id == into:
        assert len(lived.user.enrollments) == 2
    else:  # neither knows of it yet, and the merge is replayed to both
        assert len(saved[0]) == len(saved[1]) == 1


def _begin_anew(
    floors: Floors, connection: sqlite3.Connection, rows: list[tuple[str, bytes]]
) -> None:
    floors.forget()
    connection.execute("DELETE FROM user_log")
    connection.execute("DELETE FROM generations")
    connection.execute("INSERT INTO generations VALUES (0, 1, 0, 0)")
    connection.executemany("INSERT OR REPLACE INTO users VALUES (?, ?, 0)", rows)
