from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from engine.core.effects import Record
from engine.core.instants import INSTANT_MAX_MS, format_instant
from engine.core.reports.records import encode_told, record_line, record_lines, told

SENT = Record(
    1_767_227_400_000,
    "u1",
    "cart-abandonment",
    "sent",
    enrollment="e1",
    step="first",
    channel="email",
    template="cart-reminder",
    message="m1",
)


def test_a_record_is_told_in_the_shape_of_the_contract() -> None:
    assert record_line(SENT) == (
        b'{"at":"2026-01-01T00:30:00.000Z","user_id":"u1","campaign":"cart-abandonment",'
        b'"enrollment":"e1","kind":"sent","step":"first","channel":"email",'
        b'"template":"cart-reminder","message":"m1"}\n'
    )


def test_what_a_record_has_nothing_to_say_of_is_absent() -> None:
    assert json.loads(record_line(Record(1, "u1", "c", "refused", reason="active"))) == {
        "at": "1970-01-01T00:00:00.001Z",
        "user_id": "u1",
        "campaign": "c",
        "kind": "refused",
        "reason": "active",
    }


def test_every_field_of_a_record_is_told() -> None:
    record = Record(
        1, "u", "c", "skipped", "e", "s", "ch", "t", "r", "m", branch="then", judged_at_ms=60_001
    )
    assert json.loads(record_line(record)) == {
        "at": "1970-01-01T00:00:00.001Z",
        "user_id": "u",
        "campaign": "c",
        "enrollment": "e",
        "kind": "skipped",
        "step": "s",
        "channel": "ch",
        "template": "t",
        "reason": "r",
        "message": "m",
        "branch": "then",
        "judged_at": "1970-01-01T00:01:00.001Z",
    }


def test_lines_are_the_same_together_as_one_by_one() -> None:
    other = Record(5, "u2", "c", "finished", "e2")
    assert record_lines([SENT, other]) == record_line(SENT) + record_line(other)
    assert record_lines([]) == b""


def test_a_line_can_be_told_with_more_in_it() -> None:
    line = told(SENT)
    line.subject = "Still there?"
    assert json.loads(encode_told(line)) == {
        **json.loads(record_line(SENT)),
        "subject": "Still there?",
    }


@given(st.integers(0, INSTANT_MAX_MS))
def test_instants_are_written_as_everywhere_else(at_ms: int) -> None:
    assert told(Record(at_ms, "u", "c", "entered")).at == format_instant(at_ms)
