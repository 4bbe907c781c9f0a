from __future__ import annotations

from typing import Any

import msgspec
import pytest

from engine.core.effects import REASON_LENGTH_MAX
from engine.core.guardrails import PENDING_MAX
from engine.core.messages.waiting import by_id, each_message
from engine.core.policy import Policy
from tests.core.world import HOUR, MINUTE, REACHABLE, START, S, World, campaign, send, wait

PUSH = {"endpoint": "https://push.example.com/1"}


def entered(*steps: dict[str, Any], traits: dict[str, Any], **more: Any) -> tuple[World, list[str]]:
    world = World(campaign("c", *steps, purpose=more.pop("purpose", "marketing")), **more)
    world.identify(0, **traits)
    return world, world.event("Go", 0, sku="s1")[1:-1]


@pytest.mark.parametrize(
    ("consent", "verdict"),
    [
        ({"email": True}, "sent steps.0 email"),
        ({"email": False}, "skipped steps.0 email no_consent"),
        ({"email": None}, "skipped steps.0 email no_consent"),
        ({"email": "yes"}, "skipped steps.0 email no_consent"),
        ({"email": 1}, "skipped steps.0 email no_consent"),
        ({"sms": True}, "skipped steps.0 email no_consent"),
        ({}, "skipped steps.0 email no_consent"),
        (None, "skipped steps.0 email no_consent"),
        (True, "skipped steps.0 email no_consent"),
        ("all", "skipped steps.0 email no_consent"),
    ],
)
def test_marketing_by_email_wants_a_plain_yes(consent: Any, verdict: str) -> None:
    _, told = entered(send("email"), traits={"email": "a@example.com", "consent": consent})
    assert told == [f"0 c {verdict}"]


def test_a_shop_may_take_the_unknown_for_a_yes_but_never_a_no() -> None:
    policy = Policy(consent_unknown_allows=True)
    _, told = entered(send("email"), traits={"email": "a@example.com"}, policy=policy)
    assert told == ["0 c sent steps.0 email"]
    _, told = entered(
        send("email"), traits={**REACHABLE, "consent": {"email": False}}, policy=policy
    )
    assert told == ["0 c skipped steps.0 email no_consent"]


def test_a_no_to_everything_holds_for_every_channel() -> None:
    for channel in ("sms", "push", "in_app", "webhook"):
        _, told = entered(send(channel), traits={"phone": "+49", "push": PUSH, "consent": False})
        assert told == [f"0 c skipped steps.0 {channel} no_consent"]


def test_a_trait_called_id_is_not_the_users_id() -> None:
    world, _ = entered(send("in_app"), traits={"id": "of another system"})
    (message,) = world.messages
    assert msgspec.json.decode(message.snapshot)["user"]["id"] == message.user_id


def test_sms_needs_consent_push_is_consent_and_the_others_need_none() -> None:
    traits = {"phone": "+4912345", "push": PUSH}
    for channel, verdict in (
        ("sms", "skipped steps.0 sms no_consent"),
        ("push", "sent steps.0 push"),
        ("in_app", "sent steps.0 in_app"),
        ("webhook", "sent steps.0 webhook"),
    ):
        _, told = entered(send(channel), traits=traits)
        assert told == [f"0 c {verdict}"]


@pytest.mark.parametrize("channel", ["push", "in_app", "webhook"])
def test_a_shop_may_ask_consent_for_any_channel_and_a_no_always_holds(channel: str) -> None:
    required = Policy(consent_required=frozenset({channel}))
    _, told = entered(send(channel), traits={"push": PUSH}, policy=required)
    assert told == [f"0 c skipped steps.0 {channel} no_consent"]
    _, told = entered(send(channel), traits={"push": PUSH, "consent": {channel: False}})
    assert told == [f"0 c skipped steps.0 {channel} no_consent"]


def test_transactional_messages_ask_no_consent_but_the_address() -> None:
    denied = {"email": "a@example.com", "consent": {"email": False}}
    _, told = entered(send("email"), traits=denied, purpose="transactional")
    assert told == ["0 c sent steps.0 email"]
    _, told = entered(send("email"), traits={}, purpose="transactional")
    assert told == ["0 c skipped steps.0 email unreachable"]


@pytest.mark.parametrize("email", ["", "  ", None, 7, True, ["a@example.com"]])
def test_what_is_no_address_cannot_be_reached(email: Any) -> None:
    _, told = entered(send("email"), traits={**REACHABLE, "email": email})
    assert told == ["0 c skipped steps.0 email unreachable"]


def test_a_phone_number_that_a_shop_sent_as_a_number_is_an_address() -> None:
    _, told = entered(send("sms"), traits={"phone": 4912345, "consent": {"sms": True}})
    assert told == ["0 c sent steps.0 sms"]


