"""Records in order of their numbers, of one campaign or all, a stretch of numbers at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3

STRETCH: Final = 1_000
"""Numbers that a slice goes over, whatever it finds: a millisecond or so."""


def stretch(
    connection: sqlite3.Connection, after: int, until: int, campaign: str | None
) -> list[tuple[int, bytes]]:
    """(number, record as JSON) of those with a number in (`after`, `until`]. O(numbers)."""
    where, values = "number > ? AND number <= ?", (after, until)
    if campaign is None:
        return connection.execute(
            f"SELECT number, record FROM records WHERE {where} ORDER BY number",  # noqa: S608 - of this module
            values,
        ).fetchall()
    return connection.execute(
        f"SELECT number, record FROM records WHERE {where} AND campaign = ? ORDER BY number",  # noqa: S608 - of this module
        (*values, campaign),
    ).fetchall()


def ends(connection: sqlite3.Connection) -> tuple[int, int]:
    """The numbers of the oldest and the newest record; (0, 0) where there is none."""
    oldest, newest = connection.execute("SELECT min(number), max(number) FROM records").fetchone()
    return int(oldest or 0), int(newest or 0)
