"""Which kinds each operator takes and what kind comes out: the one table of that."""

from __future__ import annotations

from engine.core.cel.checked import Kind

_NUMBERS = frozenset({Kind.INT, Kind.DOUBLE})
_ORDERED = _NUMBERS | {Kind.BOOL, Kind.STRING, Kind.TIMESTAMP, Kind.DURATION}
_KEYS = _NUMBERS | {Kind.BOOL, Kind.STRING}
_EQUALITY = frozenset({"==", "!="})
_ORDER = frozenset({"<", "<=", ">", ">="})

_BINARY: dict[tuple[str, Kind, Kind], Kind] = {
    ("+", Kind.STRING, Kind.STRING): Kind.STRING,
    ("+", Kind.LIST, Kind.LIST): Kind.LIST,
    ("+", Kind.DURATION, Kind.DURATION): Kind.DURATION,
    ("+", Kind.TIMESTAMP, Kind.DURATION): Kind.TIMESTAMP,
    ("+", Kind.DURATION, Kind.TIMESTAMP): Kind.TIMESTAMP,
    ("-", Kind.DURATION, Kind.DURATION): Kind.DURATION,
    ("-", Kind.TIMESTAMP, Kind.DURATION): Kind.TIMESTAMP,
    ("-", Kind.TIMESTAMP, Kind.TIMESTAMP): Kind.DURATION,
    ("%", Kind.INT, Kind.INT): Kind.INT,
}
for _operator in "+-*/":
    for _left in _NUMBERS:
        for _right in _NUMBERS:
            _BINARY[_operator, _left, _right] = (
                Kind.INT if _left is _right is Kind.INT else Kind.DOUBLE
            )

_UNARY: dict[tuple[str, Kind], Kind] = {
    ("!", Kind.BOOL): Kind.BOOL,
    ("!", Kind.ANY): Kind.BOOL,
    ("negate", Kind.INT): Kind.INT,
    ("negate", Kind.DOUBLE): Kind.DOUBLE,
    ("negate", Kind.ANY): Kind.ANY,
}

_TAKES: dict[str, tuple[frozenset[Kind], frozenset[Kind]]] = {}
"""For each arithmetic operator the kinds that its left and its right side may have."""

for _operator in "+-*/%":
    _TAKES[_operator] = (
        frozenset(left for name, left, _ in _BINARY if name == _operator),
        frozenset(right for name, _, right in _BINARY if name == _operator),
    )


def result_of(  # noqa: PLR0911 - one return a family of operators
    operator: str, left: Kind, right: Kind | None = None
) -> Kind | None:
    """The kind of an operation's result, `ANY` where it depends, None where there is none.

    What it says is relied on: a value of another kind never comes out (an error may).
    """
    if right is None:
        return _UNARY.get((operator, left))
    if operator in _EQUALITY:
        return Kind.BOOL
    if operator in _ORDER:
        return Kind.BOOL if _orderable(left, right) else None
    if operator == "in":
        return Kind.BOOL if _searchable(left, right) else None
    if operator == "[]":
        return Kind.ANY if _indexable(left, right) else None
    lefts, rights = _TAKES[operator]
    if Kind.ANY in {left, right}:
        fits = (left is Kind.ANY or left in lefts) and (right is Kind.ANY or right in rights)
        return Kind.ANY if fits else None
    return _BINARY.get((operator, left, right))


def can_equal(left: Kind, right: Kind) -> bool:
    """Whether values of two kinds are ever equal: of most, those of one kind alone."""
    return left is right or Kind.ANY in {left, right} or _orderable(left, right)


def _orderable(left: Kind, right: Kind) -> bool:
    if Kind.ANY in {left, right}:
        return {left, right} <= _ORDERED | {Kind.ANY}
    if left is right:
        return left in _ORDERED
    return {left, right} <= _NUMBERS or {left, right} == {Kind.DURATION, Kind.STRING}


def _searchable(left: Kind, right: Kind) -> bool:
    if right is Kind.MAP:
        return left is Kind.ANY or left in _KEYS
    return right in {Kind.LIST, Kind.ANY}


def _indexable(left: Kind, right: Kind) -> bool:
    if left is Kind.LIST:
        return right is Kind.ANY or right in _NUMBERS
    return left in {Kind.MAP, Kind.ANY} and (right is Kind.ANY or right in _KEYS)
