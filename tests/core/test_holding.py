"""What the status of a campaign does to those who come, and to those who are inside."""

from __future__ import annotations

import pytest

from engine.core.holding import HELD
from engine.core.plan import Plan
from engine.core.policy import Policy
from tests.core.world import (
    DAY,
    HOUR,
    START,
    World,
    campaign,
    leave,
    send,
    wait,
    wait_when,
)

STEPS = (wait(10, "w"), send("in_app", step_id="s"))


@pytest.mark.parametrize("status", ["paused", "draft", "test"])
def test_deadlines_are_held_and_fire_in_order_judged_at_the_instant_of_the_resume(
    status: str,
) -> None:
    steps = (*STEPS, wait(2_000, "v"), send("in_app", step_id="t"))
    world = World(campaign("c", *steps))
    world.event("Go", 0)
    world.adopt(campaign("c", *steps, status=status), at=5)
    assert world.advance(5_000) == []
    assert world.adopt(campaign("c", *steps), at=6_000, plan_id="p3") == [
        "10 c sent s in_app judged 6000",
        "2010 c sent t in_app judged 6000",
        "2010 c finished judged 6000",
    ]


def test_a_wait_that_is_not_over_at_the_resume_ends_when_it_would_have() -> None:
    world = World(campaign("c", *STEPS))
    world.event("Go", 0)
    world.adopt(campaign("c", *STEPS, status="paused"), at=3)
    world.adopt(campaign("c", *STEPS), at=7, plan_id="p3")
    assert world.advance(10) == ["10 c sent s in_app", "10 c finished"]


def test_what_passed_expires_during_a_pause_is_skipped() -> None:
    steps = (wait(10, "w"), send("in_app", expires=HOUR, step_id="s"))
    world = World(campaign("c", *steps))
    world.event("Go", 0)
    world.adopt(campaign("c", *steps, status="paused"), at=5)
    assert (
        world.adopt(campaign("c", *steps), at=HOUR + 11, plan_id="p3")[0]
        == f"10 c skipped s in_app expired judged {HOUR + 11}"
    )


@pytest.mark.parametrize(("late", "kind"), [(DAY, "sent"), (DAY + 1, "skipped")])
def test_without_expires_a_send_is_held_for_max_lateness_at_the_longest(
    late: int, kind: str
) -> None:
    world = World(campaign("c", *STEPS))
    world.event("Go", 0)
    world.adopt(campaign("c", *STEPS, status="paused"), at=5)
    records = world.adopt(campaign("c", *STEPS), at=10 + late, plan_id="p3")
    assert records[0].split()[2] == kind


def test_a_downtime_is_no_pause_and_lets_a_send_without_expires_go_however_late() -> None:
    world = World(campaign("c", *STEPS))
    world.event("Go", 0)
    world.resume(5, 3 * DAY, grace=0)
    assert world.advance(3 * DAY)[0] == f"10 c sent s in_app judged {3 * DAY}"


def test_activating_a_paused_campaign_mails_nobody_who_piled_up() -> None:
    """As Mautic does (its issue 6484)."""
    asked = {"rises": 'did("Go")', "backfill": True}
    world = World(campaign("c", *STEPS, **asked, status="paused"))
    assert world.event("Go", 0) == ["0 c refused status"]
    assert world.adopt(campaign("c", *STEPS, **asked), at=20) == []
    assert world.advance(DAY) == []


def test_what_ends_an_enrollment_ends_it_during_a_pause_too() -> None:
    asked = {"exits": ("Stop",), "exit_when": 'did("Bought")'}
    world = World(campaign("c", *STEPS, **asked))
    for user in ("u", "v"):
        world.event("Go", 0, user=user)
    world.adopt(campaign("c", *STEPS, **asked, status="paused"), at=5)
    assert world.event("Stop", 20) == ["20 c exited event"]
    assert world.event("Bought", 30, user="v") == ["30 c exited when"]


def test_an_exit_condition_that_time_makes_true_ends_an_enrollment_at_its_instant_in_a_pause() -> (
    None
):
    asked = {"exit_when": 'idle("20ms")'}
    world = World(campaign("c", *STEPS, **asked))
    world.event("Go", 0)
    world.adopt(campaign("c", *STEPS, **asked, status="paused"), at=5)
    assert world.advance(50) == ["20 c exited when"]


def test_what_an_enrollment_waits_for_counts_in_a_pause_and_it_goes_on_from_there_after_it() -> (
    None
):
    steps = (wait_when('did("Bought")', HOUR, (send("in_app"),), (leave("never"),)),)
    world = World(campaign("c", *steps))
    world.event("Go", 0)
    world.adopt(campaign("c", *steps, status="paused"), at=5)
    assert world.event("Bought", 20) == []
    assert world.advance(2 * HOUR) == []
    assert world.adopt(campaign("c", *steps), at=3 * HOUR, plan_id="p3")[0] == (
        f"20 c sent steps.0.then.0 in_app judged {3 * HOUR}"
    )


