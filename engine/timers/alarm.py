"""What can have a deadline: two attributes, of an object that its owner keeps anyway.

The deadline is an attribute and not in a table by key, since that halves the cost of a move, and
the wheel then needs no table either (bench/README.md).
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final, Generic, Protocol, TypeVar

import msgspec

DUE_AT_MS_MAX: Final = 2**48 - 1
"""The last instant that can be a deadline, in the year 10889; four-digit years all fit."""

NEVER_AT_MS: Final = DUE_AT_MS_MAX + 1
"""The deadline of an alarm that has none: later than any, so that one comparison will do."""

K_co = TypeVar("K_co", bound=Hashable, covariant=True)


class Alarmed(Hashable, Protocol):
    """What can have a deadline: two attributes, and a hash that never changes.

    The hash of plain identity is the cheapest. Only `Deadlines` writes `armed_at_ms`. Its owner may
    write `due_at_ms` where that is no earlier than `armed_at_ms`, `NEVER_AT_MS` too.

    Attributes:
        due_at_ms: The true deadline, or `NEVER_AT_MS`.
        armed_at_ms: The instant at which the wheel will look, or `NEVER_AT_MS`.
    """

    due_at_ms: int
    armed_at_ms: int


class Alarm(msgspec.Struct, Generic[K_co], eq=False, gc=False):
    """The plainest thing that can have a deadline, for the owner `key`; equal only to itself.

    A stale copy keeps it, and so its `key`, in memory until the copy's slot is opened or swept.
    The collector does not look at it, which makes a million of them cost it nothing; so its
    `key` must not refer back to it, or neither would ever be freed.
    """

    key: K_co
    due_at_ms: int = NEVER_AT_MS
    armed_at_ms: int = NEVER_AT_MS
