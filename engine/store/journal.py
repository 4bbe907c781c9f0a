"""The journal read whole, a slice at a time: what a run took in, and what came of it.

It begins with the first input where that is still kept, and else with the floor of the archive
(`floors`): everybody as he was saved, with the inputs since.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    import sqlite3

ROWS_MAX: Final = 256
"""Rows that a slice reads."""


_OF_ONE: Final = "from_input, at_ms + (at_ms > 0), generation, settled"
"""A `Beginning`. Of the instant itself at which the last state was copied, some may be from before
and some from behind it."""


class Beginning(msgspec.Struct, frozen=True):
    """Where a journal can be run from.

    Attributes:
        from_input: Number of the first input.
        exact_from_ms: What happened from this instant on comes out as it did; 0: all of it.
        generation: Of the floors to start from; None: from nobody.
        settled: The change of the plan that everybody was saved under there.
    """

    from_input: int
    exact_from_ms: int = 0
    generation: int | None = None
    settled: int = 0


def beginning(connection: sqlite3.Connection, before_ms: int) -> Beginning | None:
    """Where this database's journal can be run from; None where nothing allows it.

    `before_ms` is how far back things are kept: the floor of the archive is the newest generation
    of then or earlier, and older ones may have gone in part.
    """
    (first,) = connection.execute("SELECT min(first_input) FROM journal").fetchone()
    if first == 1:
        return Beginning(1)
    row = connection.execute(
        f"SELECT {_OF_ONE} FROM generations WHERE at_ms IS NOT NULL "  # noqa: S608 - a constant
        "ORDER BY at_ms > ?, abs(at_ms - ?) LIMIT 1",
        (before_ms, before_ms),
    ).fetchone()
    return Beginning(*row) if row else None


def later_beginnings(connection: sqlite3.Connection, first: Beginning) -> list[Beginning]:
    """Where else it can be run from, behind its beginning, in order. O(generations)."""
    rows = connection.execute(
        f"SELECT {_OF_ONE} FROM generations WHERE at_ms IS NOT NULL "  # noqa: S608 - a constant
        "AND generation > ? ORDER BY generation",
        (first.generation or 0,),
    )
    return [Beginning(*row) for row in rows]


def floors(
    connection: sqlite3.Connection, generation: int | None, after: str
) -> list[tuple[str, bytes]]:
    """Users behind `after` as a generation has them: (id, state), in order of id."""
    if generation is None:
        return []
    return connection.execute(
        "SELECT user_id, state FROM floors AS newest WHERE user_id > ? AND generation = "
        "(SELECT max(generation) FROM floors AS other "
        " WHERE other.user_id = newest.user_id AND other.generation <= ?) "
        "ORDER BY user_id LIMIT ?",
        (after, generation, ROWS_MAX),
    ).fetchall()


def inputs(
    connection: sqlite3.Connection, after: int, limit: int = ROWS_MAX
) -> list[tuple[int, bytes]]:
    """Journal rows behind the one that begins with input `after`: (number, JSON lines)."""
    return connection.execute(
        "SELECT first_input, inputs FROM journal WHERE first_input > ? "
        "ORDER BY first_input LIMIT ?",
        (after, limit),
    ).fetchall()


def bounds(connection: sqlite3.Connection) -> tuple[int, int]:
    """Numbers of the first input that is kept, and of the first of the last commit; 0 for none."""
    row = connection.execute(
        "SELECT ifnull(min(first_input), 0), ifnull(max(first_input), 0) FROM journal"
    ).fetchone()
    return int(row[0]), int(row[1])


def row_of(connection: sqlite3.Connection, number: int) -> int:
    """Number of the first input of the journal row that holds an input."""
    row = connection.execute(
        "SELECT ifnull(max(first_input), 0) FROM journal WHERE first_input <= ?", (number,)
    ).fetchone()
    return int(row[0])


def row_before(connection: sqlite3.Connection, at_ms: int) -> int:
    """Number of the first input of the newest row from before an instant; 0 where there is none.

    From there on stands all that was stamped since. O(rows before).
    """
    row = connection.execute(
        "SELECT ifnull(max(first_input), 0) FROM journal WHERE at_ms < ?", (at_ms,)
    ).fetchone()
    return int(row[0])


def records(connection: sqlite3.Connection, after: int) -> list[tuple[int, bytes]]:
    """Records behind a number: (number, JSON)."""
    return connection.execute(
        "SELECT number, record FROM records WHERE number > ? ORDER BY number LIMIT ?",
        (after, ROWS_MAX),
    ).fetchall()
