from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import to_builtins

from engine.core.inputs import EventReceived, UserIdentified
from engine.core.state import decode_user, encode_user
from tests.core.world import (
    DAY,
    HOUR,
    MINUTE,
    REACHABLE,
    START,
    S,
    World,
    campaign,
    leave,
    send,
    wait,
    when,
)

# Order


def test_deadlines_of_a_user_fire_in_order_of_time_priority_campaign_and_entry() -> None:
    world = World(
        campaign("b", wait(10), per="event.k"),
        campaign("a", wait(10)),
        campaign("z", wait(10), priority=90),
        campaign("y", wait(9), priority=0),
    )
    entered = []
    for k in (1, 2):
        world.event("Go", 0, k=k)
        entered += [r.enrollment for r in world.records if (r.campaign, r.kind) == ("b", "entered")]
    assert world.advance(20) == [
        "9 y finished", "10 z finished", "10 a finished", "10 b finished", "10 b finished",
    ]  # fmt: skip
    assert [record.enrollment for record in world.records if record.campaign == "b"] == entered


def test_a_deadline_made_by_a_deadline_takes_its_place_in_time() -> None:
    world = World(campaign("b", wait(10), wait(0), wait(1)), campaign("a", wait(11)))
    world.event("Go", 0)
    assert world.advance(20) == ["11 a finished", "11 b finished"]


def test_traits_of_an_identify_at_the_instant_of_a_deadline_come_after_it() -> None:
    world = World(campaign("c", wait(5), when("user.vip == true", (leave("vip"),))))
    world.event("Go", 0)
    assert world.identify(5, vip=True)[0] == "5 c branched steps.1 else"


def test_a_deadline_is_told_at_its_own_instant_however_late_the_next_input_is() -> None:
    world = World(campaign("c", wait(5), send("email")))
    world.reachable()
    world.event("Go", 0)
    assert world.event("Other", 900) == ["5 c sent steps.1 email", "5 c finished"]


def test_users_do_not_meet() -> None:
    world = World(campaign("c", wait(5), exits=("Stop",)))
    world.event("Go", 0, user="a")
    world.event("Go", 0, user="b")
    world.event("Stop", 1, user="a")
    assert [record.user_id for record in world.advance(5) and world.records] == ["b"]


# Traits


def test_traits_are_merged_by_key_and_consent_by_channel() -> None:
    world = World()
    world.identify(0, name="Ann", plan="free", consent={"email": True, "sms": False})
    world.identify(1, plan="pro", consent={"sms": True})
    assert world.user().traits == {
        "name": "Ann", "plan": "pro", "consent": {"email": True, "sms": True},
    }  # fmt: skip


def test_an_identify_is_not_something_that_the_user_did() -> None:
    world = World()
    world.identify(5, name="Ann")
    assert world.user().last_seen_at_ms == 0


@pytest.mark.parametrize(
    "traits",
    [
        b'{"n": 123456789012345678901234567890}',
        b'{"n": {"m": [1, -99999999999999999999]}}',
        b'{"n": 18446744073709551616}',
    ],
)
def test_numbers_beyond_64_bits_do_not_keep_a_user_from_being_saved(traits: bytes) -> None:
    world = World()
    happened = UserIdentified("u", START, START, msgspec.Raw(traits))
    world.processor.take(happened, START)
    user = world.user()
    told = to_builtins(user)
    assert told.pop("unsaved")
    assert to_builtins(decode_user(encode_user(user))) == told
    assert "n" in user.traits


def test_a_number_that_fits_is_kept_to_the_last_digit() -> None:
    world = World()
    world.identify(0, big=2**64 - 1, small=-(2**63))
    assert world.user().traits == {"big": 2**64 - 1, "small": -(2**63)}


@pytest.mark.parametrize("traits", [b"[]", b"null", b"7", b'"text"'])
def test_traits_that_are_no_object_change_nothing(traits: bytes) -> None:
    world = World()
    world.reachable()
    happened = UserIdentified("u", START, START, msgspec.Raw(traits))
    world.processor.take(happened, START)
    assert world.user().traits == REACHABLE


@pytest.mark.parametrize("properties", [b"[]", b"null", b"7", b'"text"'])
def test_properties_that_are_no_object_make_conditions_false(properties: bytes) -> None:
    world = World(campaign("c", when="event.n == 1"), campaign("d", per="event.k"))
    happened = EventReceived("u", "Go", START, START, msgspec.Raw(properties))
    world.processor.take(happened, START)
    assert world.commit() == ["0 d refused per"]


# After a downtime (durability.md, rule 5)


