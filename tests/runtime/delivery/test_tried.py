"""What is known of attempts that failed is known after a restart."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from channels.base import Accepted, Rejected, Retry
from engine.core.plan import Plan
from engine.runtime.delivery.attempts import GIVE_UP_MS
from engine.runtime.delivery.breaker import FAILURES_MAX
from engine.runtime.delivery.letters import Chosen, page, retry
from engine.store import outbox
from tests.core.world import HOUR, campaign, send
from tests.runtime.rig import Rig, ScriptedChannel

if TYPE_CHECKING:
    from pathlib import Path

    from channels.base import Outcome

PLAN = Plan("p", [campaign("c", send("email", expires=1_000 * HOUR))])
ALL = Chosen(all=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hairspring.db"


def a_day_later() -> int:
    return time.time_ns() + (GIVE_UP_MS + HOUR) * 1_000_000  # noqa: TID251 - a machine's own clock


async def put_off_once(path: Path, outcome: Outcome) -> None:
    """A process in which one mail was tried once, and that has ended."""
    email = ScriptedChannel(outcome)
    rig = await Rig.open(path, PLAN, rate=1.0, email=email)
    rig.reachable("u")
    rig.start()
    await rig.shell.submit([rig.event()])
    await email.began.wait()
    await rig.close()


async def test_attempts_are_counted_over_a_restart(path: Path) -> None:
    await put_off_once(path, Retry("busy", HOUR))
    rig = await Rig.open(path, PLAN, rate=1.0, email=ScriptedChannel(Rejected("never")))
    (row,) = await rig.store.outbox("email", 0, 9)
    assert row.attempts == 1
    assert row.tried_at_ms >= row.message.at_ms
    rig.start()
    await rig.until("failed")
    (letter,) = (await page(rig.store, ALL, limit=9, after=0))["deadletters"]
    assert letter["attempts"] == 2
    await rig.close()


async def test_a_message_that_was_tried_for_a_day_is_given_up_whatever_restarted(
    path: Path,
) -> None:
    await put_off_once(path, Retry("busy", HOUR))
    email = ScriptedChannel(Retry("still busy"))
    rig = await Rig.open(path, PLAN, rate=1.0, wall_ns=a_day_later, email=email)
    rig.start()
    (failed,) = await rig.until("failed")
    assert failed.reason == "gave up: still busy"
    assert len(email.handed) == 1, "it is due at once after a start"
    await rig.close()


async def test_a_letter_that_is_retried_has_its_day_anew(path: Path) -> None:
    await put_off_once(path, Retry("busy", HOUR))
    email = ScriptedChannel(Rejected("no"), Retry("busy"))
    rig = await Rig.open(path, PLAN, rate=1.0, wall_ns=a_day_later, email=email)
    rig.start()
    await rig.until("failed")
    outcome = await retry(rig.store, rig.shell, rig.processor, ALL, lambda _done, _total: None)
    assert outcome.retried == 1
    await rig.until("delivered")
    assert len(email.handed) == 3
    await rig.close()


async def test_what_waits_behind_a_provider_is_given_up_a_day_after_it_went_down(
    path: Path,
) -> None:
    users = [f"u{number}" for number in range(20)]
    email = ScriptedChannel(*(Retry("down") for _ in range(FAILURES_MAX)))
    rig = await Rig.open(path, PLAN, rate=1.0, concurrency=1, email=email)
    rig.reachable(*users)
    rig.start()
    await rig.shell.submit([rig.event(user=user) for user in users])
    while not await rig.store.read(outbox.failing):
        await asyncio.sleep(0)
    await rig.close()

    still = ScriptedChannel(*(Retry("down") for _ in range(10_000)))
    rig = await Rig.open(path, PLAN, rate=1_000.0, concurrency=1, wall_ns=a_day_later, email=still)
    began_ms = rig.clock.now_ms()
    rig.start()
    failed = await rig.until("failed", len(users))
    assert {record.reason for record in failed} == {"gave up: down"}
    assert len({message.user_id for message in still.handed}) < len(users)
    assert all(record.at_ms - began_ms < GIVE_UP_MS for record in failed)
    await rig.close()


async def test_a_provider_that_answers_after_a_restart_is_down_no_more(path: Path) -> None:
    email = ScriptedChannel(*(Retry("down") for _ in range(FAILURES_MAX)))
    rig = await Rig.open(path, PLAN, rate=1.0, concurrency=1, email=email)
    users = [f"u{number}" for number in range(FAILURES_MAX)]
    rig.reachable(*users)
    rig.start()
    await rig.shell.submit([rig.event(user=user) for user in users])
    while not await rig.store.read(outbox.failing):
        await asyncio.sleep(0)
    await rig.close()

    rig = await Rig.open(path, PLAN, email=ScriptedChannel())
    rig.start()
    await rig.until("delivered", len(users))
    await rig.close()
    rig = await Rig.open(path, PLAN, email=ScriptedChannel(Accepted()))
    assert await rig.store.read(outbox.failing) == []
    await rig.close()
