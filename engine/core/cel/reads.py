"""What an expression reads of a variable, so that nothing else need be decoded for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from engine.core.cel.checked import Field, Has, Variable

if TYPE_CHECKING:
    from engine.core.cel.checked import Checked


def fields_read(tree: Checked, variable: str) -> frozenset[str] | None:
    """The fields of `variable` that may be asked for, or None where it may be read as a whole.

    O(size of the tree).
    """
    return _fields_read(tree, variable)


def _fields_read(part: object, variable: str) -> frozenset[str] | None:
    """As `fields_read`, of anything that a tree is made of."""
    match part:
        case Field(_, Variable(_, name), field) | Has(_, Variable(_, name), field):
            return frozenset({field}) if name == variable else frozenset()
        case Variable(_, name):
            return None if name == variable else frozenset()
        case msgspec.Struct():
            inner: tuple[object, ...] = msgspec.structs.astuple(part)
        case tuple():
            inner = part
        case _:
            return frozenset()
    fields: set[str] = set()
    for each in inner:
        found = _fields_read(each, variable)
        if found is None:
            return None
        fields |= found
    return frozenset(fields)
