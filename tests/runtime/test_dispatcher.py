from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NoReturn, cast

import msgspec
import pytest
from structlog.testing import capture_logs

from channels.base import Rejected, Retry
from engine.core.inputs import MessageAnswered
from engine.core.plan import Plan
from engine.runtime.delivery import lane as lane_module
from engine.store import holdings
from tests.core.world import HOUR, campaign, send, wait
from tests.runtime.rig import TEMPLATES, Rig, ScriptedChannel

if TYPE_CHECKING:
    from pathlib import Path

    from channels.rendering import Template

PLAN = Plan("p", [campaign("c", send("email", "push"), wait(100 * HOUR), exits=("Stop",))])
PUSH = {"endpoint": "https://push.example.com/1"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hairspring.db"


async def test_a_message_is_rendered_handed_over_and_told(path: Path) -> None:
    email = ScriptedChannel()
    rig = await Rig.open(path, PLAN, email=email)
    rig.reachable("u")
    rig.start()
    await rig.shell.submit([rig.event()])
    await rig.until("delivered")
    (message,) = email.taken
    assert (message.to, message.front["subject"]) == ("a@example.com", "Hello u")
    assert await rig.store.count("outbox") == 0
    assert len(rig.dispatcher) == 0
    await rig.close()


async def test_nothing_is_handed_over_before_its_cause_is_durable(path: Path) -> None:
    email = ScriptedChannel()
    rig = await Rig.open(path, PLAN, email=email)
    rig.reachable("u")
    rig.start()
    rig.store.gate.clear()
    answer = asyncio.create_task(rig.shell.submit([rig.event()]))
    await rig.store.began.wait()
    for _ in range(20):
        await asyncio.sleep(0)
    assert email.handed == []
    rig.store.gate.set()
    await answer
    await rig.until("delivered")
    await rig.close()


async def test_a_retry_sends_the_same_bytes_under_the_same_id(path: Path) -> None:
    email = ScriptedChannel(Retry("busy"), RuntimeError("broke"), Retry("busy", 2_000))
    # Without a fallback it is tried for a day, which no pause of this machine is at this rate.
    plan = Plan("p", [campaign("c", send("email"))])
    rig = await Rig.open(path, plan, rate=1_000.0, email=email)
    rig.reachable("u")
    rig.start()
    await rig.shell.submit([rig.event()])
    await rig.until("delivered")
    assert len(email.handed) == 4
    assert len({message.to_bytes() for message in email.handed}) == 1
    await rig.close()


async def test_what_is_refused_goes_to_the_next_channel_with_the_first_ones_snapshot(
    path: Path,
) -> None:
    email, push = ScriptedChannel(Rejected("no such mailbox")), ScriptedChannel()
    rig = await Rig.open(path, PLAN, email=email, push=push)
    rig.reachable("u", push=PUSH)
    rig.start()
    await rig.shell.submit([rig.event()])
    await rig.until("delivered")
    (failed,) = await rig.until("failed")
    assert (failed.channel, failed.reason) == ("email", "no such mailbox")
    assert [message.channel for message in push.taken] == ["push"]
    assert await rig.store.count("outbox") == 0
    await rig.close()


async def test_a_reason_that_is_no_utf_8_ends_the_delivery_and_not_the_process(path: Path) -> None:
    email = ScriptedChannel(Rejected("gel\udcf6scht"))
    rig = await Rig.open(path, Plan("p", [campaign("c", send("email"))]), email=email)
    rig.reachable("u")
    rig.start()
    await rig.shell.submit([rig.event()])
    (failed,) = await rig.until("failed")
    assert failed.reason == "gel?scht"
    await rig.close()


class Broken:
    """A template that breaks in a way that no library announced."""

    def render(self, context: object, **how: object) -> NoReturn:
        raise ZeroDivisionError(f"{context} {how}")


async def test_a_template_that_breaks_the_renderer_ends_one_delivery_alone(path: Path) -> None:
    email, push = ScriptedChannel(), ScriptedChannel()
    rig = await Rig.open(path, PLAN, email=email, push=push)
    rig.dispatcher.composer.templates = {**TEMPLATES, ("t", "email"): cast("Template", Broken())}
    rig.reachable("u", push=PUSH)
    rig.start()
    await rig.shell.submit([rig.event()])
    (failed,) = await rig.until("failed")
    assert failed.reason.startswith("template: rendering broke: ZeroDivisionError")
    await rig.until("delivered")
    assert (len(email.taken), len(push.taken)) == (0, 1)
    await rig.close()


async def test_a_provider_that_is_down_for_long_gives_way_to_the_fallback(path: Path) -> None:
    email, push = ScriptedChannel(*(Retry("down", 600_000) for _ in range(9))), ScriptedChannel()
    rig = await Rig.open(path, PLAN, email=email, push=push)
    rig.reachable("u", push=PUSH)
    rig.start()
    await rig.shell.submit([rig.event()])
    (failed,) = await rig.until("failed")
    assert failed.reason == "gave up: down"
    await rig.until("delivered")
    assert len(push.taken) == 1
    await rig.close()


async def test_what_fails_for_good_is_kept_among_the_dead_letters(path: Path) -> None:
    rig = await Rig.open(path, PLAN, email=ScriptedChannel(Rejected("no such mailbox")))
    rig.reachable("u")
    rig.start()
    await rig.shell.submit([rig.event()])
    await rig.until("failed")
    assert await rig.store.count("outbox") == 1
    assert await rig.store.outbox("email", 0, 10) == []
    await rig.close()


async def test_an_exit_before_the_hand_over_keeps_a_message_in(path: Path) -> None:
    email = ScriptedChannel()
    rig = await Rig.open(path, PLAN, concurrency=1, email=email)
    rig.reachable("first", "second")
    email.gate.clear()
    rig.start()
    await rig.shell.submit([rig.event(user="first")])
    await email.began.wait()
    await rig.shell.submit([rig.event(user="second")])
    await rig.shell.submit([rig.event("Stop", user="second")])
    (skipped,) = await rig.until("skipped")
    email.gate.set()
    await rig.until("delivered")
    assert (skipped.user_id, skipped.reason) == ("second", "exited")
    assert [message.user_id for message in email.handed] == ["first"]
    await rig.close()


async def test_an_exit_between_two_attempts_keeps_the_second_from_being_made(path: Path) -> None:
    email = ScriptedChannel(Retry("busy", 24 * HOUR))
    rig = await Rig.open(path, PLAN, email=email)
    rig.reachable("u")
    rig.start()
    email.gate.clear()
    await rig.shell.submit([rig.event()])
    await email.began.wait()
    await rig.shell.submit([rig.event("Stop")])
    email.gate.set()
    (skipped,) = await rig.until("skipped")
    assert skipped.reason == "exited"
    assert len(email.handed) == 1
    await rig.close()


async def test_what_an_earlier_run_left_is_due_at_once_without_any_input(path: Path) -> None:
    first = await Rig.open(path, PLAN, email=ScriptedChannel())
    first.reachable("u")
    first.processor.take(first.event(), first.clock.now_ms())
    batch = first.processor.begin(first.clock.now_ms())
    assert batch is not None
    await first.store.commit(batch)
    await first.store.close()
    email = ScriptedChannel()
    second = await Rig.open(path, PLAN, email=email)
    second.start()
    await second.until("delivered")
    assert [message.id for message in email.taken] == [batch.messages[0].id]
    await second.close()


async def test_a_restart_sends_the_bytes_that_were_rendered_before(path: Path) -> None:
    email = ScriptedChannel()
    email.gate.clear()
    first = await Rig.open(path, PLAN, email=email)
    first.reachable("u")
    first.start()
    await first.shell.submit([first.event()])
    await email.began.wait()
    assert first.working is not None
    first.dispatcher.composer.templates = {}
    await first.dispatcher.stop(0)
    await first.close()
    again = ScriptedChannel()
    second = await Rig.open(path, PLAN, email=again)
    second.dispatcher.composer.templates = {}
    second.start()
    await second.until("delivered")
    assert [one.to_bytes() for one in again.taken] == [one.to_bytes() for one in email.handed]
    await second.close()


async def test_beyond_what_memory_holds_all_is_read_from_the_outbox_and_sent_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_module, "HELD_MAX", 6)
    email, push = ScriptedChannel(*(Rejected("no") for _ in range(20))), ScriptedChannel()
    rig = await Rig.open(path, PLAN, concurrency=2, email=email, push=push)
    users = [f"u{number}" for number in range(60)]
    rig.reachable(*users, push=PUSH)
    rig.start()
    for place in range(0, 60, 7):
        await rig.shell.submit([rig.event(user=user) for user in users[place : place + 7]])
        assert len(rig.dispatcher) <= 6 * 2  # each of the two channels has a bound of its own
    await rig.until("delivered", 60)
    taken = [message.user_id for message in (*email.taken, *push.taken)]
    assert sorted(taken) == sorted(users)
    assert len(push.taken) == 20
    assert await rig.store.count("outbox") == 0
    await rig.close()


