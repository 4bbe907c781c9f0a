from __future__ import annotations

from typing import Any

import msgspec
import pytest

from engine.core.effects import Record
from engine.core.entry import ENTRIES_MAX
from engine.core.goals import Goal
from engine.core.guardrails import PENDING_MAX
from engine.core.inputs import DeliveryReported, EventReceived, UsersMerged
from engine.core.intake.items import decode_item, read_item
from engine.core.messages.caps import Cap
from engine.core.messages.quiet import QuietHours
from engine.core.messages.waiting import by_id, each_message
from engine.core.past.entered import count_entries, each_entry
from engine.core.plan import Plan
from engine.core.policy import Policy
from engine.core.state import NEVER, User
from tests.core.world import (
    DAY,
    HOUR,
    REACHABLE,
    START,
    S,
    World,
    campaign,
    send,
    wait,
    wait_event,
    wait_when,
)

MERGED = "anon"
USERS = ((0, MERGED), (5, "u"))
MANY = 20_000


def test_every_field_of_a_user_has_a_rule() -> None:
    """Whoever gives users another one says in `core.merging` what becomes of it."""
    assert set(User.__struct_fields__) == {
        *("user_id", "seen", "due_at_ms", "last_seen_at_ms", "fired_at_ms", "armed_at_ms"),
        *("unsaved", "held_until_ms", "history", "details", "enrollments", "pending", "entries"),
        *("watch", "session", "traits", "collections", "late_entries", "suppressed", "refused"),
        *(
            "traits_bytes",
            "identified_at_ms",
            "scores",
            "drawn",
            "ended",
            "aliases",
            "is_anonymous",
            "rapport",
        ),
    }


def test_an_anonymous_user_who_gets_a_name_goes_on_where_he_was() -> None:
    world = World(campaign("c", wait(10 * S), send("in_app")))
    world.event("Go", 0, user=MERGED)
    assert world.merge(MERGED, 4 * S) == []
    assert world.advance(10 * S)[0] == "10000 c sent steps.1 in_app"
    assert {record.user_id for record in world.records} == {"u"}
    assert MERGED not in world.processor.users


def test_what_comes_late_under_the_old_id_finds_the_new_one() -> None:
    world = World(campaign("c", wait(HOUR), send("in_app"), exits=("Buy",)))
    world.event("Go", 0)
    world.merge(MERGED, 10)
    assert world.event("Buy", 30, t=20, user=MERGED) == ["30 c exited event"]
    assert list(world.processor.users) == ["u"]


def test_of_two_in_a_campaign_the_older_goes_on_and_sends_nothing_again() -> None:
    steps = (send("in_app", step_id="one"), wait(10 * S), send("in_app", step_id="two"))
    world = World(campaign("c", *steps))
    world.event("Go", 0, user=MERGED)
    world.event("Go", 5 * S)
    world.report("delivered", 5 * S, user=MERGED)
    # The younger one's first message waits still, and the older has sent it: it is taken back.
    assert world.merge(MERGED, 6 * S) == ["6000 c exited merged"]
    assert [one.reason for one in world.cancelled] == ["merged"]
    world.report("cancelled", 7 * S, reason="merged")
    assert world.advance(DAY) == ["10000 c sent two in_app", "10000 c finished"]


def test_where_a_campaign_restarts_the_younger_goes_on() -> None:
    steps = (wait(10 * S), send("in_app", step_id="one"))
    world = World(campaign("c", *steps, restart=True))
    world.event("Go", 0)
    world.event("Go", 5 * S, user=MERGED)
    assert world.merge(MERGED, 6 * S) == ["6000 c exited merged"]
    assert world.advance(DAY) == ["15000 c sent one in_app", "15000 c finished"]


