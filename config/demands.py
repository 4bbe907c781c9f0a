"""What the parts of a condition ask of the values that they name."""

from __future__ import annotations

from datetime import timedelta
from math import inf
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from engine.core.cel import CelError
from engine.core.cel.checked import (
    Apply,
    Asked,
    Checked,
    Constant,
    Field,
    Items,
    Kind,
    Operate,
    Variable,
)
from engine.core.cel.moments import to_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

_MIRRORED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_CONTRARY: Final = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
_PARTS: Final = {
    "getMonth": (0, 11), "getDate": (1, 31), "getDayOfMonth": (0, 30), "getDayOfWeek": (0, 6),
    "getDayOfYear": (0, 365), "getHours": (0, 23), "getMinutes": (0, 59), "getSeconds": (0, 59),
    "getMilliseconds": (0, 999),
}  # fmt: skip
_MS: Final = timedelta(milliseconds=1)
_COUNTS: Final = frozenset({"count", "received", "distinct"})
_LINEAR: Final = frozenset({"number", "duration"})
_EXACT_MAX: Final = 2**53
"""Up to this every whole number is a float, so that both are compared alike."""

_NUMBERS: Final = (Kind.INT, Kind.DOUBLE)
_KINDS: Final = {
    "truth": (Kind.BOOL, Kind.ANY),
    "number": (*_NUMBERS, Kind.ANY),
    "text": (Kind.STRING, Kind.ANY),
    "duration": (Kind.DURATION, Kind.ANY),
    "null": (Kind.NULL, Kind.ANY),
}
"""Of terms that may be such a value."""

Term: TypeAlias = tuple[Any, ...]
Value: TypeAlias = tuple[str, Any]
"""What a constant is compared as, and the constant: 1 is no text, and no truth."""


class Demand(msgspec.Struct, frozen=True):
    """What one part of a condition asks of a term.

    Attributes:
        term: The value that is limited.
        about: The tree of the term.
        low, high: The least and the greatest number, each with whether it is itself too little or
            too much; durations are in milliseconds.
        only: The values that are possible; None: all.
        never: Values that are not.
    """

    term: Term
    about: Checked
    low: tuple[float, bool] = (-inf, False)
    high: tuple[float, bool] = (inf, False)
    only: frozenset[Value] | None = None
    never: frozenset[Value] = frozenset()


def demand_of(tree: Checked, *, want: bool) -> Demand:
    """What a part that is no `&&`, `||`, `!` or `?:` demands where it is definitely `want`.

    One that is not understood is a term of its own, which is true or false.
    """
    match tree:
        case Asked(function="did"):
            counted = msgspec.structs.replace(tree, function="count", kind=Kind.INT)
            return _compared(counted, ">=" if want else "<", ("number", 1)) or _itself(tree, want)
        case Operate(_, operator, (left, right)) if operator in _MIRRORED:
            if _value(left) is not None:
                left, right, operator = right, left, _MIRRORED[operator]
            value = _beside(left, right)
            if value is not None and _is_plain(left):
                told = _compared(left, operator if want else _CONTRARY[operator], value)
                return told or _itself(tree, want)
        case Operate(_, "in", (left, Items(_, items))):
            values = frozenset(_beside(left, item) for item in items)
            if None not in values and _is_plain(left):
                return _one_of(left, values) if want else _none_of(left, values)
        case _:
            pass
    return _itself(tree, want)


def _itself(tree: Checked, want: bool) -> Demand:  # noqa: FBT001 - it is a value here
    if isinstance(tree, Operate) and tree.operator == "!=":
        tree, want = msgspec.structs.replace(tree, operator="=="), not want
    return _one_of(tree, frozenset({("truth", want)}))


def _one_of(tree: Checked, values: frozenset[Any]) -> Demand:
    return Demand(term_of(tree), tree, only=values)


def _none_of(tree: Checked, values: frozenset[Any]) -> Demand:
    return Demand(term_of(tree), tree, never=values)


def _compared(left: Checked, operator: str, value: Value) -> Demand | None:
    """A comparison with a constant; None where nothing can be said of it."""
    kind, bound = value
    if operator == "==":
        return _one_of(left, frozenset({value}))
    if operator == "!=":
        return _none_of(left, frozenset({value}))
    if kind not in _LINEAR:
        return None
    if operator in {">", ">="}:
        return Demand(term_of(left), left, low=(bound, operator == ">"))
    return Demand(term_of(left), left, high=(bound, operator == "<"))


def _is_plain(tree: Checked) -> bool:
    """Whether a value is what it seems: read, or told by a function of history, of size or of time.

    What is computed or converted may be no number (NaN), of which neither a comparison nor its
    contrary is true, or a duration that is compared with a text.
    """
    match tree:
        case Asked(function=function):
            return function in _COUNTS or function in {"since", "score"}
        case Apply(_, function, _):
            return function == "size" or function in _PARTS
        case Operate(_, operator, _):
            return operator == "[]"
        case Variable() | Field():
            return True
        case _:
            return False