async def test_a_lane_full_of_mails_that_cannot_go_holds_up_no_other_channel(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_module, "HELD_MAX", 6)
    plan = Plan("p", [campaign("c", send("email")), campaign("d", send("push"), on=("Ping",))])
    email, push = ScriptedChannel(), ScriptedChannel()
    email.gate.clear()  # the mail server hangs
    rig = await Rig.open(path, plan, concurrency=2, email=email, push=push)
    users = [f"u{number}" for number in range(20)]
    rig.reachable(*users, push=PUSH)
    rig.start()
    await rig.shell.submit([rig.event(user=user) for user in users])
    await email.began.wait()
    await rig.shell.submit([rig.event("Ping", user="u0")])
    (delivered,) = await rig.until("delivered")
    assert delivered.channel == "push"
    email.gate.set()
    await rig.until("delivered", 20)
    await rig.close()


async def test_a_template_that_is_not_there_fails_the_message_and_nobody_else(path: Path) -> None:
    plan = Plan("p", [campaign("c", send("email", template="gone"), send("email"))])
    email = ScriptedChannel()
    rig = await Rig.open(path, plan, email=email)
    rig.reachable("u")
    rig.start()
    await rig.shell.submit([rig.event()])
    (failed,) = await rig.until("failed")
    assert "gone.email.liquid" in failed.reason
    await rig.until("delivered")
    await rig.close()


