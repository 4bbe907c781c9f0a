"""Records read in order of their numbers, and how far each sink has come."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3


def records(connection: sqlite3.Connection, after: int, limit: int) -> list[tuple[int, bytes]]:
    """(number, record as JSON) of those beyond a number, in order. O(limit)."""
    return connection.execute(
        "SELECT number, record FROM records WHERE number > ? ORDER BY number LIMIT ?",
        (after, limit),
    ).fetchall()


def newest(connection: sqlite3.Connection) -> int:
    """The number of the newest record; 0 where there is none."""
    row = connection.execute("SELECT ifnull(max(number), 0) FROM records").fetchone()
    return int(row[0])


def position(connection: sqlite3.Connection, sink: str) -> int | None:
    """The number of the last record that a sink has taken; None for a new one."""
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (f"sink:{sink}",)).fetchone()
    return None if row is None else int(row[0])


def keep_position(connection: sqlite3.Connection, sink: str, number: int) -> None:
    """A sink has taken records up to this number."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (f"sink:{sink}", number))
