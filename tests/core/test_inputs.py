from __future__ import annotations

import msgspec
import pytest

from engine.core.inputs import (
    ClockAdjusted,
    ConsentStated,
    DeliveryReported,
    EventReceived,
    Input,
    PlanChanged,
    SentMessage,
    TimeResumed,
    UserIdentified,
    decode_inputs,
    encode_inputs,
)
from engine.core.messages.answers import answered

INPUTS: list[Input] = [
    EventReceived("u", "Go", 1, 2, msgspec.Raw(b'{"a": [1, 2.50]}'), "m", 3),
    EventReceived("ü\n", "Go", 1, 2),
    UserIdentified("u", 1, 2, msgspec.Raw(b'{"email":"a@example.com"}'), "m2", 3),
    DeliveryReported("u", "e", "failed", "no such mailbox", bad_address="a@example.com", at_ms=9),
    answered("u", SentMessage("e", "email", "c", sent_at_ms=4), "clicked", 9, link="https://a.b/"),
    answered("u", SentMessage("e", "email"), "opened", 9, machine="apple-mail-privacy"),
    ConsentStated("u", "one-click", 1, 2, {"email": False}, {"news": True}, {"sms": True}, "m", 3),
    TimeResumed(1, 30_000, 5),
    ClockAdjusted(1, 5),
    PlanChanged("p", "1.0", "2026a", 6),
]


def test_every_input_reads_back_from_the_journal_as_it_was() -> None:
    assert decode_inputs(encode_inputs(INPUTS)) == INPUTS


def test_properties_keep_their_bytes() -> None:
    (event, *_) = decode_inputs(encode_inputs(INPUTS))
    assert isinstance(event, EventReceived)
    assert bytes(event.properties) == b'{"a": [1, 2.50]}'


@pytest.mark.parametrize("line", [b"{}\n", b'{"type":"other"}\n', b"not json\n"])
def test_anything_else_is_refused(line: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        decode_inputs(line)