def test_what_comes_true_in_a_pause_after_the_time_was_up_comes_too_late() -> None:
    steps = (wait_when('did("Bought") || idle("2h")', HOUR, (leave("did"),), (send("in_app"),)),)
    world = World(campaign("c", *steps))
    for user in ("u", "v"):
        world.event("Go", 0, user=user)
    world.adopt(campaign("c", *steps, status="paused"), at=5)
    assert world.event("Bought", HOUR + 1) == []
    assert world.advance(3 * HOUR) == []
    records = world.adopt(campaign("c", *steps), at=4 * HOUR, plan_id="p3")
    assert [one.split()[:3] for one in records if " sent " in one] == [[str(HOUR), "c", "sent"]] * 2


def test_who_waited_for_the_last_time_is_through_in_a_pause() -> None:
    steps = (wait_when('did("Bought")', HOUR, (), (leave("never"),)),)
    world = World(campaign("c", *steps))
    world.event("Go", 0)
    world.adopt(campaign("c", *steps, status="paused"), at=5)
    assert world.event("Bought", 20) == ["20 c finished"]


def test_who_stands_at_a_step_that_is_no_wait_finds_it_again_in_another_plan() -> None:
    def steps(channel: str) -> dict[str, object]:
        return wait_when('did("Bought")', HOUR, (send(channel, step_id="s"),))

    world = World(campaign("c", steps("in_app")))
    world.event("Go", 0)
    world.adopt(campaign("c", steps("in_app"), status="paused"), at=5)
    world.event("Bought", 20)
    world.adopt(campaign("c", steps("webhook"), status="paused"), at=30, plan_id="p3")
    assert (
        world.adopt(campaign("c", steps("webhook")), at=40, plan_id="p4")[0]
        == "20 c sent s webhook"
    )


def test_a_wait_that_has_become_a_send_of_its_name_is_a_step_that_is_gone() -> None:
    world = World(campaign("c", wait(10, "x")))
    world.event("Go", 0)
    world.adopt(campaign("c", wait(10, "x"), status="paused"), at=5)
    assert world.adopt(campaign("c", send("in_app", step_id="x")), at=6, plan_id="p3") == [
        "6 c exited step_removed"
    ]


def test_a_test_campaign_goes_on_for_testers_and_holds_everybody_else() -> None:
    world = World(campaign("c", *STEPS), policy=Policy(testers=frozenset({"tester"})))
    for user in ("tester", "u"):
        world.event("Go", 0, user=user)
    world.adopt(campaign("c", *STEPS, status="test"), at=5)
    assert world.advance(20) == ["10 c sent s in_app", "10 c finished"]
    assert [user.user_id for user in world.processor.users.values() if user.enrollments] == ["u"]
    assert world.event("Go", 30, user="tester") == ["30 c entered"]


def test_a_backfill_of_a_test_campaign_brings_testers_in() -> None:
    world = World(policy=Policy(testers=frozenset({"tester"})))
    for user in ("tester", "u"):
        world.event("Go", 0, user=user)
    rising = campaign("c", *STEPS, rises='idle("1ms")', backfill=True, status="test")
    assert world.adopt(rising, at=5) == ["5 c entered"]
    assert world.user("tester").enrollments


def test_a_message_in_the_outbox_is_held_in_a_pause_and_may_go_after_it() -> None:
    world = World(campaign("c", send("in_app"), wait(10, "w")))
    world.event("Go", 0)
    [message] = world.messages
    paused = campaign("c", send("in_app"), wait(10, "w"), status="paused")
    world.processor.adopt(Plan("p2", [paused]), START + 5)
    assert world.processor.verdict(message, START + 6) == HELD
    world.processor.adopt(Plan("p3", [campaign("c", send("in_app"), wait(10, "w"))]), START + 7)
    assert world.processor.verdict(message, START + 8) == ""


def test_a_message_without_expires_is_held_for_max_lateness_at_the_longest() -> None:
    world = World(campaign("c", send("in_app")))
    world.event("Go", 0)
    [message] = world.messages
    world.adopt(campaign("c", send("in_app"), status="paused"), at=5)
    world.adopt(campaign("c", send("in_app")), at=DAY + 6, plan_id="p3")
    assert world.processor.verdict(message, START + DAY + 5) == "expired"


def test_archiving_takes_back_what_was_not_sent_of_those_who_are_through_as_well() -> None:
    world = World(campaign("c", send("in_app")))
    assert world.event("Go", 0)[-1] == "0 c finished"
    world.adopt(campaign("c", send("in_app"), status="archived"), at=5)
    assert [(one.reason, one.user_id) for one in world.cancelled] == [("exited", "u")]
