"""What a reader of recorded events has met: how much, and what it could not take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from engine.core.inputs import UserInput
    from engine.core.intake.items import ItemInvalid
    from engine.core.intake.tracking_plan import TrackingPlan

BAD_SHOWN_MAX = 10
"""Bad lines that are kept to be shown; the rest is counted."""


class BadLine(msgspec.Struct, frozen=True):
    """A line that is no event.

    Attributes:
        place: `file:line`.
        reason: What is wrong with it, and what would be right.
    """

    place: str
    reason: str

    @property
    def text(self) -> str:
        """`file:line: what is wrong; what would be right`."""
        return f"{self.place}: {self.reason}"


class Reading:
    """Tallies of one file as it is read.

    Args:
        label: What the file is called in faults.
        plan: What its items are held against, as they would be live; None: nothing.

    Attributes:
        events: Lines that were taken as input.
        bad: Lines that could not be.
        shown: The first of those, `BAD_SHOWN_MAX` at most.
    """

    def __init__(self, label: str, plan: TrackingPlan | None = None) -> None:
        self.label = label
        self._plan = plan
        self.events = 0
        self.bad = 0
        self.shown: list[BadLine] = []

    def judge(self, happened: UserInput) -> UserInput:
        """The same, or what the plan makes of it. Raises ItemInvalid where it does not fit."""
        return happened if self._plan is None else self._plan.judge(happened)

    def reject(self, line: int, fault: ItemInvalid) -> None:
        """Note that the line (from 1) is no event, and why."""
        self.bad += 1
        if len(self.shown) < BAD_SHOWN_MAX:
            self.shown.append(BadLine(f"{self.label}:{line}", fault.text))