def test_no_address_is_named_before_no_consent() -> None:
    _, told = entered(send("email"), traits={"consent": {"email": False}})
    assert told == ["0 c skipped steps.0 email unreachable"]


def test_the_next_channel_stands_in_where_one_cannot_reach_the_user() -> None:
    world, told = entered(send("email", "push", "webhook"), traits={"push": PUSH})
    assert told == ["0 c sent steps.0 push"]
    (message,) = world.messages
    assert (message.channel, message.fallback_of, message.more) == ("push", "", True)
    assert msgspec.json.decode(message.snapshot)["event"] == {"sku": "s1"}


def test_where_no_channel_is_open_the_first_says_why() -> None:
    traits = {"email": "a@example.com"}
    _, told = entered(send("email", "sms"), traits=traits)
    assert told == ["0 c skipped steps.0 email no_consent"]


def test_a_failed_delivery_goes_to_the_next_channel_with_the_snapshot_of_the_first() -> None:
    world, _ = entered(send("email", "sms", "push"), traits={**REACHABLE, "push": PUSH})
    (first,) = world.messages
    assert first.more
    told = world.report("failed", 5, reason="no such mailbox")
    assert told == [
        "5 c failed steps.0 email no such mailbox",
        "5 c sent steps.0 push",
    ]
    (second,) = world.messages
    assert (second.channel, second.fallback_of, second.more) == ("push", first.id, False)
    assert bytes(second.snapshot) == b""
    assert second.id != first.id
    assert [(closed.id, closed.dead) for closed in world.closed] == [(first.id, False)]


def test_the_last_failure_is_kept_among_the_dead_letters() -> None:
    world, _ = entered(send("email"), traits=REACHABLE)
    assert world.report("failed", 5, reason="bounced") == ["5 c failed steps.0 email bounced"]
    assert [(closed.dead, closed.reason) for closed in world.closed] == [(True, "bounced")]


def test_a_failed_delivery_whose_fallbacks_reach_nobody_is_dead() -> None:
    world, _ = entered(send("email", "push"), traits=REACHABLE)
    assert [message.more for message in world.messages] == [False]
    world.report("failed", 5)
    assert world.messages == []
    assert [closed.dead for closed in world.closed] == [True]


def test_a_fallback_asks_consent_as_it_is_by_then() -> None:
    world, _ = entered(send("email", "push"), traits={**REACHABLE, "push": PUSH})
    world.identify(1, consent={"push": False})
    assert world.report("failed", 5) == ["5 c failed steps.0 email"]
    assert world.messages == []


def test_a_delivered_message_is_told_and_closed() -> None:
    world, _ = entered(send("email"), traits=REACHABLE)
    assert world.report("delivered", 5) == ["5 c delivered steps.0 email"]
    assert [closed.dead for closed in world.closed] == [False]
    assert world.user().pending == ()


def test_an_outcome_told_twice_changes_nothing() -> None:
    world, _ = entered(send("email", "push"), traits={**REACHABLE, "push": PUSH})
    (first,) = world.messages
    world.report("delivered", 5, message=first.id)
    assert world.report("failed", 6, message=first.id) == []
    assert (world.messages, world.closed) == ([], [])


def test_an_exit_cancels_what_is_in_the_outbox_and_no_fallback_follows_its_failure() -> None:
    world = World(campaign("c", send("email", "push"), wait(HOUR), exits=("Stop",)))
    world.identify(0, **REACHABLE, push=PUSH)
    world.event("Go", 0)
    (message,) = world.messages
    world.event("Stop", 1)
    assert [(cancel.id, cancel.reason) for cancel in world.cancelled] == [(message.id, "exited")]
    assert world.processor.verdict(message, START + 1) == "exited"
    assert world.report("failed", 2) == ["2 c failed steps.0 email"]
    assert world.messages == []


def test_a_message_handed_over_before_its_cancellation_counts_as_delivered() -> None:
    world = World(campaign("c", send("email"), wait(HOUR), exits=("Stop",)))
    world.reachable()
    world.event("Go", 0)
    world.event("Stop", 1)
    assert world.report("delivered", 2) == ["2 c delivered steps.0 email"]


def test_a_cancelled_message_is_told_as_skipped_with_its_reason() -> None:
    world, _ = entered(send("email"), traits=REACHABLE)
    told = world.report("cancelled", 3, reason="no_consent")
    assert told == ["3 c skipped steps.0 email no_consent"]
    assert world.user().pending == ()


