from __future__ import annotations

import msgspec
import pytest

from engine.core.inputs import SentMessage
from engine.core.intake.feedback import FEEDBACK_GIVEN, feedback
from tests.core.world import START, World, campaign, send

SENT = SentMessage("m1", "email", "welcome", step="tips")


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("5", 5),
        ("-3", -3),
        ("4.5", 4.5),
        ("yes", "yes"),
        ("nan", "nan"),
        ("inf", "inf"),
        ("1" * 40, 1.1111111111111112e39),
        ("", None),
    ],
)
def test_a_value_that_reads_as_a_number_is_one(said: str, value: object) -> None:
    given = feedback("ada", SENT, "nps", said, 9)
    properties = msgspec.json.decode(given.properties)
    assert properties.pop("value", None) == value
    assert properties == {
        "survey": "nps",
        "campaign": "welcome",
        "step": "tips",
        "channel": "email",
        "message_id": "m1",
    }
    assert (given.name, given.received_at_ms) == (FEEDBACK_GIVEN, 9)


def test_feedback_brings_people_into_campaigns_and_the_same_one_counts_once() -> None:
    low = campaign("sorry", send("in_app"), on=(FEEDBACK_GIVEN,), when="event.value < 3")
    world = World(low)
    for at, value in enumerate(("2", "5")):
        world.processor.take(feedback("ada", SENT, "nps", value, START + at), START + at)
    assert [line for line in world.commit() if "entered" in line] == ["0 sorry entered"]
