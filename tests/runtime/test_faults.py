"""Providers that fail at random under load: in the end each message's fate is known, and one."""

from __future__ import annotations

import random  # noqa: TID251 - seeded by the test
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from typing_extensions import override

from channels.base import Accepted, Rejected, Retry
from engine.core.plan import Plan
from engine.runtime.delivery.letters import Chosen, page
from tests.core.world import HOUR, campaign, send
from tests.runtime.rig import Rig, ScriptedChannel

if TYPE_CHECKING:
    from pathlib import Path

    from channels.base import Message, Outcome

USERS = 200
PUSH = {"endpoint": "https://push.example.com/1"}


class Moody(ScriptedChannel):
    """Takes, puts off, refuses, breaks, or takes without saying so; in spells it is down."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._chance = random.Random(seed)
        self._down_for = 0

    @override
    async def deliver(self, message: Message) -> Outcome:
        self.handed.append(message)
        if self._chance.random() < 0.01:
            self._down_for = 30
        if self._down_for:
            self._down_for -= 1
            return Retry("the connection was refused")
        drawn = self._chance.random()
        if drawn < 0.2:
            return Retry("busy", 2_000)
        if drawn < 0.3:
            return Rejected("550 no such user")
        if drawn < 0.35:
            raise RuntimeError("spoke in tongues")
        self.taken.append(message)
        return Retry("dropped after DATA") if drawn < 0.45 else Accepted()


def unmade(rig: Rig) -> list[str]:
    """Why sends were skipped at their step."""
    skipped = (record for record in rig.records if record.kind == "skipped")
    return [record.reason for record in skipped if not record.message]


@pytest.mark.parametrize("seed", [1, 2])
async def test_after_a_storm_every_message_is_delivered_fallen_back_expired_or_a_dead_letter(
    tmp_path: Path, seed: int
) -> None:
    email, push = Moody(seed), Moody(seed + 100)
    plan = Plan("p", [
        campaign("fallback", send("email", "push")),
        campaign("alone", send("email"), on=("Ping",)),
        campaign("hurried", send("email", expires=HOUR), on=("Pong",)),
    ])  # fmt: skip
    rig = await Rig.open(tmp_path / "hairspring.db", plan, email=email, push=push)
    users = [f"u{number}" for number in range(USERS)]
    rig.reachable(*users, push=PUSH)
    rig.start()
    for name in ("Go", "Ping", "Pong"):
        await rig.shell.submit([rig.event(name, user=user) for user in users])

    def fates() -> Counter[str]:
        return Counter(record.kind for record in rig.records)

    ended = ("delivered", "failed", "skipped")
    # Where the machine is slow, an hour has passed before a step is come to: no message is made.
    while (seen := fates())["sent"] + len(unmade(rig)) < 3 * USERS or (
        sum(map(seen.__getitem__, ended)) < seen["sent"] + len(unmade(rig))
    ):
        rig.changed.clear()
        await rig.changed.wait()

    assert set(unmade(rig)) <= {"expired"}
    seen["skipped"] -= len(unmade(rig))
    made = 3 * USERS - len(unmade(rig))
    of_message: dict[str, list[str]] = {}
    for record in rig.records:
        if record.kind in ended and record.message:
            of_message.setdefault(record.message, []).append(record.kind)
    assert {len(fate) for fate in of_message.values()} == {1}, "one end each"
    assert len(of_message) == seen["sent"]
    fallbacks = seen["sent"] - made
    letters = (await page(rig.store, Chosen(all=True), limit=1, after=0))["total"]
    assert seen["failed"] == fallbacks + letters
    assert seen["delivered"] + seen["skipped"] + letters == made
    assert min(fallbacks, letters, seen["delivered"]) > 0
    assert await rig.store.count("outbox") == letters
    for channel in (email, push):
        wires: dict[str, set[bytes]] = {}
        for message in channel.handed:
            wires.setdefault(message.id, set()).add(message.to_bytes())
        assert {len(same) for same in wires.values()} == {1}, "the same bytes each time"
    await rig.close()
