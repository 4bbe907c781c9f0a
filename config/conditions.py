"""Conditions of a campaign file to programs, with faults at the place in the file."""

from __future__ import annotations

import re
from typing import Final

from config.schema import NAMES, NAMES_LATER
from config.source import NOT_BUILT, Fields, kind_of
from config.yaml12 import Scalar, place_within
from engine.core.cel import CelTextError, Kind, Program, Scope
from engine.core.cel import compile as compile_cel
from engine.core.cel.checker import told

_UNKNOWN: Final = re.compile(r"unknown (?:name|function) '?([A-Za-z_]+)")
_TRUTHS: Final = (Kind.BOOL, Kind.ANY)
_VALUES: Final = (Kind.BOOL, Kind.INT, Kind.DOUBLE, Kind.STRING, Kind.ANY)


def condition(fields: Fields, name: str) -> Program | None:
    """A key's condition, true or false; None where there is none, or none that fits (a fault)."""
    return _program(fields, name, _TRUTHS, "a condition is true or false")


def value(fields: Fields, name: str) -> Program | None:
    """A key's expression for a text, number or flag; as `condition`."""
    return _program(fields, name, _VALUES, "it must be a text, a number, true or false")


def _program(fields: Fields, name: str, kinds: tuple[Kind, ...], wanted: str) -> Program | None:
    node = fields.get(name)
    if node is None:
        if name in fields.node.entries:
            fields.fault(name, "is empty", "write a condition, or leave it out")
        return None
    if not isinstance(node, Scalar):
        fields.fault(name, f"is {kind_of(node)}", "write a condition, in quotes if it has : or #")
        return None
    if not node.text.strip():
        fields.fault(name, "is empty", "write a condition, or leave it out")
        return None
    try:
        program = compile_cel(node.text, Scope(variables=NAMES | fields.source.collections))
    except CelTextError as error:
        _tell(fields, name, node, error)
        return None
    if program.kind not in kinds:
        fields.fault(name, f"gives {told(program.kind)}", wanted)
        return None
    return program


def _tell(fields: Fields, name: str, node: Scalar, error: CelTextError) -> None:
    lines = node.text.split("\n")
    offset = sum(len(line) + 1 for line in lines[: error.line - 1]) + error.column - 1
    line, column = place_within(fields.source.text, node, offset)
    message, hint = error.message, error.hint
    found = _UNKNOWN.match(message)
    if found and found[1] in NAMES_LATER:
        message, hint = f"{found[1]} {NOT_BUILT}", f"known here: {', '.join(sorted(NAMES))}"
    fields.source.fault(line, f"{fields.prefix}{name}, column {column}: {message}", hint)