def test_the_outbox_asks_again_before_every_attempt() -> None:
    world, _ = entered(send("email", expires=10 * S), traits=REACHABLE)
    (message,) = world.messages
    verdict = world.processor.verdict
    assert verdict(message, START) == ""
    assert verdict(message, START + 10 * S) == ""
    assert verdict(message, START + 10 * S + 1) == "expired"
    world.identify(1, consent={"email": False})
    assert verdict(message, START + 1) == "no_consent"
    world.identify(2, consent={"email": True})
    assert verdict(message, START + 2) == ""
    world.report("delivered", 3)
    assert verdict(message, START + 3) is None


def test_a_transactional_message_outlives_an_unsubscription() -> None:
    world, _ = entered(send("email"), traits=REACHABLE, purpose="transactional")
    (message,) = world.messages
    world.identify(1, consent={"email": False})
    assert world.processor.verdict(message, START + 1) == ""


def test_an_address_that_the_provider_refuses_is_used_no_more_by_anybody() -> None:
    world = World(
        campaign("c", send("email"), purpose="transactional"), campaign("d", send("email"))
    )
    world.reachable()
    world.event("Go", 0)
    world.report("failed", 1, bad_address="a@example.com")
    told = world.event("Go", 2)
    assert "2 c skipped steps.0 email suppressed" in told
    assert "2 d skipped steps.0 email suppressed" in told
    world.identify(3, email="b@example.com")
    assert "4 c sent steps.0 email" in world.event("Go", 4)


def test_a_suppression_cancels_what_waits_in_the_outbox_for_the_same_address() -> None:
    world = World(campaign("c", send("email"), send("email"), purpose="transactional"))
    world.reachable()
    world.event("Go", 0)
    first, second = world.messages
    assert world.processor.verdict(second, START) == ""
    world.report("failed", 1, message=first.id, bad_address="a@example.com")
    assert world.processor.verdict(second, START + 1) == "suppressed"


def test_a_message_made_for_an_address_that_turned_out_bad_stays_also_where_he_has_another() -> (
    None
):
    world = World(campaign("c", send("email"), send("email"), purpose="transactional"))
    world.reachable()
    world.event("Go", 0)
    first, second = world.messages
    world.report("failed", 1, message=first.id, bad_address="a@example.com")
    world.identify(2, email="b@example.com")
    assert world.processor.verdict(second, START + 3) == ""  # it is made for the new one
    assert world.processor.verdict(second, START + 3, "b@example.com") == ""
    assert world.processor.verdict(second, START + 3, "a@example.com") == "suppressed"


OTHER = {"endpoint": "https://push.example.com/2"}


@pytest.mark.parametrize(
    ("held", "gone", "kept"),
    [
        (PUSH, PUSH, None),
        ([PUSH, OTHER], PUSH, [OTHER]),
        ([PUSH], PUSH, None),
        ([PUSH, "odd"], PUSH, ["odd"]),
        (msgspec.json.encode(PUSH).decode(), PUSH, None),
        (msgspec.json.encode([PUSH, OTHER]).decode(), OTHER, [PUSH]),
        ([PUSH], OTHER, [PUSH]),
    ],
)
@pytest.mark.parametrize("outcome", ["delivered", "failed"])
def test_a_subscription_that_is_no_more_leaves_the_trait(
    held: Any, gone: dict[str, str], kept: Any, outcome: str
) -> None:
    world, _ = entered(send("push"), traits={"push": held, "name": "Ann"})
    world.report(outcome, 1, gone=(gone["endpoint"],))
    traits = world.user("u").traits
    assert traits.get("push") == kept
    assert traits["name"] == "Ann"
    left = world.event("Go", 2)[1]
    assert (
        left == f"2 c {'sent' if kept else 'skipped'} steps.0 push{'' if kept else ' unreachable'}"
    )


def test_a_push_whose_last_subscription_is_no_more_goes_by_the_next_channel() -> None:
    world, _ = entered(send("push", "in_app"), traits={"push": PUSH})
    told = world.report("failed", 1, gone=(PUSH["endpoint"],))
    assert told == ["1 c failed steps.0 push", "1 c sent steps.0 in_app"]


def test_who_cannot_be_pushed_to_any_more_comes_into_the_campaign_that_asks_for_it() -> None:
    world = World(
        campaign("c", send("push")), campaign("d", send("in_app"), rises="!has(user.push)")
    )
    world.identify(0, push=PUSH)
    world.event("Go", 1)
    assert "2 d sent steps.0 in_app" in world.report("failed", 2, gone=(PUSH["endpoint"],))


