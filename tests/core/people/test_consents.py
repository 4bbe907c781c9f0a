from __future__ import annotations

from typing import Any

import pytest

from engine.core.guardrails import consents
from engine.core.inputs import ConsentStated
from engine.core.messages.answers import join_rapport
from engine.core.people.consents import CONSENTS_MAX, proofs, prove, suppress
from engine.core.people.traits import TRAITS_BYTES_MAX
from engine.core.policy import Policy
from engine.core.state import decode_user, encode_user, new_user
from tests.core.world import START, World, campaign, send, wait


def state(world: World, at: int, source: str = "preferences", **said: dict[str, bool]) -> list[str]:
    stated = ConsentStated("u", source, START + at, START + at, **said)
    world.processor.take(stated, START + at)
    return world.commit()


def proven(world: World) -> list[tuple[int, str, bool, str]]:
    user = decode_user(encode_user(world.user()))
    return [(at_ms - START, *rest) for at_ms, *rest in proofs(user)]


def test_a_yes_and_a_no_are_kept_with_their_time_and_source() -> None:
    world = World(campaign("c", send("email")))
    world.identify(1, email="a@example.com", consent={"email": True, "sms": False})
    state(world, 2, "one-click", channels={"email": False}, topics={"news": False})
    consent = {"email": False, "sms": False, "topics": {"news": False}}
    assert world.user().traits["consent"] == consent
    assert proven(world) == [
        (1, "email", True, "identify"),
        (1, "sms", False, "identify"),
        (2, "email", False, "one-click"),
        (2, "topic:news", False, "one-click"),
    ]


def test_what_is_said_again_unchanged_by_identify_is_no_new_proof() -> None:
    world = World(campaign("c", send("email")))
    for at in (1, 2):
        world.identify(at, consent={"email": True})
    assert proven(world) == [(1, "email", True, "identify")]


def test_an_unsubscription_takes_back_what_waits_in_the_outbox() -> None:
    world = World(campaign("c", send("email")))
    world.identify(0, email="a@example.com", consent={"email": True})
    world.event("Go", 1)
    (message,) = world.messages
    assert world.processor.verdict(message, START + 2) == ""
    state(world, 3, channels={"email": False})
    assert world.processor.verdict(message, START + 4) == "no_consent"


@pytest.mark.parametrize(("refused", "outcome"), [("news", "skipped"), ("other", "sent")])
def test_what_is_about_a_refused_topic_does_not_go(refused: str, outcome: str) -> None:
    world = World(campaign("c", wait(5), send("email"), topic="news"))
    world.identify(0, email="a@example.com", consent={"email": True})
    world.event("Go", 0)
    state(world, 1, topics={refused: False})
    told = world.advance(5)
    assert told[0].startswith(f"5 c {outcome}")


def test_a_topic_refused_while_the_message_waits_takes_it_back() -> None:
    world = World(campaign("c", send("email"), topic="news"))
    world.identify(0, email="a@example.com", consent={"email": True})
    world.event("Go", 1)
    (message,) = world.messages
    state(world, 2, topics={"news": False})
    assert world.processor.verdict(message, START + 3) == "no_consent"


def test_an_address_is_suppressed_and_freed() -> None:
    world = World(campaign("c", send("email")))
    world.identify(0, email="a@example.com", consent={"email": True})
    state(world, 1, "complaint", suppressed={"email": True})
    assert world.user().suppressed == {"email": "a@example.com"}
    assert any("suppressed" in one for one in world.event("Go", 2))
    state(world, 3, "operator", suppressed={"email": False})
    assert world.user().suppressed == {}
    assert any(" sent" in one for one in world.event("Go", 4))
    assert [line[1:] for line in proven(world)[1:]] == [
        ("address:email", False, "complaint"),
        ("address:email", True, "operator"),
    ]


