"""Steps that decide how it goes on: `if`, `choose`, and `exit`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from config.conditions import condition, is_met
from config.schema import CHOICE, ID_LENGTH_MAX
from config.source import Fields, kind_of
from config.yaml12 import Mapping, Sequence
from engine.core.steps.kinds import END, Choose, Exit, If

if TYPE_CHECKING:
    from config.source import Source
    from config.steps.program import Laid, Open, Program
    from config.yaml12 import Node
    from engine.core.cel import Program as Asked

_CHOOSE_HINT: Final = (
    "write a list of `{when: CONDITION, steps: […]}`, and `{else: […]}` as the last"
)


def read_if(program: Program, fields: Fields, step_id: str, path: str) -> Laid:
    """A branch by one condition."""
    fields.required("if", "a condition, like `if: event.price > 50.0`")
    asked = condition(fields, "if") if fields.peek("if") else None
    if not any(fields.peek(way) for way in ("then", "else")):
        hint = "give `then:` or `else:` a list of steps"
        fields.fault("if", "leads nowhere", hint)
    at = program.add(If(step_id, asked), path) if asked is not None else END
    tails = program.way(at, "then", fields.get("then"), f"{path}.then")
    return at, tails + program.way(at, "next", fields.get("else"), f"{path}.else")


def read_exit(program: Program, fields: Fields, step_id: str, path: str) -> Laid:
    """An end with a reason of the shop's own."""
    reason = fields.text("exit", "a reason of your own, like `exit: bought`")
    if reason is None:
        return END, []
    if len(reason) > ID_LENGTH_MAX:
        fields.fault("exit", "is long", f"at most {ID_LENGTH_MAX} characters")
    return program.add(Exit(step_id, reason), path), []


def read_choose(program: Program, fields: Fields, step_id: str, path: str) -> Laid:
    """A branch by the first of several conditions."""
    node = fields.required("choose", _CHOOSE_HINT)
    if node is None:
        return END, []
    if not isinstance(node, Sequence) or not node.items:
        told = "an empty list" if isinstance(node, Sequence) else kind_of(node)
        fields.fault("choose", f"is {told}", _CHOOSE_HINT)
        return END, []
    read = [_choice(program.source, item, f"{path}.{n}") for n, item in enumerate(node.items)]
    choices = [one for one in read if one is not None]
    last = [one for one in choices if "else" in one.node.entries]
    for one in [one for one in last if one is not choices[-1]]:
        one.fault("else", "is not the last: what stands behind it is never reached", "move it")
    conditions = [condition(one, "when") for one in choices if one not in last]
    _warn_of_unreached(fields, path, [one for one in choices if one not in last], conditions)
    asked = tuple([one for one in conditions if one is not None])
    if len(asked) < len(conditions):
        at = END
    else:
        at = program.add(Choose(step_id, asked, (END,) * len(asked)), path)
    tails: list[Open] = []
    for number, one in enumerate([one for one in choices if one not in last]):
        tails += program.way(at, number, one.peek("steps"), f"{path}.{number}")
    otherwise = last[0].get("else") if last else None
    return at, tails + program.way(at, "next", otherwise, f"{path}.else")


def _warn_of_unreached(
    fields: Fields, path: str, choices: list[Fields], conditions: list[Asked | None]
) -> None:
    for number, (choice, asked) in enumerate(zip(choices, conditions, strict=True)):
        if is_met(asked, conditions[:number]):
            told = f"{path}.{number} is never reached: a branch above it holds wherever it does"
            fields.source.warn(choice.line("when"), told, "move it up, or leave it out")


def _choice(source: Source, node: Node, where: str) -> Fields | None:
    """One branch of several: what it asks and what comes then, or what comes where none holds."""
    if not isinstance(node, Mapping):
        source.fault(node.line, f"{where} is {kind_of(node)}", _CHOOSE_HINT)
        return None
    fields = Fields(source, node, CHOICE, f"{where}.")
    if "else" in node.entries:
        for name in ("when", "steps"):
            if name in node.entries:
                fields.fault(name, "beside `else`", "make two branches of it")
        return fields
    fields.required("when", "a condition, or `else` in its place for the last branch")
    fields.required("steps", "list steps under it, or leave the branch out")
    return fields
