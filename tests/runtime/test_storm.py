"""Real servers that hang, refuse, rave and drop connections at random, under load, on each channel.

`HAIRSPRING_STORM_S=60 pytest tests/runtime/test_storm.py` has it last a minute.
"""

from __future__ import annotations

import asyncio
import os
import random  # noqa: TID251 - seeded by the test
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from channels.base import CHANNEL_IDS
from channels.templates.parsing import parse_template
from engine.core.plan import Plan
from engine.runtime.delivery.letters import Chosen, page
from tests.channels.providers import (
    HttpProvider,
    InboxProvider,
    PushProvider,
    SmtpProvider,
    TwilioProvider,
)
from tests.core.world import HOUR, campaign, send
from tests.runtime.rig import TEMPLATES, Rig

if TYPE_CHECKING:
    from pathlib import Path

STORM_S = float(os.environ.get("HAIRSPRING_STORM_S", "3"))
USERS = 25
TIMEOUT_MS = 200
_BODIES = {"webhook": '{"sku": 1}', "sms": "Still there", "in_app": "---\ntitle: T\n---\nThere"}
ENDED = ("delivered", "failed", "skipped")


async def _storm(ends: list[Any], chance: random.Random) -> None:
    """Moods change ten times a second until all is well again."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + STORM_S
    while loop.time() < until_s:
        for end in ends:
            refuses = () if end.channel_id == "in_app" else ("refuses",)
            end.be(chance.choice(["well", "well", *end.moods, *refuses]))
        await asyncio.sleep(0.1)
    for end in ends:
        end.be("well")


class _Tally:
    """What became of all that was to be sent."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig

    def unmade(self) -> list[str]:
        """Why sends were skipped at their step: they made no message."""
        skipped = (one for one in self._rig.records if one.kind == "skipped")
        return [one.reason for one in skipped if not one.message]

    def kinds(self) -> Counter[str]:
        """How many messages were sent, and how many of them ended how."""
        made = (one for one in self._rig.records if one.message)
        return Counter(one.kind for one in made if one.kind in {"sent", *ENDED})

    def delivered(self, channel_id: str) -> set[str]:
        """The messages that a channel took."""
        records = self._rig.records
        return {
            one.message for one in records if (one.kind, one.channel) == ("delivered", channel_id)
        }

    async def settled(self, asked: int) -> Counter[str]:
        """The kinds, once all that was asked for is sent or skipped, and each has ended."""
        while (seen := self.kinds())["sent"] + len(self.unmade()) < asked or (
            sum(map(seen.__getitem__, ENDED)) < seen["sent"]
        ):
            self._rig.changed.clear()
            await self._rig.changed.wait()
        return seen


async def _ends(folder: Path) -> list[Any]:
    """The far end of each channel, at work."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    (folder / "inbox").mkdir()
    ends = [
        PushProvider(), TwilioProvider(), SmtpProvider("none", authority, folder / "ca.pem"),
        InboxProvider(folder / "inbox"), HttpProvider(),
    ]  # fmt: skip
    for end in ends:
        await end.start()
    assert {one.channel_id for one in ends} == set(CHANNEL_IDS)
    return ends


async def _rig(folder: Path, plan: Plan, users: list[str], ends: list[Any]) -> Rig:
    """A process whose users can be reached on every channel."""
    channels = {one.channel_id: one.make(timeout_ms=TIMEOUT_MS) for one in ends}
    rig = await Rig.open(folder / "hairspring.db", plan, rate=1_000.0, **channels)
    more = {("t", one): parse_template("t", one, body, one) for one, body in _BODIES.items()}
    rig.dispatcher.composer.templates = {**TEMPLATES, **more}
    push, phone = ends[0].browser.subscription, "+33612345678"
    rig.reachable(*users, push=push, phone=phone, consent={"email": True, "sms": True})
    rig.start()
    return rig


@pytest.mark.timeout(600)
async def test_after_a_storm_of_real_servers_the_counts_add_up(tmp_path: Path) -> None:
    ends = await _ends(tmp_path)
    order = tuple(end.channel_id for end in ends)
    plan = Plan("p", [
        campaign("forwards", send(*order)),
        campaign("backwards", send(*reversed(order))),
        *(campaign(f"alone-{place}", send(one), on=("Ping",)) for place, one in enumerate(order)),
        campaign("hurried", send("email", expires=HOUR), on=("Pong",)),
    ])  # fmt: skip
    users = [f"u{number}" for number in range(USERS)]
    rig = await _rig(tmp_path, plan, users, ends)
    tally, asked = _Tally(rig), 0
    storm = asyncio.create_task(_storm(ends, random.Random(7)))
    while not storm.done() or not asked:
        for name, sends in (("Go", 2), ("Ping", len(order)), ("Pong", 1)):
            await rig.shell.submit([rig.event(name, user=user) for user in users])
            asked += USERS * sends
        await asyncio.sleep(0.5)
    seen = await tally.settled(asked)
    # Where the machine is slow, an hour has passed before a step is come to: no message is made.
    assert set(tally.unmade()) <= {"expired"}
    made = asked - len(tally.unmade())
    fates = Counter(one.message for one in rig.records if one.kind in ENDED and one.message)
    assert set(fates.values()) == {1}, "one end each"
    assert len(fates) == seen["sent"]
    fallbacks = seen["sent"] - made
    letters = (await page(rig.store, Chosen(all=True), limit=1, after=0))["total"]
    assert seen["failed"] == fallbacks + letters
    assert seen["delivered"] + seen["skipped"] + letters == made
    assert min(fallbacks, letters, seen["delivered"]) > 0
    assert await rig.store.count("outbox") == letters
    for end in ends:
        arrived = [end.key(wire) for wire in end.wires()]
        delivered = tally.delivered(end.channel_id)
        assert delivered
        assert delivered <= set(arrived), "what counts as delivered arrived"
        assert end.duplicates > 1 or len(arrived) == len(set(arrived))
    await rig.close()
    for end in ends:
        await end.close()
