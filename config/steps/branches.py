"""Steps that decide how it goes on: `if`, and `exit`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.conditions import condition
from config.schema import ID_LENGTH_MAX
from engine.core.steps import END, Exit, If

if TYPE_CHECKING:
    from config.source import Fields
    from config.steps.program import Laid, Program


def read_if(program: Program, fields: Fields, step_id: str, path: str) -> Laid:
    """A branch by one condition."""
    fields.required("if", "a condition, like `if: event.price > 50.0`")
    asked = condition(fields, "if") if fields.get("if") else None
    if not any(fields.get(way) for way in ("then", "else")):
        hint = "give `then:` or `else:` a list of steps"
        fields.fault("if", "leads nowhere", hint)
    at = program.add(If(step_id, asked), path) if asked is not None else END
    tails = program.way(at, "then", fields.get("then"), f"{path}.then")
    return at, tails + program.way(at, "next", fields.get("else"), f"{path}.else")


def read_exit(program: Program, fields: Fields, step_id: str, path: str) -> Laid:
    """An end with a reason of the shop's own."""
    hint = "a reason of your own, like `exit: bought`"
    reason = fields.text("exit", hint) if fields.required("exit", hint) else None
    if reason is None:
        return END, []
    if len(reason) > ID_LENGTH_MAX:
        fields.fault("exit", "is long", f"at most {ID_LENGTH_MAX} characters")
    return program.add(Exit(step_id, reason), path), []
