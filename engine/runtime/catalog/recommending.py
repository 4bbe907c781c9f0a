"""Feeds what goes with what (`together`) from the journal, behind the run that writes it.

At a start it begins with the oldest row that is kept, a slice at a time with rests in between; then
it follows what is committed. Nothing of it is stored: what was erased from the journal is not in it
after a restart, and before one it is told.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog

from engine.errors import StoreError
from engine.runtime.aside import aside
from engine.runtime.catalog.together import Together, product_id
from engine.store import archive, journal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from config.settings import CatalogSettings
    from engine.store import Store

RESTS_S: Final = 0.02
"""Between two slices of what is behind."""

LOOKS_EVERY_S: Final = 5.0
"""For what was committed since."""

_log = structlog.get_logger("hairspring.catalog")


class _Input(msgspec.Struct):
    type: str
    user_id: str = ""
    name: str = ""
    merged_id: str = ""
    properties: dict[str, Any] = {}


_decode = msgspec.json.Decoder(_Input).decode


class Recommending:
    """Follows the journal.

    Args:
        store: Whose journal.
        settings: Which events are views and purchases.
        key: The property that tells products apart.

    Attributes:
        together: What was counted.
        read: Number of the last journal row that was taken.
    """

    def __init__(self, store: Store, settings: CatalogSettings, key: str) -> None:
        self.together = Together()
        self.read = 0
        self._store = store
        self._viewed = frozenset(settings.viewed)
        self._bought = frozenset(settings.bought)
        self._key = key
        names = (msgspec.json.encode(name) for name in sorted(self._viewed | self._bought))
        self._marks = (b'"type":"merge"', *names)
        # While a slice is under way: it was read before they were erased.
        self._erased: set[str] = set()

    async def run(self) -> None:
        """Follow, until cancelled; what cannot be read is tried again."""
        while True:
            try:
                behind = await self.catch_up()
            except StoreError as error:
                behind = False
                _log.warning("recommend.unread", why=error.message)
            await asyncio.sleep(RESTS_S if behind else LOOKS_EVERY_S)

    async def catch_up(self) -> bool:
        """Take a slice of what is behind; whether there may be more. Raises StoreError."""
        self._erased.clear()
        rows = await self._store.read(partial(journal.inputs, after=self.read))
        if rows:
            chosen = await aside(partial(self._choose, rows))
            for one in chosen:
                if self._erased.isdisjoint((one.user_id, one.merged_id)):
                    self._take(one)
            self.read = rows[-1][0]
        return len(rows) == journal.ROWS_MAX

    def forget(self, ids: Sequence[str]) -> None:
        """Keep nothing more of a user who is erased. O(ids)."""
        self.together.forget(ids)
        self._erased.update(ids)

    def _choose(self, rows: list[tuple[int, bytes]]) -> list[_Input]:
        """What counts, on a thread beside: a row that names none of it is not taken apart."""
        return [
            _decode(line)
            for _, inputs in rows
            if any(mark in inputs for mark in self._marks)
            for line in archive.split(inputs)
            if any(mark in line for mark in self._marks)
        ]

    def _take(self, one: _Input) -> None:
        if one.type == "merge":
            self.together.merge(one.user_id, one.merged_id)
        elif one.type == "event" and one.name in self._bought:
            products = one.properties.get("products")
            items = products if isinstance(products, list) else [one.properties]
            named = (item.get(self._key) for item in items if isinstance(item, dict))
            bought = [known for value in named if (known := product_id(value))]
            if bought:
                self.together.buy(one.user_id, bought)
        elif one.type == "event" and one.name in self._viewed:
            viewed = product_id(one.properties.get(self._key))
            if viewed:
                self.together.view(one.user_id, viewed)
