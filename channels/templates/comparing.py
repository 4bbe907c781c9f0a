"""What a template compares a name with: a word that the name never is, is a slip of the pen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from liquid import RenderContext
from liquid.builtin.expressions import Path, StringLiteral
from liquid.builtin.expressions.logical import EqExpression, NeExpression

if TYPE_CHECKING:
    from collections.abc import Iterator

    from liquid.ast import Node
    from liquid.expression import Expression

    from channels.templates.sandbox import SandboxTemplate


def words_for(text: SandboxTemplate, name: str) -> Iterator[tuple[str, int]]:
    """Each word that a name is compared with, by `==`, `!=` or `case`, and its place. O(size)."""
    context = RenderContext(text)
    nodes: list[Node] = [*text.nodes]
    while nodes:
        node = nodes.pop(0)
        nodes[:0] = node.children(context, include_partials=False)
        expressions: list[Expression] = [*node.expressions()]
        while expressions:
            one = expressions.pop()
            expressions += one.children()
            yield from _compared(one, name)


def _compared(one: Expression, name: str) -> Iterator[tuple[str, int]]:
    sides: list[object] = []
    if isinstance(one, EqExpression | NeExpression):
        sides = [one.left, one.right]
    elif isinstance(others := getattr(one, "expressions", None), list):  # those of a `when`
        sides = [getattr(one, "left", None), *others]
    if any(isinstance(side, Path) and side.path == [name] for side in sides):
        for side in sides:
            if isinstance(side, StringLiteral):
                yield side.value, side.token.start_index
