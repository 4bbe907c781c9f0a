"""What alerts keep over restarts, and records counted by campaign and hour."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import sqlite3

Counted: TypeAlias = list[tuple[str, int, str, int]]
"""(campaign, hour since the epoch, kind, how many)."""

_HOUR_MS = 3_600_000


def count_records(
    connection: sqlite3.Connection, after: int, limit: int
) -> tuple[int, int, Counted]:
    """Up to `limit` records beyond a number: the last number, how many, and counts. O(limit)."""
    last, number = connection.execute(
        "SELECT ifnull(max(number), ?1), count(*) FROM"
        " (SELECT number FROM records WHERE number > ?1 ORDER BY number LIMIT ?2)",
        (after, limit),
    ).fetchone()
    # A blob that is text would be taken for SQLite's own binary JSON.
    counted = connection.execute(
        "SELECT campaign, json_extract(said, '$.at_ms') / ?3 AS hour,"
        " json_extract(said, '$.kind') AS kind, count(*) FROM"
        " (SELECT campaign, CAST(record AS TEXT) AS said FROM records"
        " WHERE number > ?1 AND number <= ?2) GROUP BY 1, 2, 3",
        (after, last, _HOUR_MS),
    ).fetchall()
    return last, number, counted


def kept(connection: sqlite3.Connection, name: str) -> bytes | None:
    """What was kept under a name."""
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (f"alerts:{name}",))
    found = row.fetchone()
    return None if found is None else bytes(found[0])


def keep(connection: sqlite3.Connection, name: str, value: bytes) -> None:
    """Keep something under a name, in place of what was there."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (f"alerts:{name}", value))
