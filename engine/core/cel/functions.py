"""The functions of the language: name, form, how many arguments, of which kinds, what comes out."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from engine.core.cel.automaton import Visits, found
from engine.core.cel.checked import Kind
from engine.core.cel.conversions import to_bool, to_double, to_int, to_string, type_of
from engine.core.cel.moments import DURATION_GETTERS, GETTERS, to_duration, to_timestamp
from engine.core.cel.values import Value, no_overload


class Function(msgspec.Struct, frozen=True):
    """One function, in one of its forms.

    Attributes:
        implementation: Takes the arguments, the target of a method first.
        arity: How many arguments it may be given, the target not counted.
        accepts: The kinds that each argument may have, the target of a method first.
        kind: What comes out.
    """

    implementation: Callable[..., Value]
    arity: tuple[int, ...]
    accepts: tuple[frozenset[Kind], ...]
    kind: Kind


def size(value: Value) -> int:
    """`size(value)`: code points of a string, items of a list, entries of a map."""
    if value.__class__ in {str, list, dict}:
        return len(value)
    raise no_overload("size()", value)


def starts_with(text: Value, prefix: Value) -> bool:
    """`text.startsWith(prefix)`."""
    if text.__class__ is str and prefix.__class__ is str:
        return bool(text.startswith(prefix))
    raise no_overload("startsWith()", text, prefix)


def ends_with(text: Value, suffix: Value) -> bool:
    """`text.endsWith(suffix)`."""
    if text.__class__ is str and suffix.__class__ is str:
        return bool(text.endswith(suffix))
    raise no_overload("endsWith()", text, suffix)


def contains(text: Value, part: Value) -> bool:
    """`text.contains(part)`."""
    if text.__class__ is str and part.__class__ is str:
        return part in text
    raise no_overload("contains()", text, part)


def matches(text: Value, pattern: Value) -> bool:
    """`text.matches(pattern)`: whether the regular expression is found anywhere in the text."""
    return matched(text, pattern, Visits())


def matched(text: Value, pattern: Value, visits: Visits) -> bool:
    """As `matches`, within what is left to the question."""
    if text.__class__ is str and pattern.__class__ is str:
        return found(pattern, text, visits)
    raise no_overload("matches()", text, pattern)


def dyn(value: Value) -> Value:
    """`dyn(value)`: the same value, of a kind that the check knows nothing of."""
    return value


_STRING = frozenset({Kind.STRING})
_TWO_STRINGS = (_STRING, _STRING)
_SIZED = (frozenset({Kind.STRING, Kind.LIST, Kind.MAP}),)
_TIMESTAMP = frozenset({Kind.TIMESTAMP})
_DURATION = frozenset({Kind.DURATION})
_NUMBER = frozenset({Kind.INT, Kind.DOUBLE})
_TO_INT = (_NUMBER | _STRING | _TIMESTAMP,)
_TO_STRING = (_NUMBER | _STRING | _TIMESTAMP | _DURATION | {Kind.BOOL},)
_TO_TIMESTAMP = (_TIMESTAMP | _STRING | {Kind.INT},)


def _getter(name: str) -> Function:
    timed = _TIMESTAMP | _DURATION if name in DURATION_GETTERS else _TIMESTAMP
    return Function(GETTERS[name], (0, 1), (timed, _STRING), Kind.INT)


FUNCTIONS: dict[tuple[str, bool], Function] = {
    ("size", False): Function(size, (1,), _SIZED, Kind.INT),
    ("size", True): Function(size, (0,), _SIZED, Kind.INT),
    ("startsWith", True): Function(starts_with, (1,), _TWO_STRINGS, Kind.BOOL),
    ("endsWith", True): Function(ends_with, (1,), _TWO_STRINGS, Kind.BOOL),
    ("contains", True): Function(contains, (1,), _TWO_STRINGS, Kind.BOOL),
    ("matches", True): Function(matches, (1,), _TWO_STRINGS, Kind.BOOL),
    ("matches", False): Function(matches, (2,), _TWO_STRINGS, Kind.BOOL),
    ("dyn", False): Function(dyn, (1,), (), Kind.ANY),
    ("type", False): Function(type_of, (1,), (), Kind.TYPE),
    ("int", False): Function(to_int, (1,), _TO_INT, Kind.INT),
    ("double", False): Function(to_double, (1,), (_NUMBER | _STRING,), Kind.DOUBLE),
    ("bool", False): Function(to_bool, (1,), (_STRING | {Kind.BOOL},), Kind.BOOL),
    ("string", False): Function(to_string, (1,), _TO_STRING, Kind.STRING),
    ("timestamp", False): Function(to_timestamp, (1,), _TO_TIMESTAMP, Kind.TIMESTAMP),
    ("duration", False): Function(to_duration, (1,), (_DURATION | _STRING,), Kind.DURATION),
    **{(name, True): _getter(name) for name in GETTERS},
}
"""By name and whether it is a method. An implementation serves one name, in either form."""
