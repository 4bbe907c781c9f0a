"""The functions of the language: name, form, how many arguments, of which kinds, what comes out."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from engine.core.cel.checked import Kind
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


def dyn(value: Value) -> Value:
    """`dyn(value)`: the same value, of a kind that the check knows nothing of."""
    return value


_SIZED = (frozenset({Kind.STRING, Kind.LIST, Kind.MAP}),)
_STRINGS = (frozenset({Kind.STRING}),) * 2

FUNCTIONS: dict[tuple[str, bool], Function] = {
    ("size", False): Function(size, (1,), _SIZED, Kind.INT),
    ("size", True): Function(size, (0,), _SIZED, Kind.INT),
    ("startsWith", True): Function(starts_with, (1,), _STRINGS, Kind.BOOL),
    ("endsWith", True): Function(ends_with, (1,), _STRINGS, Kind.BOOL),
    ("contains", True): Function(contains, (1,), _STRINGS, Kind.BOOL),
    ("dyn", False): Function(dyn, (1,), (), Kind.ANY),
}
"""By name and whether it is a method."""
