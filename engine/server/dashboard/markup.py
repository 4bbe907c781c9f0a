"""HTML from Python: each element is a call, and text is escaped unless it is HTML already.

So a page is built of typed functions that linters read, and there is no way to forget to escape: a
user's trait is text wherever it stands.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

VOID: Final = frozenset({"br", "hr", "img", "input", "link", "meta", "path", "rect"})
"""Elements without content: they end as they begin, which SVG asks for and HTML passes over."""


class Html(str):
    """Text that is HTML already, and stands as it is."""

    __slots__ = ()


Content: TypeAlias = "str | int | float | Iterable[Content] | None"
"""What may stand in an element; None is nothing."""

Value: TypeAlias = str | int | float | bool | None
"""Of an attribute: True for its name alone; None and False leave it out."""

NOTHING: Final = Html("")


def tag(name: str, /, *content: Content, **attributes: Value) -> Html:
    """An element. `class_` is `class`, `aria_label` is `aria-label`. O(size)."""
    said = "".join([_attribute(key, value) for key, value in attributes.items()])
    if name in VOID:
        return Html(f"<{name}{said}/>")
    return Html(f"<{name}{said}>{join(content)}</{name}>")


def join(content: Content) -> Html:
    """Content one after the other. O(size)."""
    if content is None:
        return NOTHING
    if isinstance(content, Html):
        return content
    if isinstance(content, str):
        return Html(escape(content, quote=False))
    if isinstance(content, int | float):
        return Html(content)
    return Html("".join([join(one) for one in content]))


def _attribute(key: str, value: Value) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