def downtime(*, grace: int = 30 * S, **more: Any) -> World:
    """A wait that fell due at 10 s in a downtime from 5 s to 60 s."""
    world = World(
        campaign("c", wait(10 * S), send("email", **more), wait(45 * S), send("email"),
                 exits=("Stop",)),
    )  # fmt: skip
    world.reachable()
    world.event("Go", 0)
    world.resume(5 * S, 60 * S, grace=grace)
    return world


def test_what_fell_due_meanwhile_waits_for_the_grace() -> None:
    world = downtime()
    assert world.advance(90 * S - 1) == []
    assert world.advance(90 * S) == [
        f"{10 * S} c sent steps.1 email judged {90 * S}",
        f"{55 * S} c sent steps.3 email judged {90 * S}",
        f"{55 * S} c finished judged {90 * S}",
    ]


def test_it_waits_whatever_inputs_come_meanwhile() -> None:
    world = downtime()
    assert world.event("Other", 70 * S) == []
    assert world.identify(71 * S, name="Ann") == []
    assert world.event("Go", 72 * S) == [f"{72 * S} c refused active"]
    assert world.event("Other", 90 * S)[0] == f"{10 * S} c sent steps.1 email judged {90 * S}"


def test_a_purchase_that_clients_send_again_within_the_grace_stops_the_message() -> None:
    world = downtime()
    assert world.event("Stop", 61 * S, t=8 * S) == [f"{61 * S} c exited event"]
    assert world.advance(DAY) == []


def test_expiry_is_judged_when_the_grace_is_over() -> None:
    fate = {80 * S: "sent", 80 * S - 1: "skipped"}
    for expires, verdict in fate.items():
        world = downtime(expires=expires)
        assert world.advance(90 * S)[0].split()[2] == verdict


def test_consent_withdrawn_within_the_grace_is_heard() -> None:
    world = downtime()
    world.identify(65 * S, consent={"email": False})
    assert world.advance(90 * S)[0].endswith(f"steps.1 email no_consent judged {90 * S}")


def test_what_falls_due_at_the_very_instant_of_the_return_is_on_time() -> None:
    world = World(campaign("c", wait(60 * S)))
    world.event("Go", 0)
    world.resume(5 * S, 60 * S)
    assert world.advance(60 * S) == [f"{60 * S} c finished"]


def test_what_fell_due_by_the_stop_had_its_turn() -> None:
    world = World(campaign("c", wait(5 * S)))
    world.event("Go", 0)
    assert world.resume(5 * S, 60 * S) == [f"{5 * S} c finished"]


def test_later_deadlines_of_such_a_user_wait_behind_and_fire_in_order_of_due() -> None:
    world = World(
        campaign("early", wait(10 * S)),
        campaign("late", wait(70 * S), priority=90),
        campaign("after", wait(91 * S)),
        campaign("fresh", wait(5 * S), on=("New",)),
    )
    world.event("Go", 0)
    world.resume(5 * S, 60 * S)
    assert world.advance(75 * S) == []
    assert world.event("New", 76 * S) == [f"{76 * S} fresh entered"]
    assert world.advance(90 * S) == [
        f"{10 * S} early finished judged {90 * S}",
        f"{70 * S} late finished judged {90 * S}",
        f"{81 * S} fresh finished judged {90 * S}",
    ]
    assert world.advance(DAY) == [f"{91 * S} after finished"]


@pytest.mark.parametrize("again_at", [61 * S, 90 * S])
def test_a_restart_within_the_grace_of_the_one_before_has_a_grace_of_its_own(again_at: int) -> None:
    world = downtime()
    world.resume(again_at - S, again_at)
    assert world.advance(again_at + 30 * S - 1) == []
    judged = f"judged {again_at + 30 * S}"
    assert world.advance(again_at + 30 * S)[0] == f"{10 * S} c sent steps.1 email {judged}"


def test_users_who_missed_nothing_fire_on_time() -> None:
    world = World(campaign("c", wait(70 * S)), campaign("d", wait(10 * S), on=("Short",)))
    world.event("Go", 0, user="a")
    world.event("Short", 0, user="b")
    world.resume(5 * S, 60 * S)
    assert world.advance(70 * S) == [f"{70 * S} c finished"]


def test_a_second_downtime_within_the_grace_starts_it_anew() -> None:
    world = downtime()
    world.resume(70 * S, 100 * S)
    assert world.advance(130 * S - 1) == []
    assert world.advance(130 * S)[0] == f"{10 * S} c sent steps.1 email judged {130 * S}"


