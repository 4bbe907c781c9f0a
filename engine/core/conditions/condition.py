"""Conditions that are asked whenever they may have changed, and never in between.

An event, a trait, a message that goes out can change a condition only where the condition names it;
what time changes, `solving` tells beforehand. So a condition is asked when something happens that
*touches* it, and at the instant until which its last answer was sure to hold.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from engine.core.cel import Scope, Work, does_work
from engine.core.cel import compile as compile_cel
from engine.core.cel.checked import Asked, within
from engine.core.conditions.atoms import MOMENT
from engine.core.conditions.solving import Solution
from engine.core.conditions.touches import touches_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.core.cel import Program
    from engine.core.cel.checked import Checked
    from engine.core.conditions.solving import Bound, Solve
    from engine.core.conditions.touches import Touches


class Condition:
    """One condition, with what touches it and until when its answers hold.

    Args:
        program: The condition.
        segments: Those that it may ask for, by their ids; all that it does ask for are in it.

    Attributes:
        text: As the shop wrote it.
        names: The variables that it reads, the moment always among them.
        touches: What can change it.
        raised_by: What of that can make it true.
        ask: Asked with all of `names` bound, the moment being the instant that is asked about:
            whether it is true, and the first instant at which that may change by time alone. An
            error is not true.
        works: Whether what it may visit is bounded (`cel.Work`).
        is_plain: Whether it reads nothing but the moment.
        may_come_back: Whether time alone can make it true again after time alone made it false.
        signature: Equal where two conditions are asked in the same words.

    Raises CelCheckError where it could change at any millisecond.
    """

    __slots__ = (
        "ask",
        "is_plain",
        "may_come_back",
        "names",
        "program",
        "raised_by",
        "signature",
        "text",
        "touches",
        "works",
    )

    def __init__(self, program: Program, segments: Mapping[str, Condition] | None = None) -> None:
        self.program = program
        self.text = program.text
        asked = {name: (segments or {})[name] for name in segments_asked(program.tree)}
        words = [f"{name} {asked[name].signature}" for name in sorted(asked)]
        self.signature: str = "\n".join([program.text, *words])
        self.names = program.names | {MOMENT}
        self.touches: Touches = reduce(
            or_, (segment.touches for segment in asked.values()), touches_of(program.tree)
        )
        solution = Solution(program.tree, program.text)
        self.works: bool = does_work(program.tree) or any(one.works for one in asked.values())
        self.ask = _within_one_question(solution.solve) if self.works else solution.solve
        self.may_come_back = solution.may_come_back
        self.is_plain = self.names == {MOMENT}
        # It may stand behind a `!`: whatever touches a segment may make this true.
        self.raised_by: Touches = reduce(
            or_, (segment.touches for segment in asked.values()), solution.raised_by
        )


def _within_one_question(solve: Solve) -> Solve:
    """The same, with one `Work` for all its parts, and for the segments that it asks for."""

    def ask(bound: Bound) -> tuple[bool, int]:
        moment = bound[MOMENT]
        if moment.work is not None:  # a segment's: the question is another's
            return solve(bound)
        moment.work = Work()
        try:
            return solve(bound)
        finally:
            moment.work = None

    return ask


def in_segment(segment: str, segments: Mapping[str, Condition]) -> Condition:
    """The condition that somebody is in a segment, whose id is of a-z, 0-9, - and _."""
    scope = Scope(frozenset(), frozenset({"in_segment"}))
    return Condition(compile_cel(f'in_segment("{segment}")', scope), segments)


def segments_asked(tree: Checked) -> list[str]:
    """The ids of segments that a tree asks for, each once."""
    parts = [part for part in within(tree) if isinstance(part, Asked)]
    return list(dict.fromkeys(part.name for part in parts if part.function == "in_segment"))
