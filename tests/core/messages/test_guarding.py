"""Sends that quiet hours defer, and places under caps: what becomes of them by whatever happens."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.guardrails import quiet_until_ms
from engine.core.history import instants_of
from engine.core.holding import HELD
from engine.core.messages.caps import PLACES_MIN, Cap, place_name, places_kept
from engine.core.messages.quiet import QuietHours
from engine.core.plan import Campaign, Plan
from engine.core.policy import Policy
from engine.core.reports.account import account
from engine.core.reports.verdicts import waiting
from engine.core.state import decode_user, encode_user, new_user
from engine.runtime.processor import Processor
from tests.core.world import DAY, HOUR, MINUTE, START, S, World, campaign, send, wait

QUIET = Policy(quiet_hours=QuietHours(60, 120))
"""From one o'clock until two: `START` is a midnight."""

NIGHT = HOUR + 10 * MINUTE


def nudging(*more: dict[str, Any], **said: Any) -> Campaign:
    return campaign("c", send("in_app", step_id="s"), *more, exits=("Stop",), **said)


def deferred(*campaigns: Campaign, policy: Policy = QUIET, at: int = NIGHT) -> World:
    world = World(*(campaigns or (nudging(),)), policy=policy)
    assert "deferred" in " ".join(world.event("Go", at))
    return world


def adopt(world: World, *campaigns: Campaign, policy: Policy, at: int) -> list[str]:
    world.processor.adopt(Plan(f"p{at}", campaigns, policy), START + at)
    world.processor.sweep()
    return world.commit()


def test_a_deferred_send_holds_its_enrollment_and_what_follows_counts_from_the_end() -> None:
    world = deferred(nudging(wait(5 * MINUTE), send("webhook", step_id="t")))
    assert world.records[-1].until_ms == START + 2 * HOUR
    assert world.advance(2 * HOUR - 1) == []
    assert world.advance(2 * HOUR) == [f"{2 * HOUR} c sent s in_app"]
    assert world.advance(DAY) == [
        f"{2 * HOUR + 5 * MINUTE} c sent t webhook",
        f"{2 * HOUR + 5 * MINUTE} c finished",
    ]


def test_whoever_leaves_while_his_message_is_deferred_is_not_sent_it() -> None:
    world = deferred()
    assert world.event("Stop", NIGHT + 1) == [f"{NIGHT + 1} c exited event"]
    assert world.advance(DAY) == []


def test_a_deferred_send_is_asked_again_from_the_first_question_on() -> None:
    world = World(campaign("c", send("email", step_id="s")), policy=QUIET)
    world.reachable()
    world.event("Go", NIGHT)
    world.identify(NIGHT + 1, consent={"email": False})
    assert world.advance(2 * HOUR)[0] == f"{2 * HOUR} c skipped s email no_consent"


def test_expiry_counts_from_when_the_message_was_due() -> None:
    for expires, verdict in ((50 * MINUTE, "sent s in_app"), (50 * MINUTE - 1, "expired")):
        world = deferred(campaign("c", send("in_app", step_id="s", expires=expires)))
        assert verdict in world.advance(2 * HOUR)[0]


def test_a_deferred_send_survives_a_restart() -> None:
    world = deferred(nudging(wait(HOUR)))
    saved = decode_user(encode_user(world.user()))
    world.processor = Processor(world.processor.plan, {"u": saved}, now_ms=START + NIGHT)
    assert world.advance(2 * HOUR) == [f"{2 * HOUR} c sent s in_app"]
    assert world.advance(DAY) == [f"{3 * HOUR} c finished"]


def test_an_end_that_passes_in_a_downtime_is_judged_after_the_grace() -> None:
    world = deferred()
    world.resume(NIGHT, 5 * HOUR, grace=30 * S)
    assert world.advance(5 * HOUR + 30 * S)[0] == (
        f"{2 * HOUR} c sent s in_app judged {5 * HOUR + 30 * S}"
    )


def test_a_downtime_that_ends_in_the_next_night_defers_once_more() -> None:
    world = deferred(nudging(wait(HOUR)))
    world.resume(NIGHT, DAY + NIGHT, grace=30 * S)
    (told,) = world.advance(DAY + NIGHT + 30 * S)
    assert told == f"{2 * HOUR} c deferred s in_app judged {DAY + NIGHT + 30 * S}"
    assert world.advance(DAY + 2 * HOUR) == [f"{DAY + 2 * HOUR} c sent s in_app"]
    assert world.advance(2 * DAY) == [f"{DAY + 3 * HOUR} c finished"]


