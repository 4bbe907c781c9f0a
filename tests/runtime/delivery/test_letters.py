"""Dead letters: told, and delivered after all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from channels.base import Rejected
from engine.core.plan import Plan
from engine.runtime.delivery.letters import Chosen, Outcome, page, retry
from tests.core.world import HOUR, campaign, send
from tests.runtime.rig import Rig, ScriptedChannel

if TYPE_CHECKING:
    from pathlib import Path

PLAN = Plan("p", [campaign("c", send("email", expires=1000 * HOUR), exits=("Stop",))])
ALL = Chosen(all=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hairspring.db"


def nobody(_done: int, _total: int) -> None:
    pass


async def failed(
    path: Path, *users: str, plan: Plan = PLAN, rate: float = 1.0
) -> tuple[Rig, ScriptedChannel]:
    """A process whose mails to these users were all refused."""
    email = ScriptedChannel(*(Rejected("550 no such user") for _ in users))
    rig = await Rig.open(path, plan, rate=rate, email=email)
    rig.reachable(*users)
    rig.start()
    await rig.shell.submit([rig.event(user=user) for user in users])
    await rig.until("failed", len(users))
    return rig, email


async def again(rig: Rig, chosen: Chosen = ALL) -> Outcome:
    return await retry(rig.store, rig.shell, rig.processor, chosen, nobody)


async def test_a_letter_is_told_with_its_reason_and_its_attempts(path: Path) -> None:
    rig, email = await failed(path, "u")
    told = await page(rig.store, Chosen(channel="email", campaign="c"), limit=10, after=0)
    (letter,) = told["deadletters"]
    assert told["total"] == 1
    assert letter["id"] == email.handed[0].id
    assert (letter["reason"], letter["said"]) == ("rejected", "550 no such user")
    assert (letter["attempts"], letter["user_id"]) == (1, "u")
    assert letter["failed_at"] >= letter["at"]
    assert (await page(rig.store, Chosen(channel="push"), limit=9, after=0))["deadletters"] == []
    assert (await page(rig.store, ALL, limit=9, after=letter["number"]))["deadletters"] == []
    await rig.close()


async def test_a_retry_sends_the_same_bytes_under_the_same_key(path: Path) -> None:
    rig, email = await failed(path, "a", "b")
    rig.dispatcher.composer.templates = {}  # nothing is rendered again
    assert await again(rig) == Outcome(2, 2, [])
    await rig.until("delivered", 2)
    first, second = email.handed[:2], email.taken
    assert sorted(one.to_bytes() for one in first) == sorted(one.to_bytes() for one in second)
    assert await rig.store.count("outbox") == 0
    await rig.close()


async def test_one_that_is_retried_twice_goes_once(path: Path) -> None:
    rig, email = await failed(path, "u")
    email.gate.clear()
    assert (await again(rig)).retried == 1
    assert (await again(rig)).asked == 0
    email.gate.set()
    await rig.until("delivered")
    assert len(email.taken) == 1
    await rig.close()


async def test_one_that_fails_again_is_a_dead_letter_again(path: Path) -> None:
    rig, email = await failed(path, "u")
    email.script = [Rejected("still not")]
    await again(rig, Chosen(ids=(email.handed[0].id,)))
    await rig.until("failed", 2)
    (letter,) = (await page(rig.store, ALL, limit=9, after=0))["deadletters"]
    assert letter["said"] == "still not"
    await rig.close()


async def test_whoever_has_unsubscribed_since_gets_nothing(path: Path) -> None:
    rig, email = await failed(path, "u")
    rig.processor.users["u"].traits = {"email": "a@example.com", "consent": {"email": False}}
    outcome = await again(rig)
    assert (outcome.retried, outcome.left[0].reason) == (0, "no_consent")
    assert len(email.handed) == 1
    assert (await page(rig.store, ALL, limit=9, after=0))["total"] == 1
    await rig.close()


async def test_what_has_expired_since_stays(path: Path) -> None:
    plan = Plan("p", [campaign("c", send("email", expires=5 * HOUR))])
    rig, _ = await failed(path, "u", plan=plan)
    await rig.close()
    later = (rig.clock.now_ms() + 6 * HOUR) * 1_000_000
    second = await Rig.open(path, plan, rate=1.0, wall_ns=lambda: later, email=ScriptedChannel())
    second.start()
    await second.shell.submit([second.event("Tick")])
    outcome = await again(second)
    assert [left.reason for left in outcome.left] == ["expired"]
    await second.close()


async def test_letters_are_there_after_a_restart_and_go_then(path: Path) -> None:
    rig, email = await failed(path, "u")
    await rig.close()
    later = ScriptedChannel()
    second = await Rig.open(path, PLAN, rate=1.0, email=later)
    second.start()
    assert (await again(second)).retried == 1
    await second.until("delivered")
    assert [one.to_bytes() for one in later.taken] == [one.to_bytes() for one in email.handed]
    await second.close()


async def test_a_restart_between_the_retry_and_its_delivery_delivers_it(path: Path) -> None:
    rig, email = await failed(path, "u")
    email.gate.clear()
    await again(rig)
    await rig.dispatcher.stop(0)
    await rig.close()
    later = ScriptedChannel()
    second = await Rig.open(path, PLAN, rate=1.0, email=later)
    second.start()
    await second.until("delivered")
    assert [one.id for one in later.taken] == [email.handed[0].id]
    await second.close()


async def test_what_is_retried_is_not_let_go_of_by_age_meanwhile(path: Path) -> None:
    rig, email = await failed(path, "u")
    rig.shell.is_holding = True  # it has been read, and waits to be taken
    retried = asyncio.create_task(again(rig))
    while not rig.shell.inbox.waiting:
        await asyncio.sleep(0)
    pruned = asyncio.create_task(rig.store.prune(rig.processor.now_ms + 2 * rig.store.keep_ms))
    await rig.store.read(lambda _: None)  # whatever was to be done before is done
    rig.shell.is_holding = False
    await rig.shell.submit([])
    assert (await retried).retried == 1
    await pruned
    await rig.until("delivered")
    assert len(email.taken) == 1
    await rig.close()


async def test_nothing_is_meant_by_saying_nothing() -> None:
    assert not Chosen().is_clear
    assert not Chosen(ids=("a",), all=True).is_clear
    assert Chosen(campaign="c", channel="email").is_clear
