"""Where a condition over days may change: each of these instants is asked, none between them."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from tests.conditions.functions import Now, micros

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conditions.choices import Scale

MINUTE = 60_000
QUARTER = 15 * MINUTE


def candidates(case: dict[str, Any], scale: Scale, begin: int, end: int) -> list[int]:
    """Every quarter of an hour and a minute past it, every edge of a window, every named instant.

    All zones are whole quarters off, so that every hour and day begins at one of them.
    """
    quarters = set(range(begin - begin % QUARTER, end, QUARTER))
    quarters |= {at + MINUTE for at in quarters}
    edges: set[int] = set()
    now = begin
    for one in case["script"]:
        now += one["later"]
        edges |= {t + window for t in (now, now - one["age"]) for window in scale.windows}
        if "until" in one.get("said", ()):
            edges |= set(_about(one["said"]["until"], scale))
    for tree in within(case):
        if isinstance(tree, Now) and isinstance(tree.instant, int):
            edges.add(tree.instant + tree.shift)
    edges |= {at + 1 for at in edges}
    return sorted(at for at in edges | quarters if begin < at <= end)


def _about(text: str, scale: Scale) -> Iterator[int]:
    try:
        at = micros(text) // 1000
    except ValueError:
        return
    yield at
    for window in scale.windows:
        yield at - window
        yield at + window


def within(node: Any) -> Iterator[Any]:
    """Everything that a case is made of."""
    yield node
    if isinstance(node, dict):
        parts: Any = node.values()
    elif isinstance(node, list | tuple):
        parts = node
    elif is_dataclass(node):
        parts = [getattr(node, field.name) for field in fields(node)]
    else:
        return
    for part in parts:
        yield from within(part)
