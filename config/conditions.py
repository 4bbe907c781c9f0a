"""Conditions of a campaign file to programs, with faults at the place in the file."""

from __future__ import annotations

import re
from typing import Final

from config.asking import Mention, receipts_of, variants_of, warn_of_memory
from config.faults import nearest, shown
from config.foregone import is_always, is_never
from config.schema import EVENT_NAMES, FUNCTIONS, NAMES, START_NAMES
from config.source import Fields, kind_of
from config.yaml12 import Scalar, place_within
from engine.core.bindings import CONTENT, KINDS
from engine.core.cel import CelTextError, Kind, Program, Scope
from engine.core.cel import compile as compile_cel
from engine.core.cel.checker import told
from engine.core.conditions import Condition, segments_asked
from engine.core.experiments import VARIANT

_SCOPE: Final = Scope(variables=NAMES, functions=FUNCTIONS, kinds=KINDS)
_STANDING: Final = Scope(
    variables=NAMES - START_NAMES - {VARIANT}, functions=FUNCTIONS, kinds=KINDS
)
CONTENT_HINT: Final = "ask for it in `audience`, `per`, `exit` or a step"
"""Where what a manual start brought is there to be asked for."""

_UNKNOWN: Final = re.compile(r"unknown (?:name|function) '?([A-Za-z_]+)")
_NO_VARIANT: Final = (
    "variant is not at hand: nobody has gone by a split yet",
    "ask for it in a step behind the split, or in `exit.when`",
)
_TRUTHS: Final = (Kind.BOOL, Kind.ANY)
_JSON: Final = tuple(kind for kind in Kind if kind not in {Kind.DURATION, Kind.TYPE})
_NUMBERS: Final = (Kind.INT, Kind.DOUBLE, Kind.ANY)
_VALUES: Final = (Kind.BOOL, Kind.INT, Kind.DOUBLE, Kind.STRING, Kind.ANY)


def condition(fields: Fields, name: str) -> Program | None:
    """A key's condition, true or false; None where there is none, or none that fits (a fault)."""
    return _program(fields, name, _TRUTHS, "a condition is true or false")


def timed_condition(fields: Fields, name: str, *, has_event: bool) -> Condition | None:
    """A key's condition that is asked whenever it may have changed; as `condition`.

    What could change at any millisecond is a fault; where there is no event at hand, its name is.
    """
    scope = _SCOPE if has_event else _STANDING
    program = _program(fields, name, _TRUTHS, "a condition is true or false", scope)
    if program is None:
        return None
    node = fields.get(name)
    assert isinstance(node, Scalar), "a program was made of it"
    try:
        return Condition(program, fields.source.segments)
    except CelTextError as error:
        _tell(fields, name, node, error)
        return None


def value(fields: Fields, name: str) -> Program | None:
    """A key's expression for a text, number or flag; as `condition`."""
    return _program(fields, name, _VALUES, "it must be a text, a number, true or false")


def number(fields: Fields, name: str) -> Program | None:
    """A key's expression for a number; as `condition`."""
    return _program(fields, name, _NUMBERS, "it must be a number, like `event.total`")


def json_value(fields: Fields, name: str) -> Program | None:
    """What a key's text gives behind its `=`, for a trait or a property; as `condition`."""
    wanted = "it must be what JSON has: a text, a number, true or false, null, a list or a map"
    return _program(fields, name, _JSON, wanted, mark="=")


def forbid_variant(fields: Fields, name: str, program: Program | None) -> None:
    """Fault a condition that asks for the variant, where it is asked before any split."""
    if program is not None and VARIANT in program.names:
        fields.fault(name, f"asks for what is not there: {_NO_VARIANT[0]}", _NO_VARIANT[1])


def _program(
    fields: Fields,
    name: str,
    kinds: tuple[Kind, ...],
    wanted: str,
    scope: Scope = _SCOPE,
    mark: str = "",
) -> Program | None:
    node = fields.get(name)
    if node is None:
        if name in fields.node.entries:
            fields.fault(name, "is empty", "write a condition, or leave it out")
        return None
    if not isinstance(node, Scalar):
        fields.fault(name, f"is {kind_of(node)}", "write a condition, in quotes if it has : or #")
        return None
    # A mark in front is blank to the compiler, so that places in the text stay what they are.
    text = " " * len(mark) + node.text.removeprefix(mark)
    if not text.strip():
        fields.fault(name, "is empty", "write a condition, or leave it out")
        return None
    try:
        names = scope.variables | fields.source.collections
        program = compile_cel(text, Scope(names, scope.functions, scope.kinds))
    except CelTextError as error:
        _tell(fields, name, node, error)
        return None
    if program.kind not in kinds:
        fields.fault(name, f"gives {told(program.kind)}", wanted)
        return None
    if kinds is _TRUTHS:
        _warn_of_foregone(fields, name, program)
    segments = fields.source.segments
    unknown = [one for one in segments_asked(program.tree) if one not in segments]
    for segment in unknown:
        told_of = f"asks for the segment {shown(segment)}, which segments.yaml does not have"
        fields.fault(name, told_of, nearest(segment, segments))
    _look_back(fields, name, node, program)
    return None if unknown else program


def _warn_of_foregone(fields: Fields, name: str, program: Program) -> None:
    where = f"{fields.prefix}{name}"
    if not program.names:
        told_of, hint = "is always the same", "leave it out"
    elif is_never(program.tree):
        told_of, hint = "can never be true", "parts of it exclude each other, or cannot be true"
    elif is_always(program.tree):
        told_of = "is always true, or an error"
        hint = "ask has() or did() if that there is such a value is meant, else leave it out"
    else:
        return
    fields.source.warn(fields.line(name), f"{where} {told_of}: {shown(program.text)}", hint)


def _look_back(fields: Fields, name: str, node: Scalar, program: Program) -> None:
    """What is to be said of the past that a condition asks for."""
    source = fields.source

    def place(at: int) -> tuple[int, str]:
        line, column = place_within(source.text, node, at)
        return line, f"{fields.prefix}{name}, column {column}"

    def warn(at: int, told_of: str, hint: str) -> None:
        line, where = place(at)
        source.warn(line, f"{where}: {told_of}", hint)

    warn_of_memory(program, source.memory, warn)
    for asked in receipts_of(program):
        line, where = place(asked.at)
        source.receipts.append(Mention(asked.name, source.path, line, where))
    for at, variant in variants_of(program):
        line, where = place(at)
        source.variants.append(Mention(variant, source.path, line, where))


def _tell(fields: Fields, name: str, node: Scalar, error: CelTextError) -> None:
    lines = node.text.split("\n")
    offset = sum(len(line) + 1 for line in lines[: error.line - 1]) + error.column - 1
    line, column = place_within(fields.source.text, node, offset)
    message, hint = error.message, error.hint
    found = _UNKNOWN.match(message)
    if found and found[1] == CONTENT:
        message = "content is not at hand: time alone may make this true"
        hint = CONTENT_HINT
    elif found and found[1] in EVENT_NAMES:
        message = f"{found[1]} is not at hand: time alone may make this true"
        hint = 'ask last("NAME") for the newest event, or enter by an `event`'
    elif found and found[1] == VARIANT:
        message, hint = _NO_VARIANT
    fields.source.fault(line, f"{fields.prefix}{name}, column {column}: {message}", hint)
