"""Providers that are down or slow, and whose turn it is, through the whole dispatcher."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from channels.base import Accepted, Rejected, Retry
from engine.core.plan import Plan
from engine.runtime.delivery import lane as lane_module
from engine.runtime.delivery.attempts import GIVE_UP_FOR_FALLBACK_MS
from engine.runtime.delivery.breaker import FAILURES_MAX
from tests.core.world import HOUR, campaign, send
from tests.runtime.rig import Rig, ScriptedChannel

if TYPE_CHECKING:
    from pathlib import Path

    from channels.base import Message, Outcome

PUSH = {"endpoint": "https://push.example.com/1"}
BULK = Plan("p", [campaign("c", send("email"))])


class Down(ScriptedChannel):
    """Puts everything off until it is told to take it."""

    def __init__(self) -> None:
        super().__init__()
        self.is_up = False

    async def deliver(self, message: Message) -> Outcome:
        if self.is_up:
            return await super().deliver(message)
        self.handed.append(message)
        return Retry("down")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hairspring.db"


async def test_what_is_transactional_goes_before_the_bulk_that_waits_on_disk(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_module, "HELD_MAX", 6)
    urgent = campaign("t", send("email"), on=("Order Completed",), purpose="transactional")
    email = ScriptedChannel()
    email.gate.clear()
    rig = await Rig.open(path, Plan("p", [*BULK.campaigns.values(), urgent]), concurrency=1,
                         email=email)  # fmt: skip
    users = [f"u{number}" for number in range(60)]
    rig.reachable(*users)
    rig.start()
    await rig.shell.submit([rig.event(user=user) for user in users])
    await email.began.wait()
    await rig.shell.submit([rig.event("Order Completed", user="u59")])
    line = rig.dispatcher._lines["email"]
    while (provider := line.known("email")) is None or not provider.ready[0]:
        await asyncio.sleep(0)
    email.gate.set()
    await rig.until("delivered", 61)
    campaigns = [message.campaign for message in email.taken]
    assert campaigns.index("t") == 1  # behind the one that was under way
    assert campaigns.count("c") == 60
    await rig.close()


async def test_while_a_provider_is_down_nothing_is_attempted_and_then_all_goes_once(
    path: Path,
) -> None:
    email = Down()
    rig = await Rig.open(path, BULK, concurrency=1, rate=1_000.0, email=email)
    users = [f"u{number}" for number in range(40)]
    rig.reachable(*users)
    rig.start()
    with capture_logs() as lines:
        await rig.shell.submit([rig.event(user=user) for user in users])
        while not any(line["event"] == "breaker.opened" for line in lines):
            await asyncio.sleep(0)
        assert len(email.handed) == FAILURES_MAX
        email.is_up = True
        await rig.until("delivered", 40)
    assert sorted(message.user_id for message in email.taken) == sorted(users)
    assert [line["event"] for line in lines if line["event"].startswith("breaker")] == [
        "breaker.opened", "breaker.closed",
    ]  # fmt: skip
    await rig.close()


async def test_what_was_never_attempted_goes_to_its_fallback_when_its_time_is_up(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_module, "HELD_MAX", 6)  # most of them are on disk alone
    email, push = Down(), ScriptedChannel()
    rig = await Rig.open(
        path, Plan("p", [campaign("c", send("email", "push"))]), email=email, push=push
    )
    users = [f"u{number}" for number in range(30)]
    rig.reachable(*users, push=PUSH)
    rig.start()
    await rig.shell.submit([rig.event(user=user) for user in users])
    failed = await rig.until("failed", 30)
    assert {record.reason for record in failed} == {"gave up: down"}
    await rig.until("delivered", 30)
    assert sorted(message.user_id for message in push.taken) == sorted(users)
    attempted = {message.user_id for message in email.handed}
    assert len(attempted) < 30, "attempts are not made on a provider that is down"
    sent = {record.user_id: record.at_ms for record in rig.records if record.kind == "sent"}
    assert all(record.at_ms - sent[record.user_id] <= 2 * GIVE_UP_FOR_FALLBACK_MS + HOUR
               for record in failed)  # fmt: skip
    await rig.close()


async def test_what_expires_while_its_provider_is_down_is_skipped_then(path: Path) -> None:
    email = Down()
    plan = Plan("p", [campaign("c", send("email", expires=HOUR))])
    rig = await Rig.open(path, plan, concurrency=1, email=email)
    users = [f"u{number}" for number in range(20)]
    rig.reachable(*users)
    rig.start()
    await rig.shell.submit([rig.event(user=user) for user in users])
    skipped = await rig.until("skipped", 20)
    assert {record.reason for record in skipped} == {"expired"}
    assert await rig.store.count("outbox") == 0
    await rig.close()


async def test_an_answer_that_refuses_a_message_says_that_the_provider_is_there(
    path: Path,
) -> None:
    script: list[Outcome] = []
    for _ in range(5):
        script += [Retry("no", of_provider=False)] * 4 + [Rejected("never")]
    email = ScriptedChannel(*script)
    rig = await Rig.open(path, BULK, concurrency=1, email=email)
    users = [f"u{number}" for number in range(25)]
    rig.reachable(*users)
    rig.start()
    with capture_logs() as lines:
        await rig.shell.submit([rig.event(user=user) for user in users])
        await rig.until("delivered", 20)
    assert not [line for line in lines if line["event"].startswith("breaker")]
    assert isinstance(await email.deliver(email.taken[0]), Accepted)
    await rig.close()