def test_who_moves_while_his_message_is_deferred_is_asked_by_his_new_clock_at_its_end() -> None:
    world = deferred()
    world.identify(NIGHT + 1, timezone="-01:00")
    assert world.advance(2 * HOUR) == [f"{2 * HOUR} c deferred s in_app"]
    assert world.records[-1].until_ms == START + 3 * HOUR
    assert world.advance(3 * HOUR)[0] == f"{3 * HOUR} c sent s in_app"


@pytest.mark.parametrize(
    ("quiet", "told"),
    [
        (QuietHours(60, 120), []),
        (QuietHours(30, 120), []),
        (None, ["sent s in_app", "finished"]),
        (QuietHours(60, 70), ["sent s in_app", "finished"]),
        (QuietHours(60, 300), ["deferred s in_app"]),
    ],
)
def test_edited_quiet_hours_count_from_when_they_come_into_force(
    quiet: QuietHours | None, told: list[str]
) -> None:
    world = deferred()
    at = NIGHT + MINUTE
    came = adopt(world, nudging(), policy=Policy(quiet_hours=quiet), at=at)
    assert came == [f"{at} c {one}" for one in told]
    end = 5 * HOUR if quiet and quiet.to_minute == 300 else 2 * HOUR
    after = world.advance(DAY)
    assert after == ([] if "finished" in told else [
        f"{end} c sent s in_app", f"{end} c finished",
    ])  # fmt: skip


def test_a_campaign_that_becomes_transactional_waits_for_no_morning() -> None:
    world = deferred()
    came = adopt(world, nudging(purpose="transactional"), policy=QUIET, at=NIGHT + MINUTE)
    assert came[0] == f"{NIGHT + MINUTE} c sent s in_app"


def test_a_deferred_send_that_is_gone_from_the_file_lets_go_of_its_user() -> None:
    world = deferred()
    told = adopt(world, campaign("c", wait(1)), policy=QUIET, at=NIGHT + 1)
    assert told == [f"{NIGHT + 1} c exited step_removed"]


def test_a_deferred_send_whose_id_a_wait_has_now_waits() -> None:
    world = deferred()
    assert adopt(world, campaign("c", wait(DAY, "s")), policy=QUIET, at=NIGHT + 1) == []
    assert world.advance(2 * DAY) == [f"{NIGHT + DAY} c finished"]


def test_a_pause_holds_a_deferred_send_and_a_resume_asks_it_anew() -> None:
    world = deferred()
    assert adopt(world, nudging(status="paused"), policy=QUIET, at=NIGHT + 1) == []
    assert world.advance(3 * HOUR) == []
    assert adopt(world, nudging(), policy=QUIET, at=4 * HOUR)[0] == f"{4 * HOUR} c sent s in_app"


def test_of_a_late_start_in_the_night_the_latest_send_is_deferred_and_the_others_expire() -> None:
    late = campaign(
        "c", send("in_app", step_id="a"), wait(10 * MINUTE, "w"), send("in_app", step_id="b"),
        send("webhook", step_id="d"), wait(HOUR, "x"),
    )  # fmt: skip
    world = World(late, policy=QUIET)
    assert world.event("Go", NIGHT, t=NIGHT - 20 * MINUTE)[1:] == [
        f"{NIGHT} c skipped a in_app expired",
        f"{NIGHT} c deferred b in_app",
    ]
    assert world.advance(2 * HOUR) == [
        f"{2 * HOUR} c sent b in_app",
        f"{2 * HOUR} c sent d webhook",
    ]
    assert world.advance(DAY) == [f"{3 * HOUR} c finished"]


def test_what_is_in_the_outbox_as_it_becomes_quiet_is_held_until_the_end() -> None:
    world = World(nudging(), campaign("o", send("in_app"), purpose="transactional"), policy=QUIET)
    world.event("Go", HOUR - 1)
    marketing, transactional = world.messages
    processor = world.processor
    assert processor.verdict(marketing, START + HOUR - 1) == ""
    assert processor.held_until_ms(marketing, START + HOUR - 1) == 0
    assert processor.verdict(marketing, START + HOUR) == HELD
    assert processor.held_until_ms(marketing, START + HOUR) == START + 2 * HOUR
    assert processor.verdict(marketing, START + 2 * HOUR) == ""
    assert processor.verdict(transactional, START + NIGHT) == ""


def test_what_would_have_expired_by_the_end_is_cancelled_in_the_night() -> None:
    world = World(campaign("c", send("in_app", expires=30 * MINUTE)), policy=QUIET)
    world.event("Go", HOUR - 1)
    assert world.processor.verdict(world.messages[0], START + HOUR) == "expired"


def test_explain_says_until_when_a_message_is_deferred() -> None:
    world = deferred()
    plan = world.processor.plan
    told = account(plan, world.user(), plan.campaigns["c"], START + NIGHT, None, [])
    assert told.places[0].deferred
    assert waiting(told.places[0]) == (
        "its message of step s is deferred until 2026-01-01T02:00:00.000Z, "
        "the end of the quiet hours"
    )


