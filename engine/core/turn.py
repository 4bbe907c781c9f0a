"""One input, or one deadline, at work on one user: what the parts of the core hand around."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from engine.core.effects import Record
from engine.core.instants import to_datetime

if TYPE_CHECKING:
    from engine.core.cel import Program
    from engine.core.effects import Effect, Kind
    from engine.core.plan import Plan
    from engine.core.state import Enrollment, Pending, User

JUDGED_MIN_MS = 1_000
"""Records say when they were judged where that differs from `at_ms` by this much."""

_decode = msgspec.json.Decoder().decode


class Turn:
    """One user, one instant, one list of effects.

    Attributes:
        plan: The plan in force.
        user: The user whose turn it is.
        at_ms: What records bear as `at`: the due instant of a deadline, now for an input.
        now_ms: Logical now: when guardrails and conditions are asked.
        effects: Effects are appended here, in order.
        errors: How many conditions ended in an error in this turn.
    """

    __slots__ = (
        "_event",
        "at_ms",
        "effects",
        "errors",
        "event_name",
        "now_ms",
        "plan",
        "raw",
        "user",
    )

    def __init__(
        self,
        plan: Plan,
        user: User,
        *,
        at_ms: int,
        now_ms: int,
        effects: list[Effect],
        event_name: str = "",
        raw: msgspec.Raw | bytes | None = None,
    ) -> None:
        self.plan = plan
        self.user = user
        self.at_ms = at_ms
        self.now_ms = now_ms
        self.effects = effects
        self.event_name = event_name
        self.raw = raw
        self.errors = 0
        self._event: dict[str, Any] | None = None

    def event(self) -> dict[str, Any]:
        """The properties of the event at hand, decoded when first asked for; {} without one."""
        if self._event is None:
            self._event = _decode(self.raw) if self.raw is not None else {}
        return self._event

    def bindings(self, program: Program) -> dict[str, Any]:
        """The values of what `program` names, and no work for what it does not."""
        names = program.names
        bound: dict[str, Any] = {"user": self.user.traits, "event_name": self.event_name}
        if "event" in names:
            bound["event"] = self.event()
        if "now" in names:
            bound["now"] = to_datetime(self.now_ms)
        return bound

    def holds(self, program: Program) -> bool:
        """Whether a condition is true here; one that ends in an error is not, and is counted."""
        truth = program.truth(self.bindings(program))
        if truth is True:
            return True
        if truth is not False:
            self.errors += 1
        return False

    def record(
        self,
        kind: Kind,
        about: Enrollment | Pending,
        *,
        step: str = "",
        channel: str = "",
        template: str = "",
        reason: str = "",
        message: str = "",
        branch: str = "",
    ) -> None:
        """Append one record about an enrollment, or about a message that it sent."""
        late = self.now_ms - self.at_ms >= JUDGED_MIN_MS
        self.effects.append(
            Record(
                self.at_ms,
                self.user.user_id,
                about.campaign,
                kind,
                about.enrollment,
                step,
                channel,
                template,
                reason,
                message,
                branch,
                self.now_ms if late else 0,
            )
        )
