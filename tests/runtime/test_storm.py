"""Real servers that hang, refuse, rave and drop connections at random, under load.

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

from channels.parsing import parse_template
from engine.core.plan import Plan
from engine.runtime.delivery.letters import Chosen, page
from tests.channels.providers import BAD_MOODS, HttpProvider, SmtpProvider
from tests.core.world import HOUR, campaign, send
from tests.runtime.rig import TEMPLATES, Rig

if TYPE_CHECKING:
    from pathlib import Path

    from channels.rendering import Template

STORM_S = float(os.environ.get("HAIRSPRING_STORM_S", "3"))
USERS = 60
WEBHOOK: Template = parse_template("t", "webhook", '{"sku": 1}', "t.webhook")


async def _storm(ends: list[Any], chance: random.Random) -> None:
    """Moods change ten times a second until all is well again."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + STORM_S
    while loop.time() < until_s:
        for end in ends:
            end.be(chance.choice(["well", "well", *BAD_MOODS]))
        await asyncio.sleep(0.1)
    for end in ends:
        end.be("well")


@pytest.mark.timeout(300)
async def test_after_a_storm_of_real_servers_the_counts_add_up(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    mail, hooks = SmtpProvider("none", authority, tmp_path / "ca.pem"), HttpProvider()
    await mail.start()
    await hooks.start()
    plan = Plan("p", [
        campaign("fallback", send("email", "webhook")),
        campaign("alone", send("webhook"), on=("Ping",)),
        campaign("hurried", send("email", expires=HOUR), on=("Pong",)),
    ])  # fmt: skip
    channels: dict[str, Any] = {
        "email": mail.make(timeout_ms=200), "webhook": hooks.make(timeout_ms=200),
    }  # fmt: skip
    rig = await Rig.open(tmp_path / "hairspring.db", plan, rate=1_000.0, **channels)
    rig.dispatcher.templates = {**TEMPLATES, ("t", "webhook"): WEBHOOK}
    users = [f"u{number}" for number in range(USERS)]
    rig.reachable(*users)
    rig.start()
    storm = asyncio.create_task(_storm([mail, hooks], random.Random(7)))
    asked = 0
    while not storm.done() or not asked:
        for name in ("Go", "Ping", "Pong"):
            await rig.shell.submit([rig.event(name, user=user) for user in users])
            asked += USERS
        await asyncio.sleep(0.5)
    ended = ("delivered", "failed", "skipped")

    def count() -> Counter[str]:
        return Counter(record.kind for record in rig.records if record.kind in {"sent", *ended})

    while (seen := count())["sent"] < asked or sum(map(seen.__getitem__, ended)) < seen["sent"]:
        rig.changed.clear()
        await rig.changed.wait()
    fates = Counter(record.message for record in rig.records if record.kind in ended)
    assert set(fates.values()) == {1}, "one end each"
    fallbacks = seen["sent"] - asked
    letters = (await page(rig.store, Chosen(all=True), limit=1, after=0))["total"]
    assert seen["failed"] == fallbacks + letters
    assert seen["delivered"] + seen["skipped"] + letters == asked
    delivered = {one.message for one in rig.records if one.kind == "delivered"}
    arrived = {mail.key(wire) for wire in mail.wires()} | {hooks.key(one) for one in hooks.wires()}
    assert delivered <= arrived
    await rig.close()
    await mail.close()
    await hooks.close()
