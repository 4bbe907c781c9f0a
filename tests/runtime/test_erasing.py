from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from channels.base import Accepted, Rejected
from engine.core.inputs import (
    DeliveryReported,
    EventReceived,
    InputErased,
    MessageAnswered,
    UserErased,
    UsersMerged,
    decode_inputs,
)
from engine.core.plan import Plan
from engine.core.state import NEVER
from engine.runtime import erasing as erasing_module
from engine.runtime.erasing import finish_erasures
from engine.runtime.tombstones import Tombstones
from engine.store import CommitFailed, erasure, holdings
from tests.core.world import HOUR, START, World, campaign, send, wait
from tests.runtime.rig import Rig, ScriptedChannel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PLAN = Plan("p", [campaign("c", send("email"), wait(HOUR), send("email"))])


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    opened = await Rig.open(tmp_path / "e.db", PLAN, rate=1.0, email=ScriptedChannel())
    yield opened
    opened.store.gate.set()
    await opened.close()


async def test_ingest_goes_on_while_a_user_is_erased(rig: Rig, tmp_path: Path) -> None:
    rig.start()
    for number in range(40):
        await rig.shell.submit([rig.event(user=f"u{number % 4}")])
    work = rig.erasing(tmp_path)
    erased = asyncio.create_task(work.erase("u1"))
    while not erased.done():
        # What comes of him meanwhile is not taken: the erasure is as of its end.
        meanwhile = work.is_unfinished("u1") and not rig.processor.tombstones.barred
        users = ("u0", "u1", "u2", "u3") if meanwhile else ("u0",)
        await rig.shell.submit([rig.event(user=user, name="Other") for user in users])
    assert erased.result().inputs == 11  # with the input that erases
    assert rig.processor.tombstones.barred > 0
    assert "u1" not in rig.processor.users
    assert not await holdings.is_held(rig.store, "u1")
    assert {"u0", "u2", "u3"} <= rig.processor.users.keys()
    assert await rig.store.read(erasure.unfinished) == []
    await rig.shell.submit([rig.event(user="u1")])
    assert "u1" in rig.processor.users


async def test_a_message_in_flight_ends_and_nobody_hears_of_it(rig: Rig, tmp_path: Path) -> None:
    channel = rig.channels["email"]
    channel.gate.clear()
    rig.reachable("u1")
    rig.start()
    await rig.shell.submit([rig.event(user="u1")])
    await channel.began.wait()
    await rig.erasing(tmp_path).erase("u1")
    channel.gate.set()
    channel.script.append(Accepted())
    await rig.shell.submit([rig.event(user="u2")])
    await rig.shell.settle()
    assert "u1" not in rig.processor.users
    assert not await holdings.is_held(rig.store, "u1")
    assert len(channel.handed) == 1


async def test_a_message_that_comes_back_behind_the_erasure_is_nobodys_who_came_again(
    rig: Rig, tmp_path: Path
) -> None:
    channel = rig.channels["email"]
    channel.gate.clear()
    rig.reachable("u1")
    rig.start()
    await rig.shell.submit([rig.event(user="u1")])
    await channel.began.wait()
    await rig.erasing(tmp_path).erase("u1")
    await rig.shell.submit([rig.event("Other", user="u1")])
    channel.script.append(Rejected("no such mailbox", address_invalid=True))
    channel.gate.set()
    while rig.processor.tombstones.barred == 0:
        await asyncio.sleep(0)
    await rig.shell.settle()
    held = [one async for one in holdings.inputs_of(rig.store, "u1")]
    assert [one for one in held if isinstance(one, MessageAnswered)] == []


async def test_a_second_erasure_finds_nothing_and_is_no_fault(rig: Rig, tmp_path: Path) -> None:
    rig.start()
    await rig.shell.submit([rig.event(user="u1")])
    work = rig.erasing(tmp_path)
    first, second = await asyncio.gather(work.erase("u1"), work.erase("u1"))
    assert (first.inputs, second.inputs) == (2, 1)  # with the input that erases
    assert not work.is_unfinished("u1")


async def test_a_commit_that_fails_leaves_the_erasure_to_the_next_attempt(
    rig: Rig, tmp_path: Path
) -> None:
    rig.start()
    await rig.shell.submit([rig.event(user="u1")])
    rig.shell.stop_taking()
    work = rig.erasing(tmp_path)
    with pytest.raises(Exception, match="stopping"):
        await work.erase("u1")
    assert work.is_unfinished("u1")
    (left,) = await rig.store.read(erasure.unfinished)
    assert left.user_id == "u1"


async def test_who_asks_again_has_the_ids_erased_that_the_first_try_had_found(
    rig: Rig, tmp_path: Path
) -> None:
    rig.start()
    await rig.shell.submit([rig.event(user="d1")])
    said = UsersMerged("u1", START, START, merged_id="d1", is_alias=True)
    await rig.shell.submit([said])
    work = rig.erasing(tmp_path)
    first = asyncio.create_task(work.erase("u1"))
    while "u1" in rig.processor.users:
        await asyncio.sleep(0)
    first.cancel()  # he is forgotten, and with him which ids were his; nothing else was done
    await asyncio.wait([first])
    assert work.is_unfinished("d1")
    await work.erase("u1")
    assert await rig.store.read(erasure.unfinished) == []
    assert not await holdings.is_held(rig.store, "d1")
    assert not work.is_unfinished("d1")