def _beside(left: Checked, right: Checked) -> Value | None:
    """A constant as it is compared with a term: a text beside a duration is one."""
    value = _value(right)
    if left.kind is Kind.DURATION and value is not None and value[0] == "text":
        return _duration(value[1])
    return value


def _value(tree: Checked) -> Value | None:
    """A constant, as what it is compared; None for anything else."""
    match tree:
        case Constant(_, Kind.BOOL, value):
            return "truth", value
        case Constant(_, kind, int() | float() as value) if kind in _NUMBERS:
            return ("number", value) if abs(value) <= _EXACT_MAX else None
        case Constant(_, Kind.STRING, value):
            return "text", value
        case Constant(_, Kind.NULL, _):
            return "null", None
        case Apply(_, "duration", (Constant(_, Kind.STRING, str(text)),)):
            return _duration(text)
        case _:
            return None


def _duration(text: str) -> Value | None:
    try:
        return "duration", to_duration(text) / _MS
    except CelError:
        return None


def term_of(tree: object) -> Term:
    """A tree without its places: equal where two ask the same."""
    if isinstance(tree, msgspec.Struct):
        fields = [name for name in tree.__struct_fields__ if name != "at"]
        return (type(tree).__name__, *(term_of(getattr(tree, name)) for name in fields))
    return tuple(map(term_of, tree)) if isinstance(tree, tuple) else (tree,)


def natural(demand: Demand) -> Iterator[Demand]:
    """What is so of a demand's term anyway: there are no fewer than none, and 24 hours."""
    term, tree = demand.term, demand.about
    match tree:
        case Asked(function=function) if function in _COUNTS:
            yield Demand(term, tree, low=(0, False))
        case Asked(function="since"):
            yield Demand(term, tree, low=(0, False))
        case Asked(function="score"):
            yield Demand(term, tree, low=(0, False), high=(1, False))
        case _ if _is_size(tree):
            yield Demand(term, tree, low=(0, False))
        case Apply(_, function, (Variable(_, "now"), *_)) if function in _PARTS:
            least, greatest = _PARTS[function]
            yield Demand(term, tree, low=(least, False), high=(greatest, False))
        case _:
            pass


def joined(one: Demand, other: Demand) -> Demand:
    """Both demands on one term."""
    only = other.only if one.only is None else one.only
    if one.only is not None and other.only is not None:
        only = one.only & other.only
    return Demand(
        one.term,
        one.about,
        max(one.low, other.low),
        min(one.high, other.high, key=lambda high: (high[0], not high[1])),
        only,
        one.never | other.never,
    )


def has_value(demand: Demand) -> bool:
    """Whether a term has a value left."""
    low, high = demand.low, demand.high
    if demand.only is not None:
        return any(_fits(value, demand) for value in demand.only - demand.never)
    if _is_whole(demand.about):
        least, greatest = whole(demand)
        if greatest - least >= len(demand.never):
            return True
        wholes = range(int(least), int(greatest) + 1)
        return any(("number", whole) not in demand.never for whole in wholes)
    if low[0] < high[0]:
        return True
    exactly = low[0]
    return exactly == high[0] and not low[1] and not high[1] and not _is_banned(exactly, demand)


def _is_banned(number: float, demand: Demand) -> bool:
    kind = "duration" if demand.about.kind is Kind.DURATION else "number"
    return (kind, number) in demand.never


def _fits(value: Value, demand: Demand) -> bool:
    if demand.about.kind not in _KINDS[value[0]]:
        return False
    if demand.low[0] == -inf and demand.high[0] == inf:
        return True
    kind, number = value
    if kind not in _LINEAR:
        return False
    (low, low_out), (high, high_out) = demand.low, demand.high
    return low <= number <= high and not (
        (number == low and low_out) or (number == high and high_out)
    )


def _is_whole(tree: Checked) -> bool:
    """Whether a term is a whole number wherever it is one."""
    return tree.kind is Kind.INT or _is_size(tree)


def _is_size(tree: Checked) -> bool:
    match tree:
        case Apply(_, "size", _) | Field(_, Variable(_, "cart"), "size"):
            return True
        case _:
            return False


def whole(demand: Demand) -> tuple[float, float]:
    """The least and the greatest whole number that a demand allows."""
    (low, low_out), (high, high_out) = demand.low, demand.high
    least = low if low == -inf else float(int(low // 1) + (low % 1 > 0 or low_out))
    greatest = high if high == inf else float(-int(-high // 1) - (high % 1 > 0 or high_out))
    return least, greatest