def test_what_the_one_had_come_to_the_other_passes_over() -> None:
    """He who stays is the older, and waits for longer: what the younger had sent is sent."""
    steps = (
        wait_when("did('Look', '1d')", DAY),
        send("in_app", step_id="one"),
        wait(DAY),
        send("in_app", step_id="two"),
    )
    world = World(campaign("c", *steps))
    world.event("Go", 0)
    world.event("Look", 0, user=MERGED)
    assert "1000 c sent one in_app" in world.event("Go", 1 * S, user=MERGED)
    world.report("delivered", 1 * S, user=MERGED)
    told = world.merge(MERGED, 2 * S)
    assert told == ["2000 c exited merged", "2000 c skipped one in_app passed"]
    assert world.advance(3 * DAY)[0] == f"{DAY + 2 * S} c sent two in_app"


def test_enrollments_of_another_value_of_per_go_on_side_by_side() -> None:
    world = World(campaign("c", wait(10 * S), send("in_app"), per="event.sku"))
    world.event("Go", 0, sku="a")
    world.event("Go", 0, user=MERGED, sku="b")
    assert world.merge(MERGED, 1 * S) == []
    assert len(world.user().enrollments) == 2


def test_an_event_of_the_one_ends_what_the_other_was_in_where_it_happened_later() -> None:
    world = World(campaign("c", wait(DAY), send("in_app"), exits=("Buy",)))
    world.event("Go", 0, user=MERGED)
    world.event("Buy", 5)
    assert world.merge(MERGED, 10) == ["10 c exited event"]


def test_an_event_from_before_the_start_ends_nothing() -> None:
    world = World(campaign("c", wait(DAY), send("in_app"), exits=("Buy",)))
    world.event("Buy", 5)
    world.event("Go", 7, user=MERGED)
    assert world.merge(MERGED, 10) == []


def test_two_messages_of_one_step_are_one() -> None:
    world = World(campaign("c", send("in_app")))
    world.event("Go", 0, user=MERGED)
    world.event("Go", 5)
    world.merge(MERGED, 10)
    assert [one.cancelled for one in each_message(world.user().pending)] == ["merged", ""]


def test_a_message_that_was_taken_back_takes_no_other_one_back() -> None:
    goes = {"exit_when": "user.gone == true"}
    world = World(campaign("c", send("in_app"), wait(DAY), **goes))
    world.event("Go", 0, user=MERGED)
    world.identify(1, gone=False)
    assert world.identify(3, user=MERGED, gone=True) == ["3 c exited when"]
    world.event("Go", 4)
    assert world.alias(MERGED, 10) == []
    assert [one.cancelled for one in each_message(world.user().pending)] == ["", "exited"]


def test_where_a_campaign_restarts_one_of_two_messages_of_a_step_goes() -> None:
    steps = (send("in_app", step_id="one"), wait(DAY))
    world = World(campaign("c", *steps, restart=True))
    world.event("Go", 0)
    world.event("Go", 5 * S, user=MERGED)
    world.merge(MERGED, 6 * S)
    assert len(world.cancelled) == 1


def test_what_waits_of_the_older_is_not_sent_where_the_younger_had_it() -> None:
    steps = (send("in_app", step_id="one"), wait(DAY))
    world = World(campaign("c", *steps))
    world.event("Go", 0)
    world.event("Go", 5 * S, user=MERGED)
    world.report("delivered", 5 * S, user=MERGED)
    world.merge(MERGED, 6 * S)
    assert [one.reason for one in world.cancelled] == ["merged"]


def test_what_has_been_sent_is_the_ones_who_stays() -> None:
    """His exit takes it back."""
    steps = (wait(10 * S), send("in_app", step_id="two"), wait(DAY))
    world = World(campaign("c", *steps, exits=("Buy",), per="event.n"), campaign("d", *steps))
    world.event("Go", 0, n=1)
    world.event("Go", 1 * S, user=MERGED, n=1)
    world.advance(11 * S)
    younger = world.user(MERGED).enrollments[0].enrollment
    older = world.user().enrollments[0].enrollment
    world.merge(MERGED, 12 * S)
    waiting = each_message(world.user().pending)
    assert {one.enrollment for one in waiting if one.campaign == "c"} == {older}
    assert younger != older


