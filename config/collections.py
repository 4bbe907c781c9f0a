"""Collections as a shop declares them: what it may call them, and what the core is to keep."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from channels.rendering import TEMPLATE_NAMES
from config.schema import NAMES
from engine.core.cel import CelTextError
from engine.core.cel import compile as compile_cel
from engine.core.collections import Collection

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from config.settings import CollectionSettings

COLLECTIONS_MAX: Final = 10
"""Collections of one shop, `cart` and `recent` among them."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_TAKEN: Final = (NAMES | TEMPLATE_NAMES | {"session", "today", "empty", "blank", "nil"}) - {
    "cart",
    "recent",
}


def name_fault(name: str) -> tuple[str, str] | None:
    """What is wrong with a collection's name, and what would be right; None where it fits."""
    if not _NAME.fullmatch(name):
        return "a collection's name is a-z, 0-9 and _, up to 40", "like [collections.wishlist]"
    if name in _TAKEN or not _is_variable(name):
        return f"{name} has another meaning in conditions and templates", "give it another name"
    return None


def collection_faults(settings: CollectionSettings) -> Iterator[tuple[str, str, str]]:
    """What does not hold between the keys of one: key, what is wrong, what would be right."""
    if not settings.add:
        yield "add", "is empty", "name the events that add an item"
    if settings.form == "recent" and settings.remove:
        yield "remove", "is not for the form recent", "it has no quantities: use clear"
    seen: dict[str, str] = {}
    for key in ("add", "remove", "clear"):
        for event in getattr(settings, key):
            if seen.setdefault(event, key) != key:
                yield key, f"has {event}, which is in {seen[event]} too", "an event does one thing"


def declared(collections: Mapping[str, CollectionSettings]) -> dict[str, Collection]:
    """What the core is to keep where something asks for it, by name."""
    return {
        name: Collection(name, one.add, one.remove, one.clear, one.key, one.items_max, one.form)
        for name, one in collections.items()
    }


def _is_variable(name: str) -> bool:
    try:
        return compile_cel(name).names == {name}
    except CelTextError:
        return False
