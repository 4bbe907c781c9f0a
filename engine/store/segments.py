"""How many users were in each segment, day by day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

DAYS_KEPT: Final = 400


class Size(msgspec.Struct, frozen=True):
    """One segment on one day.

    Attributes:
        day: Days since 1970, UTC.
        segment: Its id.
        users: How many were in it when it was last counted that day.
        total: How many users there were then.
    """

    day: int
    segment: str
    users: int
    total: int


def write(connection: sqlite3.Connection, day: int, sizes: Mapping[str, int], total: int) -> None:
    """Keep the sizes of a day, the newest of it, within a transaction. O(segments)."""
    connection.executemany(
        "INSERT OR REPLACE INTO segment_sizes VALUES (?, ?, ?, ?)",
        [(segment, day, users, total) for segment, users in sizes.items()],
    )
    connection.execute("DELETE FROM segment_sizes WHERE day <= ?", (day - DAYS_KEPT,))


def read(connection: sqlite3.Connection, from_day: int) -> list[Size]:
    """Those of a day and later, by segment and day. O(segments * days)."""
    rows = connection.execute(
        "SELECT day, segment, users, total FROM segment_sizes WHERE day >= ? ORDER BY segment, day",
        (from_day,),
    )
    return [Size(*row) for row in rows]
