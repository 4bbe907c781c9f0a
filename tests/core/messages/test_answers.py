from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.effects import REASON_LENGTH_MAX
from engine.core.inputs import DeliveryReported, SentMessage
from engine.core.messages.answers import (
    ANSWERED_MAX,
    answered,
    answered_by,
    bounced_at_hand_over,
)
from engine.core.state import decode_user, encode_user
from tests.core.world import HOUR, MINUTE, START, World
from tests.core.written import campaigns

if TYPE_CHECKING:
    from engine.core.inputs import Answer

OPENED = """
campaign: opened
enter: {event: Email Opened, when: event.campaign_id == "cart"}
steps: [{send: push, template: t, id: s}]
"""
AWAITING = """
campaign: awaiting
enter: {event: Go}
steps:
  - wait: {event: Email Link Clicked, at_most: 1h}
    id: w
  - {send: push, template: t, id: s}
"""
IDLE = """
campaign: quiet
enter: {when: idle("1h")}
steps: [{send: push, template: t, id: s}]
"""


def world_of(*texts: str) -> World:
    world = World(*campaigns(*texts))
    world.identify(0, push="token")
    return world


def sent(number: int = 1, channel: str = "email") -> SentMessage:
    return SentMessage(f"{number:032x}", channel, "cart", "e" * 32, "first", "t", "a", START)


def answer(world: World, at: int, what: Answer, number: int = 1, **more: Any) -> list[str]:
    message = sent(number, more.pop("channel", "email"))
    world.processor.take(answered("u", message, what, START + at, **more), START + at)
    return world.commit()


@pytest.mark.parametrize("texts", [(OPENED,), (OPENED, IDLE)])
def test_an_opened_email_is_recorded_and_enters_as_the_event_that_it_is(texts: list[str]) -> None:
    world = world_of(*texts)
    told = answer(world, 5_000, "opened")
    assert told[0].startswith("5000 cart opened")
    assert "5000 opened entered" in told
    (record,) = [one for one in world.records if one.kind == "opened"]
    assert (record.step, record.variant, record.message) == ("first", "a", sent().id)
    assert record.response_ms == 5_000


def test_that_a_person_opened_a_message_is_recorded_once_and_each_click() -> None:
    world = world_of(OPENED)
    told = answer(world, 1, "opened") + answer(world, 2, "opened")
    assert [one for one in told if "cart opened" in one] == ["1 cart opened first email variant a"]
    assert "2 opened entered" in told  # an event it is each time
    for at in (3, 4):
        answer(world, at, "clicked", link="https://shop.example/cart")
        assert [(one.kind, one.link) for one in world.records] == [
            ("clicked", "https://shop.example/cart")
        ]


def test_a_machine_is_recorded_once_enters_nobody_and_is_no_activity() -> None:
    world = world_of(OPENED, IDLE)
    world.event("Go", 0)
    told = []
    for at in (10, 20):
        told += answer(world, at, "opened", machine="apple-mail-privacy")
        told += answer(world, at, "clicked", machine="scanner")
    assert told == [
        "10 cart opened first email apple-mail-privacy variant a",
        "10 cart clicked first email scanner variant a",
    ]
    assert world.user().last_seen_at_ms == START
    assert answer(world, 30, "opened")[0].startswith("30 cart opened")  # somebody does, later


def test_a_click_is_activity_so_that_idleness_begins_anew() -> None:
    world = world_of(IDLE)
    world.event("Go", 0)
    answer(world, 1_000, "clicked")
    assert world.advance(HOUR) == []
    assert world.advance(HOUR + 1_000)[0] == f"{HOUR + 1_000} quiet entered"


def test_a_step_waits_for_a_click() -> None:
    world = world_of(AWAITING)
    world.event("Go", 0)
    told = answer(world, 7, "clicked")
    assert any(one.startswith("7 awaiting sent") for one in told)


BOUNCED = """
campaign: bounced
enter: {event: Email Bounced, when: event.bounce_type == "hard"}
steps: [{send: push, template: t, id: s}]
"""
MAIL = """
campaign: mail
purpose: transactional
enter: {event: Go}
steps: [{send: email, template: t, id: first}]
"""


def refuse(world: World, at: int) -> list[str]:
    """Have the mail under way come back as it is handed over."""
    (message,) = world.messages
    processor = world.processor
    bad = DeliveryReported("u", message.id, "failed", "550 5.1.1", "a@example.com")
    bounced = bounced_at_hand_over(message, "hard", "a", "550 5.1.1", START + at)
    assert bounced is not None
    for happened in (bad, bounced):
        processor.take(happened, START + at)
    return world.commit()


@pytest.mark.parametrize("texts", [(MAIL, BOUNCED), (MAIL, BOUNCED, IDLE)])
def test_a_mail_that_comes_back_as_it_is_handed_over_is_an_event_and_one_record(
    texts: list[str],
) -> None:
    world = world_of(*texts)
    world.identify(0, email="a@example.com")
    world.event("Go", 1)
    told = refuse(world, 7)
    assert told[:2] == ["7 mail failed first email 550 5.1.1", "7 bounced entered"]
    assert sum("failed" in one for one in told) == 1
    assert world.user().last_seen_at_ms == START + 1  # it is nothing that he did
    assert world.user().suppressed == {"email": "a@example.com"}
    assert answered_by(world.user(), "email") == []


def test_a_bounce_tells_of_its_message() -> None:
    world = world_of(MAIL, BOUNCED)
    world.identify(0, email="a@example.com")
    world.event("Go", 1)
    (message,) = world.messages
    bounced = bounced_at_hand_over(message, "hard", "b", "x" * 4_000, START + 1 + MINUTE)
    assert bounced is not None
    assert json.loads(bytes(bounced.properties)) == {
        "campaign_id": "mail",
        "step": "first",
        "channel": "email",
        "template": "t",
        "variant": "b",
        "message_id": message.id,
        "bounce_type": "hard",
        "reason": "x" * REASON_LENGTH_MAX,
        "response_ms": MINUTE,
    }
    message.channel = "webhook"
    assert bounced_at_hand_over(message, "hard", "b", "gone", START) is None


def test_messages_answered_to_are_remembered_by_channel_up_to_a_bound() -> None:
    world = world_of(OPENED)
    for number in range(ANSWERED_MAX + 3):
        answer(world, number, "opened", number)
    answer(world, 900, "clicked", 99, channel="push")
    answer(world, 950, "opened", 98, channel="sms", machine="scanner")
    user = decode_user(encode_user(world.user()))
    assert user.rapport is not None
    assert len(user.rapport.answers) == ANSWERED_MAX
    (push,) = answered_by(user, "push")
    assert push.clicked_at_ms - push.sent_at_ms == 900
    assert answered_by(user, "sms") == []


def test_what_a_merged_user_has_answered_to_is_the_others() -> None:
    world = world_of(OPENED)
    answer(world, 1, "opened", 1)
    message = sent(2)
    world.processor.take(answered("v", message, "clicked", START + 2), START + 2)
    world.alias("v", 3)
    assert len(answered_by(world.user(), "email")) == 2
