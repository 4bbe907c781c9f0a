"""What goes into the core: everything undetermined, in the past tense, stamped when applied.

All instants are integer milliseconds since the Unix epoch, UTC. `at_ms` is the logical instant at
which the core took the input; 0 until the processor stamps it. They are journaled as JSON lines.

Whoever needs one takes it from here; the modules beside say who speaks: `clients`, `delivery`,
`operators`, or the `process` itself.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from engine.core.inputs.clients import (
    EMPTY,
    ConsentStated,
    EventImported,
    EventNoticed,
    EventReceived,
    TraitsDefaulted,
    TraitsImported,
    TriggerReceived,
    UserIdentified,
    UserScored,
    UsersJoined,
    UsersMerged,
)
from engine.core.inputs.delivery import (
    Answer,
    Bounce,
    DeliveryReported,
    LetterRevived,
    MessageAnswered,
    SentMessage,
)
from engine.core.inputs.operators import EnrollmentCancelled, EnrollmentForwarded
from engine.core.inputs.process import (
    ClockAdjusted,
    HistoryFound,
    InputErased,
    PlanAnnounced,
    PlanChanged,
    TimeResumed,
    UserErased,
    WeightsDrawn,
)

__all__ = [
    "EMPTY",
    "Answer",
    "Bounce",
    "ClockAdjusted",
    "ConsentStated",
    "DeliveryReported",
    "EnrollmentCancelled",
    "EnrollmentForwarded",
    "EventImported",
    "EventNoticed",
    "EventReceived",
    "FromClient",
    "HistoryFound",
    "Imported",
    "Input",
    "InputErased",
    "LetterRevived",
    "MessageAnswered",
    "OfAll",
    "OfDelivery",
    "OfOperator",
    "OfPlan",
    "PlanAnnounced",
    "PlanChanged",
    "SentMessage",
    "TimeResumed",
    "TimeSkipped",
    "TraitsDefaulted",
    "TraitsImported",
    "TriggerReceived",
    "UserErased",
    "UserIdentified",
    "UserInput",
    "UserScored",
    "UsersJoined",
    "UsersMerged",
    "WeightsDrawn",
    "decode_inputs",
    "encode_inputs",
]

FromClient: TypeAlias = (
    EventReceived | EventNoticed | UserIdentified | TraitsDefaulted | UsersMerged | UserScored
)
"""What clients say of a user."""

Imported: TypeAlias = EventImported | TraitsImported | UsersMerged
"""History."""

OfDelivery: TypeAlias = DeliveryReported | LetterRevived | MessageAnswered
"""What became of a message."""

OfOperator: TypeAlias = EnrollmentForwarded | EnrollmentCancelled
"""What an operator says of a user."""

UserInput: TypeAlias = (
    FromClient | Imported | TriggerReceived | ConsentStated | OfDelivery | HistoryFound | OfOperator
)
"""What concerns one user."""

TimeSkipped: TypeAlias = TimeResumed | ClockAdjusted
"""Logical time that nobody lived through."""

OfPlan: TypeAlias = PlanAnnounced | PlanChanged
"""What concerns everybody, and names a plan."""

OfAll: TypeAlias = OfPlan | WeightsDrawn
"""What changes the plan for everybody, or what of it is in force."""

Input: TypeAlias = UserInput | TimeSkipped | OfAll | UserErased | InputErased

_encode_lines = msgspec.json.Encoder().encode_lines
_decode_lines = msgspec.json.Decoder(Input).decode_lines


def encode_inputs(inputs: list[Input]) -> bytes:
    """Inputs as JSON lines, in order. O(total size)."""
    return _encode_lines(inputs)


def decode_inputs(lines: bytes) -> list[Input]:
    """The inverse of `encode_inputs`. Raises `msgspec.DecodeError` on anything else."""
    try:
        return _decode_lines(lines)
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from error