def test_a_stall_without_grace_fires_at_once_and_judges_now() -> None:
    world = downtime(grace=0, expires=50 * S - 1)
    assert world.advance(60 * S)[0] == f"{10 * S} c skipped steps.1 email expired judged {60 * S}"


def test_waits_count_from_due_also_where_it_was_judged_later() -> None:
    world = World(campaign("c", wait(10 * S), wait(HOUR)))
    world.event("Go", 0)
    world.resume(5 * S, 60 * S)
    assert world.advance(HOUR + 10 * S - 1) == []
    assert world.advance(HOUR + 10 * S) == [f"{HOUR + 10 * S} c finished"]


@pytest.mark.parametrize(("by", "mark"), [(999, ""), (1000, " judged 1010")])
def test_a_record_says_when_it_was_judged_where_that_is_a_second_or_more_later(
    by: int, mark: str
) -> None:
    world = World(campaign("c", wait(10)))
    world.event("Go", 0)
    world.resume(5, 10 + by, grace=0)
    assert world.advance(10 + by) == [f"10 c finished{mark}"]


# Another plan


def test_an_enrollment_finds_its_step_again_by_id_wherever_it_is_now() -> None:
    world = World(campaign("c", wait(10, "w"), leave("old")))
    world.event("Go", 0)
    moved = campaign("c", when("true", (send("push"), wait(10, "w"), leave("new"))))
    assert world.adopt(moved, at=5) == []
    assert world.advance(10) == ["10 c exited steps.0.then.2 new"]


def test_a_wait_counts_from_where_it_began_by_the_new_duration() -> None:
    world = World(campaign("c", wait(10, "w")))
    world.event("Go", 3)
    world.adopt(campaign("c", wait(20, "w")), at=5)
    assert world.advance(22) == []
    assert world.advance(23) == ["23 c finished"]


def test_where_the_step_is_gone_the_enrollment_leaves() -> None:
    world = World(campaign("c", send("email"), wait(10, "w")))
    world.reachable()
    world.event("Go", 0)
    assert world.adopt(campaign("c", wait(10, "x")), at=5) == ["5 c exited step_removed"]
    assert [cancel.reason for cancel in world.cancelled] == ["exited"]
    assert world.advance(DAY) == []


def test_what_was_sent_before_is_not_sent_again_where_a_change_puts_it_ahead() -> None:
    world = World(campaign("c", send("in_app", step_id="tip"), wait(10, "w")))
    assert world.event("Go", 0) == ["0 c entered", "0 c sent tip in_app"]
    world.report("delivered", 1)
    world.adopt(
        campaign("c", wait(10, "w"), send("in_app", step_id="tip"), send("push", step_id="new")),
        at=5,
    )
    assert world.advance(10) == [
        "10 c skipped tip in_app passed",
        "10 c skipped new push unreachable",
        "10 c finished",
    ]


def test_a_step_that_waits_no_more_is_gone() -> None:
    world = World(campaign("c", wait(10, "w")))
    world.event("Go", 0)
    assert world.adopt(campaign("c", send("push", step_id="w")), at=5) == [
        "5 c exited step_removed"
    ]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [((), "campaign_removed"), ((campaign("c", wait(10, "w"), status="archived"),), "archived")],
)
def test_a_campaign_that_is_gone_or_archived_lets_everybody_go(
    changed: tuple[Any, ...], reason: str
) -> None:
    world = World(campaign("c", wait(10, "w")))
    world.event("Go", 0)
    assert world.adopt(*changed, at=5) == [f"5 c exited {reason}"]


def test_a_wait_made_shorter_than_it_has_lasted_is_judged_when_the_plan_came() -> None:
    world = World(campaign("c", wait(7 * DAY, "w"), send("email", expires=10 * MINUTE)))
    world.reachable()
    world.event("Go", 0)
    shorter = campaign("c", wait(HOUR, "w"), send("email", expires=10 * MINUTE))
    told = world.adopt(shorter, at=3 * DAY) + world.advance(3 * DAY)
    assert told[0] == f"{HOUR} c skipped steps.1 email expired judged {3 * DAY}"


def test_nobody_enters_for_what_happened_before_a_campaign_went_live() -> None:
    world = World(campaign("c", status="paused"))
    world.event("Go", 0)
    assert world.adopt(campaign("c"), at=1) == []
    assert world.advance(DAY) == []


def test_refusals_while_paused_do_not_count_as_entries() -> None:
    world = World(campaign("c", status="paused", reentry=None))
    world.event("Go", 0)
    world.adopt(campaign("c", reentry=None), at=1)
    assert world.event("Go", 2) == ["2 c entered", "2 c finished"]
