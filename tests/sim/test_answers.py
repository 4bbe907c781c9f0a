"""What was done with messages in a live run is taken by a dry run over it, and replayed."""

from __future__ import annotations

import msgspec

from engine.core.inputs import (
    ConsentStated,
    DeliveryReported,
    EventReceived,
    Input,
    SentMessage,
    UserIdentified,
    UserInput,
    decode_inputs,
    encode_inputs,
)
from engine.core.messages.answers import answered
from engine.core.plan import Plan
from engine.core.state import encode_user
from engine.runtime.processor import Processor
from engine.sim.deliveries import REFUSED
from engine.sim.exported import End, InputLine, users_inputs
from engine.sim.reading import Reading
from engine.sim.simulate import Simulation
from tests.core.world import START, campaign, send

SENT = SentMessage("0" * 32, "email", "cart", "e" * 32, "s", "t", "", START)


def plan() -> Plan:
    return Plan("p", [campaign("opened", send("webhook"), on=("Email Opened",))])


def inputs() -> list[Input]:
    happened: list[Input] = [
        EventReceived("u", "Go", START, START),
        DeliveryReported("u", "0" * 32, "delivered"),
        answered("u", SENT, "opened", START + 2),
        answered("u", SENT, "clicked", START + 3, machine="scanner"),
        ConsentStated("u", "one-click", START + 4, START + 4, {"email": False}),
    ]
    for place, one in enumerate(happened):
        one.at_ms = START + place
    return happened


def test_a_dry_run_over_a_journal_takes_what_was_done_with_messages() -> None:
    lines = [InputLine(number, one) for number, one in enumerate(inputs(), 1)]
    reading = Reading("journal.ndjson")
    simulation = Simulation(plan())
    taken = users_inputs([*lines, End(5, 0, 0)], reading)
    kinds = [
        (record.campaign, record.kind)
        for released in simulation.run(taken)
        for record in released.records
    ]
    assert kinds[0] == ("cart", "opened")
    assert ("opened", "entered") in kinds
    assert ("cart", "clicked") in kinds
    user = simulation.processor.find("u")
    assert user is not None
    assert user.traits["consent"] == {"email": False}


def test_a_replay_of_them_makes_the_same_state() -> None:
    states = []
    for tail in (inputs(), decode_inputs(encode_inputs(inputs()))):
        processor = Processor(plan(), now_ms=START)
        processor.replay(enumerate(tail, 1))
        user = processor.find("u")
        assert user is not None
        states.append(encode_user(user))
    assert states[0] == states[1]
    assert b"one-click" in states[0]


def test_an_address_that_bounced_is_no_good_for_others_in_a_dry_run_too() -> None:
    said = msgspec.Raw(b'{"email":"ann@nowhere.invalid","consent":{"email":true},"push":"p"}')
    happened: list[UserInput] = []
    for place, user_id in enumerate(("guest", "ann", "ann")):
        at_ms = START + place
        happened.append(UserIdentified(user_id, at_ms, at_ms, said))
        happened.append(EventReceived(user_id, "Go", at_ms, at_ms))
    simulation = Simulation(Plan("p", [campaign("c", send("email", "webhook"))]))
    told = [
        (record.user_id, record.kind, record.channel, record.reason)
        for released in simulation.run(happened)
        for record in released.records
        if record.kind in {"failed", "skipped", "delivered"}
    ]
    assert told == [
        ("guest", "failed", "email", REFUSED),
        ("guest", "delivered", "webhook", ""),
        ("ann", "skipped", "email", "suppressed"),
        ("ann", "delivered", "webhook", ""),
    ]
