"""Conditions of a campaign file to programs, with faults at the place in the file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from config.asking import Mention, receipts_of, variants_of, warn_of_memory
from config.faults import nearest, shown
from config.foregone import is_always, is_met_by, is_never
from config.schema import EVENT_NAMES, FUNCTIONS, NAMES, START_NAMES
from config.source import Fields, Written, kind_of
from config.yaml12 import Scalar, place_within
from engine.core.cel import CelCheckError, CelTextError, Kind, Program, Scope
from engine.core.cel import compile as compile_cel
from engine.core.cel.hints import told
from engine.core.conditions.bindings import CONTENT, KINDS
from engine.core.conditions.condition import Condition
from engine.core.conditions.needs import asked_by
from engine.core.conditions.solving import Solution
from engine.core.experiments import VARIANT

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    wanted = "a condition is true or false"
    program = _program(fields, name, _TRUTHS, wanted, scope, is_timed=True)
    if program is None:
        return None
    try:
        return Condition(program, fields.source.segments)
    except CelTextError as error:
        _tell(fields, name, error)
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


def is_met(program: Program | None, others: Sequence[Program | None]) -> bool:
    """Whether one of `others` holds, or is an error, wherever a condition does that can hold."""
    trees = [other.tree for other in others if other is not None]
    if program is None or not trees or is_never(program.tree):
        return False
    return is_met_by(program.tree, trees)


def _program(
    fields: Fields,
    name: str,
    kinds: tuple[Kind, ...],
    wanted: str,
    scope: Scope = _SCOPE,
    mark: str = "",
    *,
    is_timed: bool = False,
) -> Program | None:
    node = fields.peek(name)
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
    names = scope.variables | fields.source.collections
    read, is_sound = _compiled(fields, name, text, Scope(names, scope.functions, scope.kinds))
    if not read:
        return None
    program = read[0]
    if program.kind not in kinds:
        fields.fault(name, f"gives {told(program.kind)}", wanted)
        is_sound = False
    is_sound &= _is_there_what_is_named(fields, name, read)
    _warn_of_past(fields, name, read, is_sound=is_sound)
    if not is_sound:
        if is_timed:
            _tell_of_time(fields, name, program)
        return None
    if kinds is _TRUTHS:
        _warn_of_foregone(fields, name, program)
    return program


def _compiled(fields: Fields, name: str, text: str, scope: Scope) -> tuple[list[Program], bool]:
    """A text's program and whether it is without fault.

    What is left of one that is not is looked at, too, and behind it what its faults are made of.
    """
    try:
        return [compile_cel(text, scope)], True
    except CelTextError as error:
        _tell(fields, name, error)
        if not isinstance(error, CelCheckError) or error.rest is None:
            return [], False
        left = (error.rest, *error.beside)
        return [Program(text, tree, frozenset()) for tree in left], False


def _tell_of_time(fields: Fields, name: str, program: Program) -> None:
    """Tell what of a condition at fault could, besides, change at any millisecond."""
    try:
        Solution(program.tree, program.text)
    except CelTextError as error:
        _tell(fields, name, error)


def _is_there_what_is_named(fields: Fields, name: str, read: list[Program]) -> bool:
    """Note what a condition names, for the shop to be held against; whether its segments are."""
    are_there = True
    for part in read:
        are_there &= _are_segments_known(fields, name, part)
        _note_mentions(fields, name, part)
        fields.source.written.append(Written(fields, name, part))
    return are_there


def _are_segments_known(fields: Fields, name: str, program: Program) -> bool:
    segments = fields.source.segments
    asked = [one for one in asked_by(program) if one.function == "in_segment" and one.name]
    unknown = [one for one in asked if one.name not in segments]
    for one in unknown:
        line, column, where = _place(fields, name, one.at)
        told_of = f"asks for the segment {shown(one.name)}, which segments.yaml does not have"
        hint = nearest(one.name, segments)
        fields.source.fault(line, f"{where}: {told_of}", hint, column=column)
    return not unknown


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


def _place(fields: Fields, name: str, at: int) -> tuple[int, int, str]:
    """Line and column of an offset in a key's text, and how what is said of it begins."""
    node = fields.get(name)
    assert isinstance(node, Scalar), "an expression was read of it"
    line, column = place_within(fields.source.text, node, at)
    return line, column, f"{fields.prefix}{name}, column {column}"


def _warn_of_past(fields: Fields, name: str, read: list[Program], *, is_sound: bool) -> None:
    """Warn where a condition asks for more of the past than is kept."""

    def warn(at: int, told_of: str, hint: str) -> None:
        line, column, where = _place(fields, name, at)
        fields.source.warn(line, f"{where}: {told_of}", hint, column=column)

    for part in read:
        warn_of_memory(part, fields.source.memory, warn, is_sound=is_sound)


def _note_mentions(fields: Fields, name: str, program: Program) -> None:
    """Note what a condition names that the shop may not have."""
    source = fields.source
    for asked in receipts_of(program):
        if asked.name:
            place = _place(fields, name, asked.at)
            source.receipts.append(Mention(asked.name, source.path, *place))
    for at, variant in variants_of(program):
        source.variants.append(Mention(variant, source.path, *_place(fields, name, at)))


def _tell(fields: Fields, name: str, faults: CelTextError) -> None:
    node = fields.get(name)
    assert isinstance(node, Scalar), "an expression was read of it"
    lines = node.text.split("\n")
    for error in faults.every():
        offset = sum(len(line) + 1 for line in lines[: error.line - 1]) + error.column - 1
        line, column, where = _place(fields, name, offset)
        message, hint = _in_words_of_the_shop(error)
        fields.source.fault(line, f"{where}: {message}", hint, column=column)


def _in_words_of_the_shop(error: CelTextError) -> tuple[str, str]:
    """What is wrong and what would be right, where the shop knows more than the language does."""
    found = _UNKNOWN.match(error.message)
    if found and found[1] == CONTENT:
        return "content is not at hand: time alone may make this true", CONTENT_HINT
    if found and found[1] in EVENT_NAMES:
        told_of = f"{found[1]} is not at hand: time alone may make this true"
        return told_of, 'ask last("NAME") for the newest event, or enter by an `event`'
    if found and found[1] == VARIANT:
        return _NO_VARIANT
    return error.message, error.hint