@pytest.mark.parametrize(
    ("late", "goes"), [(0, True), (10 * MINUTE, True), (10 * MINUTE + 1, False)]
)
def test_a_send_goes_until_it_is_more_than_expires_late(late: int, *, goes: bool) -> None:
    world = World(campaign("c", wait(HOUR), send("email", expires=10 * MINUTE)))
    world.reachable()
    world.event("Go", 0)
    judged = HOUR + late
    if late:
        world.resume(0, judged, grace=0)
    (told, _) = world.advance(judged)
    mark = f" judged {judged}" if late else ""
    fate = "sent steps.1 email" if goes else "skipped steps.1 email expired"
    assert told == f"{HOUR} c {fate}{mark}"


def test_a_fallback_expires_as_late_after_the_step_as_the_first_would_have() -> None:
    for at, count in ((10 * S, 1), (10 * S + 1, 0)):
        world, _ = entered(
            send("email", "push", expires=10 * S), traits={**REACHABLE, "push": PUSH}
        )
        world.report("failed", at)
        assert len(world.messages) == count


def test_the_snapshot_is_taken_at_the_step_and_names_user_event_and_campaign() -> None:
    world = World(campaign("c", wait(5), send("email"), description="Nudge"))
    world.identify(0, **REACHABLE, name="Ann")
    world.event("Go", 0, sku="s1")
    world.identify(3, name="Bea")
    world.advance(5)
    (message,) = world.messages
    snapshot = msgspec.json.decode(message.snapshot)
    assert snapshot["user"]["id"] == "u"
    assert snapshot["user"]["name"] == "Bea"
    assert snapshot["event"] == {"sku": "s1"}
    assert snapshot["event_name"] == "Go"
    assert snapshot["campaign"] == {"id": "c", "description": "Nudge", "purpose": "marketing"}


def test_a_message_bears_the_instant_at_which_it_was_judged_and_when_it_expires() -> None:
    world = World(campaign("c", wait(5), send("email", expires=7)))
    world.reachable()
    world.event("Go", 0)
    world.advance(5)
    (message,) = world.messages
    assert (message.at_ms, message.expires_at_ms) == (START + 5, START + 12)


def test_each_send_and_each_channel_has_an_id_of_its_own_that_another_run_makes_too() -> None:
    def run() -> list[str]:
        world = World(campaign("c", send("email"), send("email", "push"), wait(5)))
        world.identify(0, **REACHABLE, push=PUSH)
        world.event("Go", 0)
        ids = [message.id for message in world.messages]
        world.report("failed", 1, message=ids[1])
        return [*ids, *(message.id for message in world.messages)]

    ids = run()
    assert len(set(ids)) == 3
    assert ids == run()


def crowded(*channels: str, purpose: Any = "marketing", count: int = PENDING_MAX) -> World:
    """A user with `count` messages under way: one that was sent, and others like it."""
    world = World(
        campaign("c", send(*channels), purpose=purpose),
        campaign("receipt", send("email"), on=("Bought",), purpose="transactional"),
    )
    world.identify(0, **REACHABLE, push=PUSH)
    assert "sent" in world.event("Go", 0)[1]
    user = world.user()
    [one] = each_message(user.pending)
    user.pending = by_id(user.pending) | {str(at): one for at in range(1, count)}
    return world


def test_beyond_what_may_wait_a_send_is_skipped_and_says_so() -> None:
    world = crowded("email")
    assert world.event("Go", HOUR) == [
        f"{HOUR} c entered", f"{HOUR} c skipped steps.0 email limit", f"{HOUR} c finished",
    ]  # fmt: skip
    assert world.messages == []
    assert len(world.user().pending) == PENDING_MAX


def test_each_delivery_makes_room_for_another() -> None:
    world = crowded("email")
    world.report("delivered", HOUR)
    assert world.event("Go", HOUR)[1] == f"{HOUR} c sent steps.0 email"
    assert world.event("Go", HOUR)[1] == f"{HOUR} c skipped steps.0 email limit"


def test_a_failed_message_leaves_its_place_to_the_one_that_stands_in() -> None:
    world = crowded("email", "push")
    assert world.report("failed", HOUR)[1:] == [f"{HOUR} c sent steps.0 push"]
    assert len(world.user().pending) == PENDING_MAX


def test_waiting_marketing_keeps_no_receipt_back() -> None:
    world = crowded("email")
    assert world.event("Bought", HOUR)[1] == f"{HOUR} receipt sent steps.0 email"


def test_receipts_have_as_many_places_again_and_no_more() -> None:
    world = crowded("email", purpose="transactional", count=2 * PENDING_MAX)
    assert world.event("Bought", HOUR)[1] == f"{HOUR} receipt skipped steps.0 email limit"


def test_of_a_long_reason_the_beginning_is_kept() -> None:
    world = crowded("email", count=1)
    world.report("failed", 1, reason="x" * 40_000)
    assert world.records[0].reason == world.closed[0].reason == "x" * REASON_LENGTH_MAX
