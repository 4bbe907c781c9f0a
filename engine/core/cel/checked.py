"""The checked tree: every name resolved, every operation possible, the kind of each value known.

This is what code is made from, and what anything that reasons about a condition reads.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator


class Kind(enum.Enum):
    """What a value is; `ANY` where only the evaluation can tell. The value is CEL's own name."""

    BOOL = "bool"
    INT = "int"
    DOUBLE = "double"
    STRING = "string"
    NULL = "null_type"
    LIST = "list"
    MAP = "map"
    TIMESTAMP = "google.protobuf.Timestamp"
    DURATION = "google.protobuf.Duration"
    TYPE = "type"
    ANY = "dyn"


class TypeValue(msgspec.Struct, frozen=True):
    """A type as a value, what `type(1)` answers; equal where the names are."""

    name: str


class Constant(msgspec.Struct, frozen=True):
    """A value known from the text."""

    at: int
    kind: Kind
    value: bool | int | float | str | None


class TypeName(msgspec.Struct, frozen=True):
    """A type named as a value (`int` in `type(x) == int`)."""

    at: int
    name: str
    kind: Kind = Kind.TYPE


class Variable(msgspec.Struct, frozen=True):
    """A binding, by its name (`event`, or a dotted name that the scope has)."""

    at: int
    name: str
    kind: Kind = Kind.ANY


class Local(msgspec.Struct, frozen=True):
    """The variable of the macro `level` macros deep, from 0."""

    at: int
    level: int
    kind: Kind = Kind.ANY


class Field(msgspec.Struct, frozen=True):
    """The value under a name in a map."""

    at: int
    operand: Checked
    name: str
    kind: Kind = Kind.ANY


class Has(msgspec.Struct, frozen=True):
    """Whether a map has a name."""

    at: int
    operand: Checked
    name: str
    kind: Kind = Kind.BOOL


class Logic(msgspec.Struct, frozen=True):
    """`&&` or `||` over two or more parts: commutative, absorbing errors."""

    at: int
    operator: str
    parts: tuple[Checked, ...]
    kind: Kind = Kind.BOOL


class Choice(msgspec.Struct, frozen=True):
    """`condition ? then : otherwise`."""

    at: int
    condition: Checked
    then: Checked
    otherwise: Checked
    kind: Kind


class Operate(msgspec.Struct, frozen=True):
    """Any other operator on one or two operands."""

    at: int
    operator: str
    operands: tuple[Checked, ...]
    kind: Kind


class Items(msgspec.Struct, frozen=True):
    """A list."""

    at: int
    items: tuple[Checked, ...]
    kind: Kind = Kind.LIST


class Entries(msgspec.Struct, frozen=True):
    """A map."""

    at: int
    entries: tuple[tuple[Checked, Checked], ...]
    kind: Kind = Kind.MAP


class Comprehension(msgspec.Struct, frozen=True):
    """A macro over a list's items or a map's keys.

    Attributes:
        macro: `all`, `exists`, `exists_one`, `map` or `filter`.
        over: The list or map.
        level: Which `Local` each element is.
        test: What is asked of each element; None for a `map` of all.
        result: What `map` makes of each element; None for the others.
    """

    at: int
    macro: str
    over: Checked
    level: int
    test: Checked | None
    result: Checked | None
    kind: Kind


class Apply(msgspec.Struct, frozen=True):
    """A function of the language on its arguments, the target of a method first."""

    at: int
    function: str
    arguments: tuple[Checked, ...]
    kind: Kind


class Asked(msgspec.Struct, frozen=True):
    """A history function: a question to the `Moment` that is bound as "@".

    Attributes:
        function: Its name, as `count`, `since`, `idle` or `in_segment`.
        name: Of what is asked: an event, channel, campaign, segment or model; "" for `idle`.
        window_ms: How far back; None for the user's whole life.
        field: The property that `sum`, `distinct` and their like read; "" for the others.
        level: Which `Local` each counted event's properties are, where there is a predicate.
        predicate: What is asked of each event, or None.
    """

    at: int
    function: str
    name: str
    window_ms: int | None
    field: str
    level: int
    predicate: Checked | None
    kind: Kind


class Unbound(msgspec.Struct, frozen=True):
    """A call of a function that nobody knows, where there was no scope to say so: an error."""

    at: int
    function: str
    kind: Kind = Kind.ANY


Checked = (
    Constant
    | TypeName
    | Variable
    | Local
    | Field
    | Has
    | Logic
    | Choice
    | Operate
    | Items
    | Entries
    | Comprehension
    | Apply
    | Asked
    | Unbound
)


def are_truths(left: Checked, right: Checked) -> bool:
    """Whether two values are true or false, if they are no errors."""
    return left.kind is Kind.BOOL and right.kind is Kind.BOOL


def within(tree: object) -> Iterator[object]:
    """A tree and all that it is made of."""
    yield tree
    for part in parts(tree):
        yield from within(part)


def parts(tree: object) -> Iterator[Any]:
    """What a tree is made of at the top."""
    if isinstance(tree, msgspec.Struct):
        for value in msgspec.structs.astuple(tree):
            yield from _parts_of(value)


def _parts_of(value: object) -> Iterator[object]:
    if isinstance(value, tuple):
        for each in value:
            yield from _parts_of(each)
    elif isinstance(value, msgspec.Struct):
        yield value