async def test_a_message_that_cannot_be_made_is_in_the_log_with_its_reason(path: Path) -> None:
    plan = Plan("p", [campaign("c", send("email", template="gone"))])
    rig = await Rig.open(path, plan, email=ScriptedChannel())
    rig.reachable("u")
    rig.start()
    with capture_logs() as lines:
        await rig.shell.submit([rig.event()])
        (failed,) = await rig.until("failed")
    (line,) = [line for line in lines if line["event"] == "delivery"]
    assert (line["id"], line["outcome"], line["reason"]) == (
        failed.message,
        "unmade",
        "template: there is no gone.email.liquid",
    )
    await rig.close()


async def test_stopping_lets_what_is_under_way_end_and_begins_nothing_more(path: Path) -> None:
    email = ScriptedChannel()
    email.gate.clear()
    rig = await Rig.open(path, PLAN, concurrency=1, email=email)
    rig.reachable("a", "b")
    rig.start()
    await rig.shell.submit([rig.event(user="a"), rig.event(user="b")])
    await email.began.wait()
    stopping = asyncio.create_task(rig.dispatcher.stop(60.0))
    await asyncio.sleep(0)
    email.gate.set()
    await stopping
    (delivered,) = await rig.until("delivered")
    assert [message.id for message in email.taken] == [delivered.message]
    (left,) = await rig.store.outbox("email", 0, 10)
    assert left.message.user_id == "b"
    await rig.close()


async def bounces(rig: Rig) -> list[str]:
    """How the user's messages came back, as the journal tells it."""
    await rig.shell.settle()
    held = [one async for one in holdings.inputs_of(rig.store, "u")]
    return [
        msgspec.json.decode(bytes(one.properties))["bounce_type"]
        for one in held
        if isinstance(one, MessageAnswered)
    ]


@pytest.mark.parametrize(
    ("outcome", "told", "suppressed"),
    [
        (Rejected("no such mailbox", address_invalid=True), ["hard"], {"email": "a@example.com"}),
        (Rejected("mailbox full", is_bounce=True), ["soft"], {}),
        (Rejected("you are not let in"), [], {}),
    ],
)
async def test_a_message_that_comes_back_is_an_event_of_its_user(
    path: Path, outcome: Rejected, told: list[str], suppressed: dict[str, str]
) -> None:
    email, push = ScriptedChannel(outcome), ScriptedChannel()
    rig = await Rig.open(path, PLAN, email=email, push=push)
    rig.reachable("u", push=PUSH)
    rig.start()
    await rig.shell.submit([rig.event()])
    await rig.until("delivered")  # by the fallback
    assert await bounces(rig) == told
    assert rig.processor.users["u"].suppressed == suppressed
    await rig.close()


@pytest.mark.parametrize(("is_bounce", "told"), [(True, ["soft"]), (False, [])])
async def test_a_message_that_is_put_off_for_its_own_sake_until_it_is_given_up_has_come_back(
    path: Path, told: list[str], *, is_bounce: bool
) -> None:
    later = Retry("mailbox full", 600_000, of_provider=False, is_bounce=is_bounce)
    email, push = ScriptedChannel(*[later] * 9), ScriptedChannel()
    rig = await Rig.open(path, PLAN, email=email, push=push)
    rig.reachable("u", push=PUSH)
    rig.start()
    await rig.shell.submit([rig.event()])
    (failed,) = await rig.until("failed")
    assert failed.reason == "gave up: mailbox full"
    assert await bounces(rig) == told
    await rig.close()