def test_a_late_word_on_an_address_of_before_does_not_free_the_one_he_has() -> None:
    user = new_user("u")
    user.traits = {"email": "new@example.com", "push": {"endpoint": "https://push.example/1"}}
    suppress(user, 1, "email", "complaint")
    suppress(user, 2, "email", "bounced", address="old@example.com")
    suppress(user, 3, "push", "bounced", address="https://push.example/0")
    assert user.suppressed == {"email": "new@example.com", "push": "https://push.example/0"}
    user.traits = {"email": "third@example.com"}
    suppress(user, 4, "email", "bounced", address="third@example.com")
    assert user.suppressed["email"] == "third@example.com"


def test_a_plain_no_to_everything_stays_one_for_the_channels_that_are_not_named() -> None:
    world = World(campaign("c", send("email")))
    world.identify(0, consent=False)
    state(world, 1, channels={"push": True})
    assert world.user().traits["consent"]["email"] is False
    assert world.user().traits["consent"]["push"] is True


def test_proof_is_bounded_and_the_newest_about_each_thing_stays() -> None:
    world = World(campaign("c", send("email")))
    state(world, 0, channels={"sms": True})
    for at in range(1, CONSENTS_MAX + 20):
        state(world, at, "odd  source\n", channels={"email": bool(at % 2)})
    lines = proven(world)
    assert len(lines) == CONSENTS_MAX
    assert lines[0] == (0, "sms", True, "preferences")
    assert lines[-1][3] == "odd-source-"


def test_proof_of_one_call_that_names_more_topics_than_are_kept_is_bounded() -> None:
    world = World(campaign("c", send("email")))
    state(world, 0, channels={"sms": True})
    world.identify(1, consent={"topics": {f"t{n}": True for n in range(CONSENTS_MAX + 7)}})
    world.identify(2, consent={"topics": {f"t{n}": False for n in (CONSENTS_MAX, 3)}})
    lines = proven(world)
    assert len(lines) == CONSENTS_MAX
    assert lines[-2:] == [
        (2, "topic:t3", False, "identify"),
        (2, f"topic:t{CONSENTS_MAX}", False, "identify"),
    ]
    assert len({what for _, what, _, _ in lines}) == CONSENTS_MAX


def test_proof_of_two_who_are_one_is_bounded_and_in_order() -> None:
    user, other = new_user("u"), new_user("v")
    for one, at_ms in ((user, 2), (other, 1)):
        for n in range(CONSENTS_MAX):
            prove(one, at_ms, f"topic:{one.user_id}{n}", yes=True, source="preferences")
    join_rapport(user, other)
    assert proofs(user) == [(2, f"topic:u{n}", True, "preferences") for n in range(CONSENTS_MAX)]


def test_a_refused_identify_call_still_brings_its_topics() -> None:
    world = World(campaign("c", send("email")))
    said: dict[str, Any] = {"consent": {"topics": {"news": False}}, "big": "x" * TRAITS_BYTES_MAX}
    world.identify(0, **said)
    assert world.user().traits["consent"] == {"topics": {"news": False}}


def test_topics_of_two_calls_are_merged() -> None:
    world = World(campaign("c", send("email")))
    world.identify(0, consent={"topics": {"news": False}})
    world.identify(1, consent={"email": True, "topics": {"sales": True}})
    assert world.user().traits["consent"]["topics"] == {"news": False, "sales": True}


@pytest.mark.parametrize(
    ("consent", "topic", "may"),
    [
        ({"email": True}, "news", True),
        ({"email": True, "topics": {"news": False}}, "news", False),
        ({"email": True, "topics": {"news": False}}, "", True),
        ({"topics": {"news": True}}, "news", False),
        ({"email": True, "topics": "none"}, "news", True),
    ],
)
def test_a_topic_takes_away_and_never_gives(consent: object, topic: str, *, may: bool) -> None:
    user = new_user("u")
    user.traits = {"consent": consent}
    assert consents(Policy(), user, "email", topic) is may
