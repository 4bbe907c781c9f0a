"""Operations whose cost grows with their values, where there are macros and predicates.

Once, each is bounded by what an event or a user can hold. Asked of each of a thousand elements, or
fed with what macros made, it is not: so there it spends of the question's `Work`. A regular
expression does so everywhere: a text has room for hundreds of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.cel import values
from engine.core.cel.checked import Apply, Asked, Comprehension, within
from engine.core.cel.functions import matched

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.core.cel.absorbing import Work
    from engine.core.cel.checked import Checked
    from engine.core.cel.values import Value

_CHARS_AN_ELEMENT: Final = 256
"""Code points that are copied or searched in about the time in which a macro visits an element."""

_CHARS_MATCHED_AN_ELEMENT: Final = 4
"""Code points that a regular expression, which has met the like, is asked of in that time."""


def equal_at_cost(work: Work, a: Value, b: Value) -> bool:
    """`a == b`."""
    _spend(work, a)
    return values.equal(a, b)


def unequal_at_cost(work: Work, a: Value, b: Value) -> bool:
    """`a != b`."""
    return not equal_at_cost(work, a, b)


def contained_at_cost(work: Work, value: Value, container: Value) -> bool:
    """`value in container`."""
    if container.__class__ is list:
        _spend(work, container)
    return values.contained(value, container)


def add_at_cost(work: Work, a: Value, b: Value) -> Value:
    """`a + b`."""
    if a.__class__ is list or a.__class__ is str:
        work.spend(_length(a) + _length(b))
    return values.add(a, b)


def applied_at_cost(work: Work, function: Callable[..., Value], *given: Value) -> Value:
    """A function of the language on its arguments."""
    work.spend(sum([len(each) for each in given if each.__class__ is str]) // _CHARS_AN_ELEMENT)
    return function(*given)


def matched_at_cost(work: Work, text: Value, pattern: Value) -> bool:
    """`text.matches(pattern)`."""
    if text.__class__ is str:
        work.spend(len(text) // _CHARS_MATCHED_AN_ELEMENT)
    return matched(text, pattern, work.visits)


_COSTLY: Final = frozenset({"contains", "duration", "string", "timestamp"})
OPERATORS: Final = {
    "==": equal_at_cost,
    "!=": unequal_at_cost,
    "in": contained_at_cost,
    "+": add_at_cost,
}


def is_costly(function: str) -> bool:
    """Whether what a function costs grows with the texts that it is given."""
    return function in _COSTLY


def does_work(tree: Checked) -> bool:
    """Whether asking it spends of a `Work`. O(size of the tree)."""
    return any(
        isinstance(part, Comprehension)
        or (isinstance(part, Apply) and part.function == "matches")
        or (isinstance(part, Asked) and part.predicate is not None)
        for part in within(tree)
    )


def _length(value: Value) -> int:
    if value.__class__ is str:
        return len(value) // _CHARS_AN_ELEMENT
    return len(value) if value.__class__ is list else 0


def _spend(work: Work, value: Value) -> None:
    """Spend what a value has of parts, at any depth; those within once there is enough for it."""
    if value.__class__ is dict:
        value = [*value.values()]
    if value.__class__ is list:
        work.spend(len(value))
        for each in value:
            if each.__class__ is list or each.__class__ is dict:
                _spend(work, each)
