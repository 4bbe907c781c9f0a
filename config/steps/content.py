"""What a step without an id is known by, beside its path."""

from __future__ import annotations

from engine.core.durations import format_duration
from engine.core.plan import Exit, If, Send, Split, Step, Wait, WaitWhen


def content_of(step: Step) -> str:
    """What a step without an id is, apart from where it leads."""
    match step:
        case Wait():
            return f"wait {format_duration(step.duration_ms)}"
        case WaitWhen():
            return f"wait when {step.condition.text} {step.at_most_ms}"
        case Send():
            return f"send {','.join(step.channels)} {step.template} {step.expires_ms}"
        case If():
            return f"if {step.condition.text}"
        case Split():
            return f"split {step.name}"
        case Exit():
            return f"exit {step.reason}"
