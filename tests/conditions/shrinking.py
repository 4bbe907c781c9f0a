"""A failing case made small: what can be left out without it passing is left out."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def shrink(case: dict[str, Any], fails: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The smallest case found that still fails, by leaving out one thing after the other."""
    while True:
        for smaller in _smaller(case):
            if fails(smaller):
                case = smaller
                break
        else:
            return case


def _smaller(node: Any) -> Iterator[Any]:
    """The same with one thing less: an item, a step, a part of a condition, an optional key."""
    if isinstance(node, dict):
        yield from _less_of_dict(node)
    elif isinstance(node, list):
        for place in range(len(node)):
            yield node[:place] + node[place + 1 :]
        for place, one in enumerate(node):
            for less in _smaller(one):
                yield [*node[:place], less, *node[place + 1 :]]
    elif is_dataclass(node) and not isinstance(node, type):
        yield from _less_of_tree(node)


def _less_of_dict(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for key, value in node.items():
        if key in {"exit", "audience"} and value and "enter" in node:
            yield {**node, key: {} if key == "exit" else None}
        if key in {"later", "age", "after"} and value:
            yield from (
                {**node, key: less}
                for less in {0, value // 2, value - value % 60_000}
                if less < value
            )
            if value < 100:
                yield {**node, key: value - 1}
        for less in _smaller(value):
            yield {**node, key: less}


def _less_of_tree(node: Any) -> Iterator[Any]:
    for field in fields(node):
        value = getattr(node, field.name)
        if field.name == "counted" and value is not None:
            yield replace(node, counted=None)
        parts = value if isinstance(value, tuple) else (value,)
        for place, part in enumerate(parts):
            if not is_dataclass(part):
                continue
            if field.name in {"parts", "part", "then", "otherwise", "asked"}:
                yield part
            for less in _less_of_tree(part):
                if isinstance(value, tuple):
                    less = (*value[:place], less, *value[place + 1 :])  # noqa: PLW2901
                yield replace(node, **{field.name: less})
