"""`repeat`: steps again and again."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Final

from config.conditions import condition
from config.schema import REPEAT
from config.source import kind_of
from config.yaml12 import Scalar
from engine.core.steps.kinds import END, Repeat
from engine.core.steps.repeats import TIMES_MAX

if TYPE_CHECKING:
    from config.source import Fields
    from config.steps.program import Laid, Program

_HINT: Final = "write `repeat:` and under it `times: 3` and `steps:`"
_TIMES_HINT: Final = f"a whole number from 1 to {TIMES_MAX:,}"


def read_repeat(program: Program, fields: Fields, step_id: str, path: str) -> Laid:
    """Steps that are taken several times."""
    repeat = fields.map("repeat", REPEAT, _HINT)
    if repeat is None:
        return END, []
    times, every_ms = _times(repeat), repeat.duration_ms("every")
    until = condition(repeat, "until")
    node = repeat.required("steps", "list the steps that are repeated")
    at = program.add(Repeat(step_id, times, every_ms or 0, until), path)
    with program.within(times) as all_times:
        if prod(all_times) > TIMES_MAX:
            told = f"makes {prod(all_times):,} times, with the repeats around it"
            repeat.fault("times", told, f"{TIMES_MAX:,} at the most")
        start, behind = (END, []) if node is None else program.block(node, f"{path}.steps")
    program.lead(at, "end", len(program.steps))
    if node is not None and start == END and not getattr(node, "items", ()):
        repeat.fault("steps", "is empty", "list the steps that are repeated")
    for position, way in behind:
        program.lead(position, way, at)
    if start != END and not behind:
        told = f"{path} is never repeated"
        program.source.warn(fields.node.line, told, "its steps always exit")
    # Where every time ends in an exit, only a condition leads past it.
    return at, [(at, "next")] if behind or until is not None or start == END else []


def _times(repeat: Fields) -> int:
    """How often; 1 where that is at fault."""
    node = repeat.required("times", _TIMES_HINT)
    if node is None:
        return 1
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= TIMES_MAX:
        return value
    repeat.fault("times", f"is {kind_of(node)}", _TIMES_HINT)
    return 1
