"""What people answer when a message asks them: the event `Feedback Given`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from engine.core.inputs import EventReceived

if TYPE_CHECKING:
    from engine.core.inputs import SentMessage

FEEDBACK_GIVEN: Final = "Feedback Given"

_encode = msgspec.json.Encoder().encode


def feedback(
    user_id: str, sent: SentMessage, survey: str, value: str, received_at_ms: int
) -> EventReceived:
    """The event that an answer is: the first one of a message and survey, within the dedupe window.

    A value that reads as a number is one, so that conditions can reckon with it.
    """
    said = {
        "survey": survey,
        "value": _number(value),
        "campaign": sent.campaign,
        "step": sent.step,
        "channel": sent.channel,
        "message_id": sent.id,
    }
    return EventReceived(
        user_id,
        FEEDBACK_GIVEN,
        received_at_ms,
        received_at_ms,
        msgspec.Raw(_encode({name: told for name, told in said.items() if told != ""})),
        f"feedback:{sent.id}:{survey}",
    )


def _number(value: str) -> str | int | float:
    if value.isascii() and value.removeprefix("-").isdecimal() and len(value) < 16:  # noqa: PLR2004 - what a double holds
        return int(value)
    try:
        number = float(value)
    except ValueError:
        return value
    return number if math.isfinite(number) and value.isascii() else value
