"""What an expression reads of a map, so that nothing else need be decoded or kept for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.cel.checked import Constant, Field, Has, Local, Operate, Variable, parts

if TYPE_CHECKING:
    from engine.core.cel.checked import Checked


def fields_read(tree: Checked, of: str | int) -> frozenset[str] | None:
    """The fields that may be asked for of a variable, by its name, or of a `Local`, by its level.

    None where it may be read as a whole. O(size of the tree).
    """
    if _is(tree, of):
        return None
    match tree:
        case Field(_, whole, field) | Has(_, whole, field) if _is(whole, of):
            return frozenset({field})
        case Operate(_, "[]", (whole, Constant(_, _, str(field)))) if _is(whole, of):
            return frozenset({field})
        case _:
            pass
    fields: set[str] = set()
    for part in parts(tree):
        found = fields_read(part, of)
        if found is None:
            return None
        fields |= found
    return frozenset(fields)


def _is(tree: Checked, of: str | int) -> bool:
    match tree:
        case Variable(_, known) | Local(_, known):
            return known == of
        case _:
            return False
