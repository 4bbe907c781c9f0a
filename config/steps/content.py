"""What a step without an id is known by, beside its path."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from engine.core.durations import format_duration
from engine.core.steps.kinds import (
    Choose,
    Emit,
    Exit,
    If,
    Repeat,
    Send,
    Set,
    Split,
    Step,
    Wait,
    WaitEvent,
    Waiting,
    WaitUntil,
    WaitWhen,
)

if TYPE_CHECKING:
    from engine.core.cel import Program
    from engine.core.steps.kinds import Given


def content_of(step: Step) -> str:  # noqa: PLR0911 - one return a kind of step
    """What a step without an id is, apart from where it leads."""
    match step:
        case Wait() | WaitWhen() | WaitUntil() | WaitEvent() | Repeat():
            return _wait(step)
        case Send(preferred=()):
            return f"send {','.join(step.channels)} {step.template} {step.expires_ms}"
        case Send():
            return f"send preferred,{','.join(step.others)} {step.template} {step.expires_ms}"
        case If():
            return f"if {step.condition.text}"
        case Choose():
            return f"choose {' / '.join(condition.text for condition in step.conditions)}"
        case Split():
            return f"split {step.name}"
        case Set():
            return f"set {_given(step.traits)}"
        case Emit():
            return f"emit {step.event} {_given(step.properties)}"
        case Exit():
            return f"exit {step.reason}"


def _wait(step: Waiting) -> str:
    match step:
        case Wait():
            return f"wait {format_duration(step.duration_ms)}"
        case WaitWhen():
            return f"wait when {step.condition.text} {step.at_most_ms}"
        case WaitUntil():
            days = ",".join(map(str, sorted(step.days)))
            return f"wait until {step.minute} {days} {step.timezone}"
        case WaitEvent():
            return f"wait event {','.join(step.events)} {_text(step.when)} {step.at_most_ms}"
        case Repeat():
            return f"repeat {step.times} {step.every_ms} {_text(step.until)}"


def _given(values: tuple[Given, ...]) -> str:
    said = {
        one.name: one.value if one.program is None else f"={one.program.text.strip()}"
        for one in values
    }
    return msgspec.json.encode(said).decode()


def _text(condition: Program | None) -> str:
    return "" if condition is None else condition.text
