"""A tracking plan that fits what the archive has: which events came, and of what form they were.

The journal is read a slice at a time, oldest rows first, so that a process that serves goes on
meanwhile. What is proposed takes everything that was seen; whether it says what is meant is for a
person to judge: whole prices are no proof that there is none of 19.99.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from engine.core.inputs import (
    EventImported,
    EventNoticed,
    EventReceived,
    Input,
    TraitsDefaulted,
    TraitsImported,
    UserIdentified,
    UsersMerged,
)
from engine.core.instants import parse_instant_ms
from engine.core.intake.tracking_plan import OWN_MARKS, RESERVED_TRAITS
from engine.runtime.aside import aside
from engine.store import archive, journal

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.store import Store

EVENTS_MAX: Final = 1_000
"""Names of events that are looked at; others are counted."""

PROPERTIES_MAX: Final = 200
"""Names within one object; one with more is an object of anything."""

DEPTH_MAX: Final = 4
"""Objects and lists within each other; what lies deeper may be anything."""

ENUM_MAX: Final = 10
"""Values of a text that are taken for all there are, where each came often."""

ENUM_OFTEN: Final = 10
"""How often each of them came, on average."""

_ENUM_LENGTH_MAX: Final = 40
_SLICE_ROWS: Final = 16
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")
_ID: Final = re.compile(r"(^|[_. ])(id|token|key|email|phone|name|url)s?$|Id$|ID$")
_EVENTS: Final = (EventReceived, EventNoticed, EventImported)
_TRAITS: Final = (UserIdentified, TraitsDefaulted, TraitsImported, UsersMerged)

_decode_object = msgspec.json.Decoder(dict[str, Any]).decode
_decode_input = msgspec.json.Decoder(Input).decode


class Proposal(msgspec.Struct, frozen=True):
    """What was found.

    Attributes:
        plan: As `tracking-plan.yaml` has it.
        inputs: How many inputs were looked at.
        events: How many of them were events.
        left_out: Events of names beyond `EVENTS_MAX`.
    """

    plan: dict[str, Any]
    inputs: int
    events: int
    left_out: int = 0


async def infer(store: Store, told: Callable[[int, int], None]) -> Proposal:
    """Propose a plan from all that the archive has. O(archive). Raises StoreError.

    `told` hears how many inputs were looked at, of how many.
    """
    seen = _Seen()
    first, last = await store.read(journal.bounds)
    after = first - 1
    # Commits wait while rows are read, and for nothing else.
    while rows := await store.read(partial(journal.inputs, after=after, limit=_SLICE_ROWS)):
        await aside(partial(seen.look, [lines for _, lines in rows]))
        after = rows[-1][0]
        told(after - first + 1, max(last - first, after - first) + 1)
    return seen.proposal()


class _Value:
    """Everything that was seen under one name."""

    __slots__ = ("count", "enum", "items", "kinds", "object")

    def __init__(self) -> None:
        self.count = 0
        self.kinds: set[str] = set()
        self.enum: set[str] | None = set()
        self.items: _Value | None = None
        self.object: _Object | None = None

    def add(self, value: object, depth: int) -> None:
        self.count += 1
        kind = _kind(value)
        self.kinds.add(kind)
        if isinstance(value, str) and self.enum is not None:
            self.enum.add(value)
            if len(self.enum) > ENUM_MAX or len(value) > _ENUM_LENGTH_MAX or not value:
                self.enum = None
        elif isinstance(value, list) and depth < DEPTH_MAX:
            self.items = self.items or _Value()
            for item in value:
                self.items.add(item, depth + 1)
        elif isinstance(value, dict) and depth < DEPTH_MAX:
            self.object = self.object or _Object()
            self.object.add(value, depth + 1)

    def form(self, name: str, *, required: bool) -> Any:  # noqa: ANN401 - as the file has it
        """What a plan says of it."""
        kind = self._kind()
        said: dict[str, Any] = {"type": kind}
        if required and kind != "any":
            said["required"] = True
        if kind == "string" and self._is_enum(name):
            said["enum"] = sorted(self.enum or ())
        if kind == "array" and self.items is not None and self.items.count:
            said["items"] = self.items.form("", required=False)
        if kind == "object" and self.object is not None and self.object.values:
            said["properties"] = self.object.forms()
        return kind if len(said) == 1 else said

    def _kind(self) -> str:
        kinds = self.kinds - {"null"}
        if kinds == {"integer", "number"}:
            return "number"
        if kinds == {"timestamp", "string"}:
            return "string"
        return kinds.pop() if len(kinds) == 1 else "any"

    def _is_enum(self, name: str) -> bool:
        found = self.enum
        return bool(found) and self.count >= ENUM_OFTEN * len(found or ()) and not _ID.search(name)


class _Object:
    """Everything that was seen in objects of one place."""

    __slots__ = ("count", "is_wide", "values")

    def __init__(self) -> None:
        self.count = 0
        self.is_wide = False
        self.values: dict[str, _Value] = {}

    def add(self, said: dict[str, Any], depth: int) -> None:
        self.count += 1
        for name, value in said.items():
            if name.startswith(OWN_MARKS) or not name.strip() or _UNTELLABLE.search(name):
                continue
            known = self.values.get(name)
            if known is None:
                if len(self.values) >= PROPERTIES_MAX:
                    self.is_wide = True
                    continue
                known = self.values[name] = _Value()
            known.add(value, depth)

    def forms(self, *, of_user: bool = False) -> dict[str, Any]:
        """By name; none where there are too many names for them to be properties."""
        if self.is_wide:
            return {}
        return {
            name: value.form(
                name,
                required=not of_user and value.count == self.count and "null" not in value.kinds,
            )
            for name, value in sorted(self.values.items())
        }


_UNTELLABLE: Final = re.compile(r'[\\"\x00-\x1f]')


class _Seen:
    """What was seen of all events and users."""

    def __init__(self) -> None:
        self._events: dict[str, _Object] = {}
        self._active: set[str] = set()
        self._traits = _Object()
        self._inputs = self._happened = self._left_out = 0

    def look(self, rows: list[bytes]) -> None:
        """Look at journal rows. O(their size)."""
        for row in rows:
            for line in archive.split(row):
                self._add(_decode_input(line))

    def _add(self, said: object) -> None:
        self._inputs += 1
        if type(said) in _EVENTS:
            assert isinstance(said, EventReceived)
            self._happened += 1
            known = self._events.get(said.name)
            if known is None:
                if len(self._events) >= EVENTS_MAX or _UNTELLABLE.search(said.name):
                    self._left_out += 1
                    return
                known = self._events[said.name] = _Object()
            if not said.passive:
                self._active.add(said.name)
            known.add(_decode_object(said.properties), 0)
        elif type(said) in _TRAITS:
            assert isinstance(said, UserIdentified)
            traits = _decode_object(said.traits)
            self._traits.add({k: v for k, v in traits.items() if k not in RESERVED_TRAITS}, 0)

    def proposal(self) -> Proposal:
        events: dict[str, Any] = {}
        for name, seen in sorted(self._events.items()):
            event: dict[str, Any] = {} if name in self._active else {"passive": True}
            if seen.values:
                event["properties"] = seen.forms()
            events[name] = event
        plan: dict[str, Any] = {"events": events}
        if traits := self._traits.forms(of_user=True):
            plan["identify"] = {"traits": traits}
        return Proposal(plan, self._inputs, self._happened, self._left_out)


def _kind(value: object) -> str:  # noqa: PLR0911 - one a kind
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "timestamp" if _is_instant(value) else "string"
        case list():
            return "array"
        case _:
            return "object"


def _is_instant(text: str) -> bool:
    if not _INSTANT.match(text):
        return False
    try:
        parse_instant_ms(text)
    except ValueError:
        return False
    return True
