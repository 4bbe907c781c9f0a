"""`send: preferred`: which channel a user answers to, and what becomes of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from config import load_shop
from engine.core import history
from engine.core.effects import Record, SendMessage
from engine.core.history import sent_name
from engine.core.inputs import EMPTY, DeliveryReported, EventReceived, SentMessage
from engine.core.messages.answers import answered
from engine.core.messages.preferring import KEPT, WINDOW_MS, Standing, standings
from engine.core.messages.waiting import each_message
from engine.core.reports.account import Preference, account
from engine.core.state import decode_user, encode_user, new_user
from engine.core.transition import fire, step
from tests.core.world import MINUTE

if TYPE_CHECKING:
    from engine.core.effects import Effect
    from engine.core.plan import Plan
    from engine.core.state import User

NOW: Final = 1_800_000_000_000
DAY: Final = 86_400_000
ALL: Final = ("email", "push", "sms", "in_app")
ADDRESSES: Final = {
    "email": "ada@example.com",
    "phone": "+49301234567",
    "push": {"endpoint": "https://push.example/1"},
    "consent": {"email": True, "sms": True},
}
TEMPLATES: Final = {
    f"templates/hello.{channel}.liquid": "---\ntitle: Hi\n---\nHello"
    if channel == "push"
    else "Hello"
    for channel in ALL
}


def plan_of(send: str, *channels: str) -> Plan:
    files = {
        "hairspring.toml": "",
        "campaigns/c.yaml": "campaign: c\nenter: {event: Go}\nsteps:\n"
        f"  - {{send: preferred, template: hello, id: hello, {send}}}\n",
        **{
            path: text
            for path, text in TEMPLATES.items()
            if not channels or path.split(".")[1] in channels
        },
    }
    return load_shop(files).plan


def user_with(*said: tuple[str, int, int]) -> User:
    """A user, and of channels how many messages he was sent, one a day, and how many he opened."""
    user = new_user("u1")
    user.traits = dict(ADDRESSES)
    for channel, sent, opened in said:
        for number in range(sent):
            at_ms = NOW - (sent - number) * DAY
            history.insert(user, sent_name(channel), at_ms, KEPT, at_ms)
            if number < opened:
                message = SentMessage(f"{channel}-{number}", channel, sent_at_ms=at_ms)
                opening = answered("u1", message, "opened", at_ms + MINUTE)
                opening.at_ms = at_ms + MINUTE
                step(load_shop({"hairspring.toml": ""}).plan, user, opening, [])
    return user


def enter(plan: Plan, user: User) -> list[Effect]:
    effects: list[Effect] = []
    step(plan, user, EventReceived("u1", "Go", NOW, NOW, EMPTY, at_ms=NOW), effects)
    fire(plan, user, NOW, effects)
    return effects


def channels_of(effects: list[Effect]) -> list[str]:
    return [effect.channel for effect in effects if isinstance(effect, SendMessage)]


@pytest.mark.parametrize(
    ("said", "first"),
    [
        ([], "email"),
        ([("email", 3, 0)], "email"),  # a few say little
        ([("email", 4, 0)], "push"),  # left unanswered: another one is tried
        ([("email", 10, 2)], "email"),  # now and then is more than nothing is known of
        ([("email", 10, 2), ("push", 10, 6)], "push"),
        ([("email", 10, 6), ("sms", 2, 1)], "email"),
        ([("email", 1, 0), ("push", 1, 1)], "push"),
        ([("email", 20, 0), ("push", 20, 0), ("sms", 20, 0), ("in_app", 4, 0)], "in_app"),
    ],
)
def test_the_channel_that_he_answers_to_most_is_taken(
    said: list[tuple[str, int, int]], first: str
) -> None:
    assert channels_of(enter(plan_of(""), user_with(*said))) == [first]


def test_only_channels_that_reach_him_are_chosen_from() -> None:
    user = user_with(("push", 10, 9))
    user.traits = {"email": "ada@example.com", "phone": "1", "consent": {"email": True}}

    assert channels_of(enter(plan_of(""), user)) == ["email"]


def test_only_channels_that_the_template_is_there_for_are_chosen_from() -> None:
    assert channels_of(enter(plan_of("", "sms", "in_app"), user_with(("in_app", 5, 0)))) == ["sms"]


def test_behind_the_chosen_channel_else_is_tried_and_the_chosen_one_not_again() -> None:
    plan = plan_of("else: [sms, push]")
    user = user_with(("push", 5, 5))
    sent = [effect for effect in enter(plan, user) if isinstance(effect, SendMessage)]
    report = DeliveryReported("u1", sent[0].id, "failed", "gone", at_ms=NOW)
    effects: list[Effect] = []
    step(plan, user, report, effects)
    fallback = [effect for effect in effects if isinstance(effect, SendMessage)]
    (pending,) = each_message(user.pending)

    assert [one.channel for one in sent] == ["push"]
    assert [one.channel for one in fallback] == ["sms"]
    assert pending.fallbacks == ()


def test_where_none_of_them_is_open_else_is_tried_and_then_it_is_skipped() -> None:
    user = new_user("u1")
    by_else = enter(plan_of("else: in_app", "email", "push", "in_app"), user)
    nobody = enter(plan_of("", "email", "push"), new_user("u1"))
    (skipped,) = [one for one in nobody if isinstance(one, Record) and one.kind == "skipped"]

    assert channels_of(by_else) == ["in_app"]
    assert (skipped.channel, skipped.reason) == ("email", "unreachable")


def test_what_he_answers_to_now_counts_and_not_what_he_did_long_ago() -> None:
    user = user_with(("email", 10, 10))
    later_ms = NOW + WINDOW_MS - 5 * DAY

    assert standings(user, ["email"], NOW) == [Standing("email", 10, 10)]
    assert standings(user, ["email"], later_ms) == [Standing("email", 4, 4)]
    assert standings(user, ["email"], later_ms + 6 * DAY) == [Standing("email")]


def test_a_machine_that_opens_a_message_is_no_answer() -> None:
    user = user_with(("email", 3, 0))
    for number in range(3):
        at_ms = NOW - (3 - number) * DAY
        sent = SentMessage(f"email-{number}", "email", sent_at_ms=at_ms)
        opening = answered("u1", sent, "opened", at_ms, machine="proxy")
        opening.at_ms = at_ms
        step(plan_of(""), user, opening, [])

    assert standings(user, ["email"], NOW) == [Standing("email", 3, 0)]


def test_messages_that_go_count_from_then_on_and_survive_being_saved() -> None:
    plan, user = plan_of(""), user_with()
    chosen = []
    for number in range(6):
        at_ms = NOW + number * DAY
        effects: list[Effect] = []
        event = EventReceived("u1", "Go", at_ms, at_ms, EMPTY, at_ms=at_ms)
        step(plan, user, event, effects)
        chosen += channels_of(effects)
        user = decode_user(encode_user(user))

    # Each is left unanswered, so that the next one is tried now and then.
    assert chosen == ["email", "email", "email", "email", "push", "email"]


def test_an_explanation_tells_how_each_channel_stands() -> None:
    plan = plan_of("")
    user = user_with(("email", 4, 1), ("push", 2, 2))
    user.traits = {key: value for key, value in user.traits.items() if key != "phone"}
    told = account(plan, user, plan.campaigns["c"], NOW, None, [])

    assert told.preferences == [
        Preference("hello", "push", 2, 2),
        Preference("hello", "email", 4, 1),
        Preference("hello", "sms", 0, 0, "unreachable"),
        Preference("hello", "in_app", 0, 0),
    ]
