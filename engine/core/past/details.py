"""What history keeps of the events of one name besides their instants: what conditions read.

Values stand in a column for each property, aligned with the instants: one wrong offset would give
sums that look right. So whatever comes or goes, comes through `put` and goes through `trim`, which
treat all columns alike; a column that a new plan brings begins with a gap for each event before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from engine.core.properties import read_object, storable

if TYPE_CHECKING:
    from collections.abc import Mapping

MISSING = b""
"""In a column, where the event had no such property: no JSON value is bytes."""

NO_PROPERTIES = b"{}"

_encode = msgspec.json.Encoder().encode

PROPERTIES_BYTES_MAX = 256 << 10
"""Bytes of the properties that are kept of one name's events: a user is saved whole."""

_NUMBER_BYTES = 8

_PLAIN = frozenset({str, float, bool, bytes, type(None)})
"""Classes of values that a state holds as they are."""


class Details(msgspec.Struct, omit_defaults=True, eq=False, gc=False):
    """What is kept of one name's events besides their instants.

    Attributes:
        total: How many there ever were, as far as that is kept.
        columns: By property, its value in each event, aligned with the instants; `MISSING` where
            it had none.
        rows: All properties of each event as JSON, aligned with the instants, where conditions
            read them as a whole; then there are no columns.
        first_at_ms: The first event's instant.
        first: Its properties that are kept, as JSON; empty where that is not kept.
        size: Bytes of all properties that are kept, more or less.
    """

    total: int = 0
    columns: dict[str, list[Any]] = {}
    rows: list[bytes] = []
    first_at_ms: int = 0
    first: bytes = b""
    size: int = 0

    def put(self, place: int, count: int, read: Mapping[str, Any], names: frozenset[str]) -> None:
        """Have the values of an event stand at `place`, where there were `count` events.

        Columns of other properties than `names` go: the plan that asked for them is gone.
        O(properties) for the newest, O(count) for others.
        """
        if self.rows or self.columns.keys() != names:
            self.columns = {name: self.as_column(name, count) for name in sorted(names)}
            self.rows = []
            self.weigh(count)
        for name, column in self.columns.items():
            value = read.get(name, MISSING)
            column.insert(place, value if value.__class__ in _PLAIN else storable(value))
        self.size += self._size_at(place)

    def put_row(self, place: int, count: int, properties: bytes) -> None:
        """As `put`, for all properties of an event."""
        if len(self.rows) != count:
            self.rows, self.columns = self.as_rows(count), {}
            self.weigh(count)
        self.rows.insert(place, bytes(properties))
        self.size += len(properties)

    def as_rows(self, count: int) -> list[bytes]:
        """All that is kept of each of the `count` events, as JSON. O(kept)."""
        return self.rows or [_encode(self.properties(at)) for at in range(count)]

    def as_column(self, name: str, count: int) -> list[Any]:
        """The values of one property in the `count` events, `MISSING` where it is not kept."""
        if self.rows:
            return [_row(row).get(name, MISSING) for row in self.rows]
        return self.columns.get(name) or [MISSING] * count

    def trim(self, count: int) -> None:
        """Let the `count` oldest go. O(kept)."""
        if not count:
            return
        self.size -= sum([self._size_at(at) for at in range(count)])
        for column in self.columns.values():
            del column[:count]
        del self.rows[:count]

    def excess(self, count: int) -> int:
        """How many of `count` events must go, the oldest first, for the rest to be within bounds.

        O(1) where they are.
        """
        over, gone = self.size - PROPERTIES_BYTES_MAX, 0
        while over > 0 and gone < count - 1:
            over -= self._size_at(gone)
            gone += 1
        return gone

    def weigh(self, count: int) -> None:
        """Set `size` anew, of `count` events. O(kept)."""
        self.size = sum([self._size_at(at) for at in range(count)])

    def _size_at(self, place: int) -> int:
        if self.rows:
            return len(self.rows[place])
        return sum([_size_of(column[place]) for column in self.columns.values()])

    def properties(self, place: int) -> dict[str, Any]:
        """The properties of the event at `place`, as far as they are kept. O(properties)."""
        if self.rows:
            return _row(self.rows[place])
        values = {name: column[place] for name, column in self.columns.items()}
        return {name: value for name, value in values.items() if value.__class__ is not bytes}

    def values(self, name: str, start: int, end: int) -> list[Any]:
        """The values of one property in the events of a range, those without it left out."""
        if self.rows:
            read = map(_row, self.rows[start:end])
            return [properties[name] for properties in read if name in properties]
        column = self.columns.get(name, [])[start:end]
        return [value for value in column if value.__class__ is not bytes]

    def first_properties(self) -> dict[str, Any]:
        """The kept properties of the first event ever."""
        return read_object(self.first)


def _size_of(value: Any) -> int:  # noqa: ANN401 - any JSON value
    if value.__class__ is str or value.__class__ is bytes:
        return len(value)
    return len(_encode(value)) if isinstance(value, list | dict) else _NUMBER_BYTES


def _row(row: bytes) -> dict[str, Any]:
    properties: dict[str, Any] = storable(read_object(row))
    return properties


def canonical(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """What is the same for two JSON values where they are equal, and can be hashed.

    Numbers by value, true and 1 apart, lists and maps by their parts. O(size).
    """
    match value:
        case bool():
            return (bool, value)
        case list():
            return (list, *map(canonical, value))
        case dict():
            return frozenset((key, canonical(inner)) for key, inner in value.items())
        case _:
            return value
