"""Messages of a campaign that is paused wait in the outbox, and take no room in memory."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from engine.core.plan import Plan
from engine.runtime.versions import NO_VERSIONS
from tests.core.world import HOUR, campaign, send, wait
from tests.runtime.rig import Rig, ScriptedChannel

if TYPE_CHECKING:
    from pathlib import Path

    from engine.core.plan import Status


def plan(name: str, status: Status) -> Plan:
    held = campaign("c", send("email"), wait(100 * HOUR), exits=("Stop",), status=status)
    return Plan(name, [held, campaign("d", send("email"), on=("Other",))])


async def paused_with_messages(path: Path, email: ScriptedChannel, count: int) -> Rig:
    """A campaign that was paused while its first message was being handed over."""
    rig = await Rig.open(path, plan("p", "live"), concurrency=1, email=email)
    rig.processor.adopt(plan("p", "live"), rig.clock.now_ms(), b"{}")
    users = [f"u{number}" for number in range(count)]
    rig.reachable(*users)
    rig.start()
    email.gate.clear()
    await rig.shell.submit([rig.event(user=user) for user in users])
    await email.began.wait()
    rig.shell.adopt(plan("q", "paused"), b"{}", NO_VERSIONS)
    await rig.shell.durable()
    email.gate.set()
    await rig.until("delivered")
    while len(rig.dispatcher):
        await asyncio.sleep(0)
    return rig


async def test_what_waits_in_the_outbox_is_held_by_a_pause_and_goes_after_it(
    tmp_path: Path,
) -> None:
    email = ScriptedChannel()
    rig = await paused_with_messages(tmp_path / "hairspring.db", email, 5)
    assert (len(email.handed), await rig.store.count("outbox")) == (1, 4)
    rig.shell.adopt(plan("r", "live"), b"{}", NO_VERSIONS)
    await rig.until("delivered", 5)
    assert await rig.store.count("outbox") == 0
    assert len(email.handed) == len({message.id for message in email.handed}) == 5
    await rig.close()


async def test_what_an_exit_takes_back_in_a_pause_is_concluded_at_once(tmp_path: Path) -> None:
    email = ScriptedChannel()
    rig = await paused_with_messages(tmp_path / "hairspring.db", email, 3)
    users = [f"u{number}" for number in range(3)]
    await rig.shell.submit([rig.event("Stop", user=user) for user in users])
    skipped = [one for one in await rig.until("skipped", 5) if one.campaign == "c"]
    assert {one.reason for one in skipped} == {"exited"}
    assert {one.user_id for one in skipped} == set(users) - {email.handed[0].user_id}
    await rig.close()


async def test_a_restart_in_a_pause_hands_nothing_over(tmp_path: Path) -> None:
    path, email = tmp_path / "hairspring.db", ScriptedChannel()
    rig = await paused_with_messages(path, ScriptedChannel(), 5)
    await rig.close()
    rig = await Rig.open(path, plan("q", "paused"), email=email)
    rig.start()
    await rig.shell.submit([rig.event("Other", user="u0")])
    await rig.until("delivered")
    assert [message.campaign for message in email.handed] == ["d"]
    await rig.close()