async def test_who_is_asked_for_again_after_a_try_that_only_lacked_its_end_is_erased_whole(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.start()
    work = rig.erasing(tmp_path)

    def fail(*_: object, **_named: object) -> None:
        raise CommitFailed("no room", hint="", again=True)

    with monkeypatch.context() as patched:
        patched.setattr(erasure, "finish", fail)
        with pytest.raises(CommitFailed):
            await work.erase("u1")
    await rig.shell.submit([rig.event(user="u1")])  # he comes again
    with monkeypatch.context() as patched:
        patched.setattr(erasing_module, "erase_files", fail)
        with pytest.raises(CommitFailed):
            await work.erase("u1")
    await work.erase("u2")  # brings to its end what needs no more than that
    (left,) = await rig.store.read(erasure.unfinished)
    assert left.user_id == "u1"
    await finish_erasures(rig.store, tmp_path)  # as the next start does
    assert await rig.store.read(erasure.unfinished) == []
    assert not await holdings.is_held(rig.store, "u1")


async def test_a_start_erases_also_who_was_merged_behind_the_tombstone(
    rig: Rig, tmp_path: Path
) -> None:
    rig.start()
    await rig.shell.submit([rig.event(user="d1")])
    await rig.store.transact(partial(erasure.begin, user_ids=("d1",), at_ms=START))
    said = UsersMerged("u1", START, START, merged_id="d1", is_alias=True)
    await rig.shell.submit([said])  # and here the process dies
    await rig.shell.settle()
    await finish_erasures(rig.store, tmp_path)
    assert await rig.store.read(erasure.unfinished) == []
    for user_id in ("u1", "d1"):
        assert not await holdings.is_held(rig.store, user_id)


async def test_the_backups_that_are_still_there_are_named(rig: Rig, tmp_path: Path) -> None:
    rig.start()
    await rig.shell.submit([rig.event(user="u1")])
    (tmp_path / "kept.db").write_text("")
    (tmp_path / "e.db.before-1").write_text("")
    for name in ("kept.db", "gone.db"):
        note = (str(tmp_path / name), START)
        await rig.store.transact(
            lambda c, note=note: c.execute("INSERT INTO backups (path, at_ms) VALUES (?, ?)", note)
        )
    erased = await rig.erasing(tmp_path).erase("u1")
    assert [one.path for one in erased.backups] == [
        str(tmp_path / "kept.db"), str(tmp_path / "e.db.before-1"),
    ]  # fmt: skip


# In the processor


def test_an_erased_user_fires_no_deadline_and_is_saved_no_more() -> None:
    world = World(campaign("c", wait(10), send("email")))
    world.reachable()
    world.event("Go", at=0)
    world.processor.erase("u", START + 5)
    batch = world.processor.begin(START + 5)
    assert batch is not None
    assert [type(one) for one in decode_inputs(batch.inputs)] == [UserErased]
    assert (batch.users, batch.states) == ([], [])
    world.processor.finish(batch)
    assert world.advance(at=100) == []
    assert world.processor.users == {}


@pytest.mark.parametrize("journaled", [UserErased("u", START + 5), InputErased(START + 5)])
def test_a_replay_forgets_whom_the_journal_forgot(journaled: Any) -> None:
    world = World(campaign("c", wait(10), send("email")))
    world.event("Go", at=0)
    count = world.processor.replay([(2, journaled)])
    assert count == 1
    assert ("u" in world.processor.users) is isinstance(journaled, InputErased)


# Tombstones


def event(at_ms: int, user_id: str = "u") -> EventReceived:
    return EventReceived(user_id, "Go", at_ms, at_ms)


def test_what_happened_before_the_erasure_is_barred_and_what_happened_at_it_is_not() -> None:
    stones = Tombstones()
    stones.add("u", START)
    assert stones.bars(event(START - 1), {})
    assert not stones.bars(event(START), {})
    assert not stones.bars(event(START - 1, "other"), {})
    assert stones.barred == 1


def test_while_an_erasure_is_under_way_everything_of_him_is_barred() -> None:
    stones = Tombstones()
    stones.add("u", NEVER)
    assert stones.bars(event(START + HOUR), {})
    assert not stones.bars(event(START + HOUR, "other"), {})
    stones.add("u", START)
    assert not stones.bars(event(START + HOUR), {})


def test_a_delivery_of_nobody_who_is_known_is_barred() -> None:
    stones = Tombstones()
    stones.add("u", START)
    report = DeliveryReported("u", "e", "delivered")
    assert stones.bars(report, {})
    assert not stones.bars(report, {"u": 1})