def test_a_user_of_no_zone_that_is_known_has_the_shops() -> None:
    policy, user = Policy(quiet_hours=QuietHours(60, 120), timezone="+01:00"), new_user("u")
    for zone in (None, "", "Nowhere", "../etc", 7, ["UTC"], "x" * 10_000):
        user.traits = {"timezone": zone}
        assert quiet_until_ms(policy, user, START) == START + HOUR
    user.traits = {"timezone": "UTC"}
    assert quiet_until_ms(policy, user, START) == 0


def test_at_the_end_of_the_calendar_it_is_quiet_no_more() -> None:
    assert QuietHours(1380, 60).until_ms("UTC", 253_402_300_799_999) == 0


# Caps


def test_which_message_wins_under_a_cap_is_decided_by_priority() -> None:
    """What the community of Customer.io asked, and nobody answered."""
    low = campaign("low", send("in_app"), priority=10)
    high = campaign("high", send("in_app"), priority=90)
    world = World(low, high, policy=Policy(caps=(Cap(1, HOUR),), quiet_hours=QuietHours(60, 120)))
    verdicts = ["high sent steps.0 in_app", "low skipped steps.0 in_app capped"]
    for at, decided_at in ((0, 0), (NIGHT, 2 * HOUR), (3 * HOUR, 3 * HOUR)):
        told = [*world.event("Go", at), *(world.advance(decided_at) if decided_at > at else [])]
        decided = [one for one in told if " sent " in one or " skipped " in one]
        assert decided == [f"{decided_at} {verdict}" for verdict in verdicts]


def places(world: World, channel: str = "in_app") -> list[int]:
    return [at - START for at in instants_of(world.user().history.get(place_name(channel), b""))]


def test_a_shop_without_caps_keeps_nothing_of_what_it_sent() -> None:
    world = World(nudging())
    world.event("Go", 0)
    assert world.user().history == {}


def test_only_channels_that_a_cap_counts_are_kept() -> None:
    kept = places_kept((Cap(2, HOUR, "email"), Cap(9, DAY, "email"), Cap(2_000, 5, "push")))
    assert {channel: one.window_ms for channel, one in kept.items()} == {"email": DAY, "push": 5}
    assert {one.most for one in kept.values()} == {2_000}
    assert places_kept((Cap(1, 5),))["sms"].most == PLACES_MIN


@pytest.mark.parametrize("outcome", ["failed", "cancelled"])
def test_a_message_that_does_not_go_gives_its_place_back(outcome: str) -> None:
    world = World(nudging(), policy=Policy(caps=(Cap(1, HOUR),)))
    world.event("Go", 0)
    assert places(world) == [0]
    assert world.event("Go", 5)[1] == "5 c skipped s in_app capped"
    world.report(outcome, 6)
    assert places(world) == []
    assert world.event("Go", 7)[1] == "7 c sent s in_app"
    world.report("delivered", 8)
    assert places(world) == [7]


def test_of_two_messages_of_one_instant_one_gives_one_place_back() -> None:
    world = World(nudging(send("in_app")), policy=Policy(caps=(Cap(5, HOUR),)))
    world.event("Go", 3)
    world.report("failed", 4)
    assert places(world) == [3]


def test_an_exit_gives_the_place_back_once_it_is_known_that_the_message_did_not_go() -> None:
    world = World(nudging(wait(HOUR)), policy=Policy(caps=(Cap(1, HOUR),)))
    world.event("Go", 0)
    world.event("Stop", 1)
    assert places(world) == [0]
    world.report("cancelled", 1, reason="exited")
    assert places(world) == []


def test_a_capped_stand_in_leaves_a_dead_letter_and_says_why() -> None:
    world = World(
        campaign("c", send("in_app", "webhook", "push", step_id="s")),
        campaign("o", send("webhook"), on=("Ordered",), purpose="transactional"),
        policy=Policy(caps=(Cap(1, HOUR, "webhook"),)),
    )
    world.identify(0, push="p")
    world.event("Ordered", 0)
    world.event("Go", 1)
    message = world.messages[0].id
    assert world.report("failed", 2, message=message, reason="no") == [
        "2 c failed s in_app no",
        "2 c skipped s webhook capped",
    ]
    assert [one.dead for one in world.closed] == [True]


def test_a_held_out_user_takes_no_place_and_waits_for_no_morning() -> None:
    policy = Policy(quiet_hours=QuietHours(60, 120), caps=(Cap(1, HOUR),), holdout=1.0)
    world = World(nudging(), policy=policy)
    assert world.event("Go", NIGHT)[1] == f"{NIGHT} c skipped s in_app holdout"
    assert places(world) == []