def test_what_was_delivered_by_the_one_that_gives_way_is_the_others_touch() -> None:
    goal = Goal(("Buy",))
    steps = (wait(10 * S), send("in_app", step_id="two"), wait(DAY))
    world = World(campaign("c", *steps, goal=goal))
    world.event("Go", 0, user=MERGED)
    world.event("Go", 5 * S)
    world.advance(10 * S)
    message = next(iter(by_id(world.user(MERGED).pending)))
    world.report("delivered", 11 * S, user=MERGED)
    world.merge(MERGED, 12 * S)  # the older one stays, and has sent it
    world.event("Buy", 13 * S)
    assert [one.message for one in world.records if one.kind == "goal"] == [message]

    world = World(campaign("c", *steps, goal=goal, restart=True))
    world.event("Go", 0, user=MERGED)
    world.event("Go", 5 * S)
    world.advance(10 * S)
    message = next(iter(by_id(world.user(MERGED).pending)))
    world.merge(MERGED, 12 * S)  # the younger one stays; the message is still on its way
    world.report("delivered", 13 * S, message=message)
    world.event("Buy", 14 * S)
    assert [one.message for one in world.records if one.kind == "goal"] == [message]


def test_no_more_messages_wait_than_may_and_what_marketing_sent_last_goes_first() -> None:
    world = World(
        campaign("a", send("in_app"), on=("A",)),
        campaign("b", send("in_app"), on=("B",), purpose="transactional"),
    )
    for user in ("u", MERGED, "anon-2"):
        world.event("B", 0, user=user)
        kept = world.user(user)
        one, *_ = each_message(kept.pending)
        kept.pending = {
            f"{user}{number}": msgspec.structs.replace(
                one, marketing=number >= PENDING_MAX - 10, step=f"{user}{number}", sent_at_ms=number
            )
            for number in range(PENDING_MAX)
        }
    world.merge(MERGED, 1 * S)
    assert world.cancelled == []
    world.merge("anon-2", 2 * S)
    assert len(world.cancelled) == PENDING_MAX
    assert {one.reason for one in world.cancelled} == {"limit"}
    left = [one for one in each_message(world.user().pending) if not one.cancelled]
    assert not any(one.marketing for one in left)
    assert max(one.sent_at_ms for one in left) < PENDING_MAX - 10


def test_entries_are_bounded_however_many_began_at_one_instant() -> None:
    world = World(campaign("c", send("in_app"), per="event.n", reentry=None))
    for user in ("u", MERGED):
        world.event("Go", 0, user=user, n=-1)
        own = {f"c\n{user}{number}": (START, 1) for number in range(ENTRIES_MAX - 1)}
        world.user(user).entries = own
    world.merge(MERGED, 1 * S)
    assert count_entries(world.user().entries) == ENTRIES_MAX


