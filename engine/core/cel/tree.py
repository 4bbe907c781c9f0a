"""The parse tree: what was written, before anything is known of its meaning."""

from __future__ import annotations

import msgspec


class Literal(msgspec.Struct, frozen=True):
    """A number, string, boolean or null as written."""

    at: int
    value: bool | int | float | str | None


class Name(msgspec.Struct, frozen=True):
    """A name; `absolute` (`.x`) never means a macro's variable."""

    at: int
    name: str
    absolute: bool = False


class Select(msgspec.Struct, frozen=True):
    """`operand.field`, where the field may have been written in backquotes."""

    at: int
    operand: Tree
    field: str


class Operation(msgspec.Struct, frozen=True):
    """An operator on its operands: `?:` has three, `&&` and `||` any number, `[]` is indexing."""

    at: int
    operator: str
    operands: tuple[Tree, ...]


class Call(msgspec.Struct, frozen=True):
    """`function(arguments)`, or `target.function(arguments)`."""

    at: int
    function: str
    target: Tree | None
    arguments: tuple[Tree, ...]


class ListOf(msgspec.Struct, frozen=True):
    """`[items]`."""

    at: int
    items: tuple[Tree, ...]


class MapOf(msgspec.Struct, frozen=True):
    """`{key: value, …}` in the order written."""

    at: int
    entries: tuple[tuple[Tree, Tree], ...]


Tree = Literal | Name | Select | Operation | Call | ListOf | MapOf
