"""What campaigns did, as it was counted: rows by campaign and hour, and up to which record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

IN_ALL: Final = -1
"""The hour of a row that counts all of them."""


class Saved(msgspec.Struct):
    """What was saved last.

    Attributes:
        rows: (campaign, hour, counts), `IN_ALL` first for each campaign.
        seen: Number of the newest record that is counted in them; 0: none is.
    """

    rows: list[tuple[str, int, bytes]]
    seen: int


def read(connection: sqlite3.Connection) -> Saved:
    """All of it. O(campaigns * hours)."""
    row = connection.execute("SELECT value FROM meta WHERE name = 'tallied'").fetchone()
    rows = connection.execute("SELECT campaign, hour, counts FROM tallies ORDER BY campaign, hour")
    return Saved(rows.fetchall() if row is not None else [], 0 if row is None else int(row[0]))


def write(
    connection: sqlite3.Connection,
    rows: Iterable[tuple[str, int, bytes]],
    dropped: Iterable[tuple[str, int]],
    seen: int,
) -> None:
    """Save what changed, within a transaction. O(rows)."""
    connection.executemany("INSERT OR REPLACE INTO tallies VALUES (?, ?, ?)", rows)
    connection.executemany("DELETE FROM tallies WHERE campaign = ? AND hour = ?", dropped)
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('tallied', ?)", (seen,))