def test_of_users_with_much_to_deliver_each_second_message_is_found() -> None:
    """As many as may wait: what compared each with each would be over the time for a test."""
    world = World(campaign("c", send("in_app"), per="event.n", purpose="transactional"))
    both = [world.event("Go", at, user=user, n=0) and world.user(user) for at, user in USERS]
    for user in both:
        (pending,) = each_message(user.pending)
        entered = (user.entries[1], 1)
        user.pending = {
            f"{user.user_id} {n}": msgspec.structs.replace(pending, per=str(n)) for n in range(MANY)
        }
        user.entries = {f"c\n{n}": entered for n in range(MANY // 2)}
    world.merge(MERGED, 10)
    assert len(world.cancelled) == MANY
    assert {one.id.partition(" ")[0] for one in world.cancelled} == {"u"}
    assert dict(each_entry(world.user().entries))["c\n7"] == (START + 5, 1)


def test_a_delivery_that_is_reported_under_the_old_id_is_the_new_ones() -> None:
    world = World(campaign("c", send("in_app")))
    world.event("Go", 0, user=MERGED)
    (message,) = world.messages
    world.merge(MERGED, 10)
    assert world.processor.verdict(message, START + 11) == ""
    world.processor.take(DeliveryReported(MERGED, message.id, "delivered"), START + 12)
    assert world.commit() == ["12 c delivered steps.0 in_app"]
    assert world.user().pending == ()


@pytest.mark.parametrize(
    ("own", "others", "both"),
    [
        ({"email": True}, {"email": False}, {"email": False}),
        ({"email": False}, {"email": True}, {"email": False}),
        ({"email": True}, {"sms": False}, {"email": True, "sms": False}),
        ({"email": True}, False, False),
        (False, {"email": True}, False),
        (None, {"sms": True}, {"sms": True}),
        (True, {"email": False}, {"email": False}),
        ({"email": False}, True, {"email": False}),
    ],
)
def test_of_consents_the_stricter_wins(own: Any, others: Any, both: Any) -> None:
    world = World()
    world.identify(0, user=MERGED, consent=others)
    world.identify(0, **({} if own is None else {"consent": own}))
    world.alias(MERGED, 10)
    assert world.user().traits["consent"] == both


def test_the_known_ones_traits_win_and_the_rest_is_filled_in() -> None:
    world = World()
    world.identify(0, user=MERGED, name="Guest", colour="red")
    world.identify(0, name="Ada")
    world.merge(MERGED, 10, city="Paris")
    assert world.user().traits == {"name": "Ada", "colour": "red", "city": "Paris"}


def test_traits_that_there_is_no_room_for_stay_out() -> None:
    world = World()
    world.identify(0, user=MERGED, **{f"t{n}": n for n in range(400)})
    world.identify(0, **{f"k{n}": n for n in range(400)})
    world.alias(MERGED, 10)
    traits = world.user().traits
    assert len(traits) == 500
    assert all(f"k{n}" in traits for n in range(400))


def test_a_bad_address_stays_bad_under_the_other_id() -> None:
    world = World(campaign("c", send("email")), policy=Policy())
    world.reachable(user=MERGED)
    world.event("Go", 0, user=MERGED)
    world.report("failed", 5, user=MERGED, bad_address="a@example.com")
    world.identify(6, **REACHABLE)
    world.alias(MERGED, 10)
    assert world.event("Go", 20)[1] == "20 c skipped steps.0 email suppressed"


def test_when_the_other_entered_counts_for_re_entry() -> None:
    world = World(campaign("c", send("in_app"), reentry=HOUR))
    world.event("Go", 10, user=MERGED)
    world.merge(MERGED, 20)
    assert world.event("Go", 30) == ["30 c refused reentry"]
    assert world.event("Go", HOUR + 10)[0] == f"{HOUR + 10} c entered"


def test_what_a_merge_makes_true_brings_the_user_in() -> None:
    world = World(campaign("c", send("in_app"), rises="count('Look', '1d') >= 3"))
    world.event("Look", 0)
    for at in (1, 2):
        world.event("Look", at, user=MERGED)
    assert world.merge(MERGED, 10)[0] == "10 c entered"


def test_what_was_true_of_the_known_user_is_nothing_new() -> None:
    world = World(campaign("c", send("in_app"), rises="count('Look', '1d') >= 1"))
    world.event("Look", 0)
    world.event("Look", 1, user=MERGED)
    assert world.merge(MERGED, 10) == []


def test_what_has_brought_the_anonymous_one_in_does_not_bring_him_in_again() -> None:
    world = World(campaign("c", send("in_app"), rises="count('Look', '1d') >= 1"))
    world.event("Other", 0)
    assert world.event("Look", 1, user=MERGED)[0] == "1 c entered"
    assert world.merge(MERGED, 10) == []


def test_what_could_not_bring_the_anonymous_one_in_brings_in_the_known_one() -> None:
    rises = "count('Look', '1d') >= 1"
    world = World(campaign("c", send("email"), rises=rises, audience="has(user.email)"))
    world.reachable()
    assert world.event("Look", 1, user=MERGED) == ["1 c refused audience"]
    assert world.merge(MERGED, 10)[0] == "10 c entered"


def test_a_wait_that_the_merge_ends_is_over_at_once() -> None:
    world = World(campaign("c", wait_when("count('Look', '1d') >= 2", DAY), send("in_app")))
    world.event("Go", 0)
    world.event("Look", 0)
    world.event("Look", 1, user=MERGED)
    assert world.merge(MERGED, 10)[0] == "10 c sent steps.1 in_app"


AWAITS = (
    wait(10 * S, "pause"),
    wait_event("Buy", HOUR, (send("email", step_id="thanks"),), (send("in_app"),), "event.n > 1"),
)


@pytest.mark.parametrize(
    ("others", "ends"),
    [
        ([(5 * S, 2)], False),  # before it was waited for
        ([(20 * S, 1)], False),
        ([(20 * S, 2)], True),
        ([(20 * S, 2), (30 * S, 1)], True),
        ([(15 * S, 1), (20 * S, 2)], True),
    ],
)
def test_what_the_other_had_done_ends_a_wait_for_it(
    others: list[tuple[int, int]], *, ends: bool
) -> None:
    world = World(campaign("c", *AWAITS))
    world.event("Go", 0)
    for at, number in others:
        world.event("Buy", at, user=MERGED, n=number)
    told = world.merge(MERGED, 40 * S, **REACHABLE)
    # By then it is known how he is reached: the merge itself has said it.
    assert told == (["40000 c sent thanks email", "40000 c finished"] if ends else [])


def test_what_the_known_one_had_done_ends_a_wait_of_the_other() -> None:
    world = World(campaign("c", *AWAITS))
    world.event("Go", 0, user=MERGED)
    world.event("Buy", 20 * S, n=2)
    world.reachable(30 * S)
    assert world.merge(MERGED, 40 * S) == ["40000 c sent thanks email", "40000 c finished"]


def test_a_wait_that_a_merge_ends_is_one_that_comes_late() -> None:
    """What follows counts from the event: of the sends that are over the latest go."""
    steps = (wait_event("Buy", DAY, (send("in_app"), wait(5 * S), send("in_app"), wait(HOUR))),)
    world = World(campaign("c", *steps))
    world.event("Go", 0)
    world.event("Buy", 10 * S, user=MERGED)
    assert world.merge(MERGED, 60 * S) == [
        "60000 c skipped steps.0.then.0 in_app expired",
        "60000 c sent steps.0.then.2 in_app",
    ]


def test_replaying_a_merge_finds_again_what_it_ended() -> None:
    world = World(campaign("c", *AWAITS))
    world.reachable(0)
    world.event("Go", 0)
    world.event("Buy", 20 * S, user=MERGED, n=2)
    world.merge(MERGED, 40 * S)
    twin = World(campaign("c", *AWAITS))
    twin.reachable(0)
    go = EventReceived("u", "Go", START, START, at_ms=START)
    raw = msgspec.Raw(b'{"n":2}')
    at_ms = START + 20 * S
    buy = EventReceived(MERGED, "Buy", at_ms, at_ms, raw, at_ms=at_ms, is_anonymous=True)
    at_ms = START + 40 * S
    said = UsersMerged("u", at_ms, at_ms, merged_id=MERGED, at_ms=at_ms)
    twin.processor.replay(enumerate([go, buy, said], start=2))
    assert [one.kind for one in twin.processor.made if isinstance(one, Record)] == [
        "entered", "sent", "finished",
    ]  # fmt: skip
    assert twin.user().enrollments == world.user().enrollments == ()


def test_what_was_due_to_either_comes_before_the_merge() -> None:
    world = World(campaign("c", wait(10), send("in_app")))
    world.event("Go", 0, user=MERGED)
    told = world.merge(MERGED, 30)
    assert told[0] == "10 c sent steps.1 in_app"
    assert world.records[0].user_id == MERGED


def test_the_wheel_lets_go_of_the_merged_one() -> None:
    world = World(campaign("c", wait(10), send("in_app")))
    world.event("Go", 0, user=MERGED)
    anonymous = world.user(MERGED)
    world.merge(MERGED, 5)
    assert anonymous.armed_at_ms == NEVER
    assert world.user().armed_at_ms <= START + 10


def test_who_is_meant_by_an_alias_takes_a_changed_plan_on_first() -> None:
    world = World(campaign("c", wait(DAY)))
    world.event("Go", 0)
    world.merge(MERGED, 5)
    world.processor.adopt(Plan("p2", [campaign("d", send("in_app"))]), START + 10)
    assert world.event("Look", 20, user=MERGED) == ["10 c exited campaign_removed"]


def test_chains_are_followed_and_bring_all_ids_along() -> None:
    world = World()
    world.merge("anon-1", 1, user="old")
    world.alias("old", 2, user="ada")
    world.event("Seen", 3, user="anon-1")
    assert list(world.processor.users) == ["ada"]
    assert world.processor.ids_of("anon-1") == ("ada", "anon-1", "old")
    world.merge("anon-2", 4, user="old")
    assert world.user("anon-2").user_id == "ada"


def test_a_browser_that_two_share_stays_with_the_first() -> None:
    world = World()
    world.event("Look", 0, user=MERGED)
    world.merge(MERGED, 1, user="ada")
    world.merge(MERGED, 2, user="bob", name="Bob")
    assert world.user(MERGED).user_id == "ada"
    assert world.user("bob").traits == {"name": "Bob"}
    assert world.user("bob").aliases == {}


def test_a_model_that_scores_a_visitor_gives_him_no_name() -> None:
    world = World()
    item = {"type": "score", "anonymousId": MERGED, "model": "churn", "score": 0.5, "timestamp": 1}
    world.processor.take(read_item(decode_item(msgspec.json.encode(item))), START)
    world.merge(MERGED, 1, user="ada")
    assert world.user(MERGED).user_id == "ada"


def test_what_joins_nobody_is_journaled_without_the_other_id() -> None:
    """So that erasing whose it is leaves nothing of it in another user's inputs."""
    world = World()
    world.merge(MERGED, 1, user="ada")
    said = UsersMerged("bob", START + 2, START + 2, merged_id=MERGED)
    world.processor.take(said, START + 2)
    batch = world.processor.begin(START + 2)
    assert batch is not None
    assert MERGED.encode() not in batch.inputs


def test_of_a_group_that_both_are_in_the_highest_priority_goes_on() -> None:
    low = campaign("low", wait(DAY), on=("Go",), group="g", priority=10)
    high = campaign("high", wait(DAY), on=("Come",), group="g", priority=20)
    world = World(low, high)
    world.event("Go", 0)
    world.event("Come", 5, user=MERGED)
    assert world.merge(MERGED, 10) == ["10 low exited group"]
    assert [one.campaign for one in world.user().enrollments] == ["high"]


def test_places_under_caps_are_counted_together() -> None:
    caps = (Cap(2, HOUR),)
    world = World(campaign("c", send("in_app")), policy=Policy(caps=caps))
    world.event("Go", 0)
    world.event("Go", 5, user=MERGED)
    world.report("delivered", 6)
    world.report("delivered", 6, user=MERGED)
    world.merge(MERGED, 10)
    assert world.event("Go", 20)[1] == "20 c skipped steps.0 in_app capped"


def test_what_is_deferred_is_not_sent_where_the_other_had_it() -> None:
    """Asked again in the morning, the send finds that the other enrollment had come to it."""
    world = World(
        campaign("c", send("in_app", step_id="one"), wait(DAY)),
        policy=Policy(quiet_hours=QuietHours(0, 8 * 60)),
    )
    world.event("Go", 0)
    world.identify(1, user=MERGED, timezone="Asia/Tokyo")
    assert "5 c sent one in_app" in world.event("Go", 5, user=MERGED)
    world.report("delivered", 6, user=MERGED)
    assert world.merge(MERGED, 10) == ["10 c exited merged"]
    assert world.advance(9 * HOUR) == [f"{8 * HOUR} c skipped one in_app passed"]
