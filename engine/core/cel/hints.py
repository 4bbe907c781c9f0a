"""What would be right, for what is wrong with an expression: the words of its faults."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from engine.core.cel.checked import Kind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

_TOLD = {
    Kind.BOOL: "true or false",
    Kind.INT: "a whole number",
    Kind.DOUBLE: "a fraction",
    Kind.STRING: "a text",
    Kind.NULL: "null",
    Kind.LIST: "a list",
    Kind.MAP: "a map",
    Kind.TIMESTAMP: "a timestamp",
    Kind.DURATION: "a duration",
    Kind.TYPE: "a type",
    Kind.ANY: "a value",
}
_OPERATOR_HINTS = {
    "!": "`!` wants true or false",
    "-": "`-` wants numbers, durations, or a timestamp before a duration",
    "+": "`+` wants two numbers, two texts (string(5) makes one), two lists, or durations",
    "*": "`*` wants two numbers",
    "/": "`/` wants two numbers",
    "%": "`%` wants two whole numbers",
    "in": "`in` wants a list or a map behind it",
    "[]": "a list wants a whole number in [ ], a map a key",
}
_ORDER_HINT = "both sides of a comparison are of one kind; double(text) makes a number of a text"
_ORDER_HINTS = {
    Kind.DURATION: 'a duration compares with one, such as "30m"',
    Kind.TIMESTAMP: 'an instant compares with one, such as timestamp("2026-01-31T09:00:00Z")',
}
_LITERALS = {"true": "true", "false": "false", "null": "null", "none": "null", "nil": "null"}
_OTHER_WORDS = {
    "length": "size",
    "len": "size",
    "any": "exists",
    "some": "exists",
    "every": "all",
    "includes": "contains",
    "has": "contains",
    "float": "double",
    "number": "double",
    "str": "string",
    "date": "timestamp",
}
"""What other languages call a function or macro of this one."""


def told(kind: Kind) -> str:
    """A kind as a person calls it."""
    return _TOLD[kind]


def of_operator(shown: str, kinds: Sequence[Kind]) -> str:
    """What an operator takes that was given values of these kinds."""
    hints = [_ORDER_HINTS[kind] for kind in kinds if kind in _ORDER_HINTS]
    return _OPERATOR_HINTS.get(shown) or (hints or [_ORDER_HINT])[0]


def of_name(name: str, known: Collection[str], local: Iterable[str]) -> str:
    """What an unknown name may have meant, of those bound and of the macros' own."""
    literal = _LITERALS.get(name.lower())
    near = f"did you mean {literal!r}?" if literal else _nearest(name, [*known, *local])
    return near or f"known here: {', '.join(sorted(known)) or 'none'}"


def of_function(name: str, known: Sequence[str]) -> str:
    """What an unknown function may have meant."""
    other = _OTHER_WORDS.get(name.lower())
    near = f"did you mean {other!r}?" if other in known else _nearest(name, known)
    return near or f"known here: {', '.join(known)}"


def _nearest(name: str, known: Iterable[str]) -> str:
    by_lower = {each.lower(): each for each in sorted(known)}
    near = difflib.get_close_matches(name.lower().replace("_", ""), by_lower, n=1)
    near = near or difflib.get_close_matches(name.lower(), by_lower, n=1)
    return f"did you mean {by_lower[near[0]]!r}?" if near else ""
