"""What is kept of a user's events: their instants by name, and what conditions read of them.

The instants of a name are one bytes object of packed 64-bit integers in the machine's own order
(little end first on everything this runs on), oldest first: 8 bytes an event, nothing for the
garbage collector to follow, and `instants_of` reads it in place. Where conditions read properties,
`Details` holds a column for each, aligned with the instants: whatever is put in or goes, goes
through `insert`, which does both at one place.

Kept is what the loaded plan asks for (`Kept`, made by `needs`), at most `most` of a name. What
conditions ask of a whole life stays right past that: how many there ever were (`Details.total`) and
the first one (`Details.first`) are kept beside the newest.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from struct import Struct
from typing import TYPE_CHECKING, Any

import msgspec

from engine.core.past.details import NO_PROPERTIES, Details
from engine.core.properties import read_object, reader

if TYPE_CHECKING:
    from engine.core.state import User

WIDTH = 8
"""Bytes of an instant, as `read_instant` reads it at a place in what is kept."""
HELD_MAX = 1_000
"""Events of one name that a user keeps while his deadlines are held back, whatever is asked for."""
_instant = Struct("q")
_pack = _instant.pack
read_instant = _instant.unpack_from
_encode = msgspec.json.Encoder().encode


class Kept(msgspec.Struct, frozen=True, eq=False):
    """What history keeps of one event name.

    Attributes:
        most: How many of the newest at most; 1 or more.
        window_ms: Older ones go; None: however old.
        properties: Whose values are kept; None: all of them.
        total: Whether to know how many there ever were.
        first: Whether to know the first one.
        is_plain: Whether instants are all that is kept.
        read: Decodes those properties.
    """

    most: int
    window_ms: int | None = None
    properties: frozenset[str] | None = frozenset()
    total: bool = False
    first: bool = False
    is_plain: bool = True
    read: Callable[[bytes], Any] = reader(None)

    def __post_init__(self) -> None:
        derive = msgspec.structs.force_setattr
        if self.properties is None or self.properties or self.total or self.first:
            derive(self, "is_plain", False)
            whole = self.properties is None
            derive(self, "read", read_object if whole else reader(self.properties))


def insert(
    user: User,
    name: str,
    occurred_at_ms: int,
    kept: Kept,
    now_ms: int,
    properties: bytes = NO_PROPERTIES,
) -> None:
    """Note that `name` happened; late events find their place, what nobody asks for any more goes.

    `name` is kept as it is given: the plan's own text, which users share. O(kept) bytes moved; but
    for late events and values a few instructions.
    """
    packed = user.history.get(name, b"")
    count = len(packed)
    if count and read_instant(packed, count - WIDTH)[0] > occurred_at_ms:
        place = bisect_right(instants_of(packed), occurred_at_ms) * WIDTH
        packed = packed[:place] + _pack(occurred_at_ms) + packed[place:]
    else:
        place = count
        packed += _pack(occurred_at_ms)
    gone = count + WIDTH - kept.most * WIDTH
    if gone < 0:
        gone = 0
    if user.held_until_ms >= now_ms:
        # While deadlines are held back, and until all that were have had their turn, all stay: they
        # are judged at instants that have passed.
        gone = max(0, min(gone, count + WIDTH - HELD_MAX * WIDTH))
    elif kept.window_ms is not None and gone < count:
        # One that leaves the window at this very instant stays: it was in it a millisecond ago.
        floor_ms = now_ms - kept.window_ms
        if read_instant(packed, gone)[0] < floor_ms:
            gone = min(bisect_left(instants_of(packed), floor_ms) * WIDTH, count)
    if not kept.is_plain:
        details = _put_details(user, name, place // WIDTH, packed, kept, properties)
        gone = max(gone, details.excess(len(packed) // WIDTH) * WIDTH)
        details.trim(gone // WIDTH)
    elif user.details and name in user.details:
        # A plan before this one asked for more. Left as they are they would fall out of step.
        user.details = {key: value for key, value in user.details.items() if key != name}
    if gone:
        packed = packed[gone:]
    if user.history:
        user.history[name] = packed
    else:
        user.history = {name: packed}


def _put_details(
    user: User, name: str, place: int, packed: bytes, kept: Kept, raw: bytes
) -> Details:
    """Note what is kept of an event besides its instant; `packed` has that at `place` already."""
    details = user.details.get(name)
    before = len(packed) // WIDTH - 1
    if details is None:
        details = Details(total=before)
        user.details = {**user.details, name: details}
    details.total += 1
    if kept.properties is None or kept.properties:
        try:
            read = kept.read(raw)
        except msgspec.MsgspecError:
            read, raw = {}, NO_PROPERTIES
    else:
        read = {}
    if kept.properties is None:
        details.put_row(place, before, raw)
    else:
        details.put(place, before, read, kept.properties)
    if kept.first:
        instants = instants_of(packed)
        if not details.first or instants[place] < details.first_at_ms:
            at = place if details.first else 0
            details.first_at_ms = instants[at]
            details.first = _encode(details.properties(at))
    return details


def keep_only(user: User, keeps: Callable[[str], bool]) -> None:
    """Let go of what nothing asks for any more, by the names under which it is kept. O(names)."""
    names = {name for name in user.history if keeps(name)}
    if len(names) < len(user.history):
        user.history = {name: user.history[name] for name in user.history if name in names}
        user.details = {name: one for name, one in user.details.items() if name in names}


def sent_name(what: str) -> str:
    """The name under which messages of a channel or campaign are in a history: no event has it."""
    return "\n" + what


def instants_of(packed: bytes) -> memoryview[int]:
    """Instants as they are kept, to be read in place, oldest first. O(1)."""
    return memoryview(packed).cast("q")


def pack_instants(instants: list[int]) -> bytes:
    """Instants in order as they are kept. O(instants)."""
    return b"".join([_pack(at_ms) for at_ms in instants])


def newest(user: User, name: str) -> int:
    """The newest instant of `name`, or -1 where none is known. O(1)."""
    packed = user.history.get(name)
    if not packed:
        return -1
    at_ms: int = read_instant(packed, len(packed) - WIDTH)[0]
    return at_ms
