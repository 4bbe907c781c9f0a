"""Messages that are under way as quiet hours begin wait for their end in the outbox."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from typing_extensions import override

from channels.base import Message, Outcome, Retry
from engine.core.inputs import EMPTY, UsersMerged
from engine.core.messages.quiet import QuietHours
from engine.core.plan import Plan
from engine.core.policy import Policy
from engine.runtime.delivery.lane import READ_AT_ONCE
from engine.runtime.versions import NO_VERSIONS
from tests.core.world import DAY, HOUR, MINUTE, campaign, send
from tests.runtime.rig import RATE, Rig, ScriptedChannel

if TYPE_CHECKING:
    from pathlib import Path

CAMPAIGNS = [
    campaign("c", send("email", expires=10 * DAY)),
    campaign("short", send("email", expires=HOUR), on=("Short",)),
    campaign("order", send("email"), on=("Ordered",), purpose="transactional"),
]


def quiet_from(now_ms: int, *, for_ms: int) -> QuietHours:
    """Hours that began half a day ago, and end in whole minutes from now."""
    minute = now_ms // MINUTE
    return QuietHours((minute - 720) % 1440, (minute + for_ms // MINUTE) % 1440)


class Watched(ScriptedChannel):
    """Notes when it was handed each message."""

    rig: Rig

    def __init__(self, *script: Outcome | Exception) -> None:
        super().__init__(*script)
        self.handed_at_ms: list[int] = []

    @override
    async def deliver(self, message: Message) -> Outcome:
        self.handed_at_ms.append(self.rig.clock.now_ms())
        return await super().deliver(message)


async def in_the_night(
    path: Path, email: Watched, event: str, rate: float = 1_000.0
) -> tuple[Rig, QuietHours]:
    """A first attempt that fails after quiet hours have come into force.

    The night lasts so long that no load of the machine has it pass unseen, unless `rate` says so.
    """
    rig = email.rig = await Rig.open(path, Plan("p", CAMPAIGNS), rate=rate, email=email)
    rig.processor.adopt(rig.plan, rig.clock.now_ms(), b"{}")
    rig.reachable("u")
    rig.start()
    email.gate.clear()
    await rig.shell.submit([rig.event(event)])
    await email.began.wait()
    quiet = quiet_from(rig.clock.now_ms(), for_ms=3 * HOUR)
    rig.shell.adopt(Plan("q", CAMPAIGNS, Policy(quiet_hours=quiet)), b"{}", NO_VERSIONS)
    await rig.shell.durable()
    email.gate.set()
    return rig, quiet


async def test_a_retry_that_falls_into_quiet_hours_waits_for_their_end(tmp_path: Path) -> None:
    email = Watched(Retry("down"))
    rig, quiet = await in_the_night(tmp_path / "hairspring.db", email, "Go", RATE)
    await rig.until("delivered")
    first, second = email.handed
    assert first.to_bytes() == second.to_bytes()
    assert quiet.until_ms("UTC", email.handed_at_ms[0]) <= email.handed_at_ms[1]
    assert quiet.until_ms("UTC", email.handed_at_ms[1]) == 0
    await rig.close()


async def test_what_waits_for_the_morning_takes_no_room_and_goes_as_the_hours_are_lifted(
    tmp_path: Path,
) -> None:
    email = Watched(Retry("down"))
    rig, _ = await in_the_night(tmp_path / "hairspring.db", email, "Go")
    while len(rig.dispatcher):
        await asyncio.sleep(0)
    assert len(email.handed) == 1
    rig.shell.adopt(Plan("r", CAMPAIGNS), b"{}", NO_VERSIONS)  # and nobody is quiet any more
    await rig.until("delivered")
    await rig.close()


async def test_what_would_be_too_late_by_the_morning_is_skipped_at_once(tmp_path: Path) -> None:
    email = Watched(Retry("down"))
    rig, _ = await in_the_night(tmp_path / "hairspring.db", email, "Short")
    (skipped,) = await rig.until("skipped")
    assert (skipped.reason, len(email.handed)) == ("expired", 1)
    await rig.close()


async def test_it_goes_in_the_morning_to_whom_its_user_was_merged_into_at_night(
    tmp_path: Path,
) -> None:
    email = Watched(Retry("down"))
    rig = email.rig = await Rig.open(tmp_path / "hairspring.db", Plan("p", CAMPAIGNS), email=email)
    rig.processor.adopt(rig.plan, rig.clock.now_ms(), b"{}")
    rig.reachable("u")
    rig.processor.users["u"].is_anonymous = True
    rig.start()
    email.gate.clear()
    await rig.shell.submit([rig.event()])
    await email.began.wait()
    quiet = quiet_from(rig.clock.now_ms(), for_ms=3 * HOUR)
    rig.shell.adopt(Plan("q", CAMPAIGNS, Policy(quiet_hours=quiet)), b"{}", NO_VERSIONS)
    now_ms = rig.clock.now_ms()
    await rig.shell.submit([UsersMerged("ada", now_ms, now_ms, EMPTY, merged_id="u")])
    assert list(rig.processor.users) == ["ada"]
    email.gate.set()
    await rig.until("delivered")
    assert len(email.handed) == 2
    await rig.close()


class Busy(Watched):
    """Orders wait at a gate of their own."""

    def __init__(self, *script: Outcome | Exception) -> None:
        super().__init__(*script)
        self.orders = asyncio.Event()

    @override
    async def deliver(self, message: Message) -> Outcome:
        if message.campaign == "order":
            await self.orders.wait()
        return await super().deliver(message)


async def test_the_morning_finds_what_is_behind_many_that_are_under_way(tmp_path: Path) -> None:
    email = Busy(Retry("down"))
    count = READ_AT_ONCE + 1
    rig = email.rig = await Rig.open(
        tmp_path / "hairspring.db", Plan("p", CAMPAIGNS), concurrency=count + 1, email=email
    )
    rig.processor.adopt(rig.plan, rig.clock.now_ms(), b"{}")
    users = [f"u{number}" for number in range(count)]
    rig.reachable("u", *users)
    rig.start()
    email.gate.clear()
    await rig.shell.submit([rig.event("Ordered", user=user) for user in users])
    await rig.shell.submit([rig.event()])
    await email.began.wait()
    quiet = quiet_from(rig.clock.now_ms(), for_ms=3 * HOUR)
    rig.shell.adopt(Plan("q", CAMPAIGNS, Policy(quiet_hours=quiet)), b"{}", NO_VERSIONS)
    await rig.shell.durable()
    email.gate.set()
    (delivered,) = await rig.until("delivered")
    assert delivered.campaign == "c"
    email.orders.set()
    await rig.until("delivered", count + 1)
    await rig.close()


async def test_what_is_no_marketing_is_tried_again_at_any_time(tmp_path: Path) -> None:
    email = Watched(Retry("down"))
    rig, quiet = await in_the_night(tmp_path / "hairspring.db", email, "Ordered")
    await rig.until("delivered")
    assert len(email.handed) == 2
    assert quiet.until_ms("UTC", email.handed_at_ms[0]) != 0
    await rig.close()
