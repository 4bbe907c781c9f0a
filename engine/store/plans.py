"""Changes of the plan, and of time behind them, that users take on one by one; and the plans.

A change is a journaled input like any other. It stands here too, since the journal may be cut above
it while somebody is still saved as of before. A plan stays as long as a change names it, and a
change as long as a saved user, or the journal, goes back to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.inputs import PlanChanged, decode_inputs

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from engine.core.inputs import Input
    from engine.store.batch import KeptChange


def write(connection: sqlite3.Connection, changes: Iterable[KeptChange], settled: int) -> None:
    """Write new changes with their plans, and up to which of them everybody is saved."""
    for change in changes:
        connection.execute(
            "INSERT INTO changes VALUES (?, ?, ?)", (change.number, change.plan_id, change.input)
        )
        if change.content:
            connection.execute(
                "INSERT OR IGNORE INTO plans VALUES (?, ?)", (change.plan_id, change.content)
            )
    if settled:
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('settled', ?)", (settled,))


def read(connection: sqlite3.Connection, replay_from: int) -> list[tuple[int, Input]]:
    """Changes before the journal's tail that users may lack, numbered, in order.

    The first brought the plan that nobody is behind any more, a nameless one where that is the one
    of the beginning.
    """
    base = _base(connection, replay_from)
    rows = connection.execute(
        "SELECT number, input FROM changes WHERE number >= ? AND number < ? ORDER BY number",
        (base, replay_from),
    )
    changes = [(number, one) for number, line in rows for one in decode_inputs(line)]
    if base or (changes and not changes[0][0]):
        return changes
    return [(0, PlanChanged("")), *changes] if changes else []


def let_go(connection: sqlite3.Connection) -> None:
    """Drop changes, and plans, that no saved user and no journaled input goes back to."""
    first_input = connection.execute("SELECT min(first_input) FROM journal").fetchone()[0]
    base = _base(connection, first_input or 0)
    if connection.execute("DELETE FROM changes WHERE number < ?", (base,)).rowcount:
        connection.execute("DELETE FROM plans WHERE plan_id NOT IN (SELECT plan_id FROM changes)")


def _base(connection: sqlite3.Connection, before: int) -> int:
    """The newest change of the plan that everybody has seen, and that lies before an input."""
    row = connection.execute(
        "SELECT ifnull(max(number), 0) FROM changes WHERE plan_id <> '' AND number < ? AND number "
        "<= ifnull((SELECT value FROM meta WHERE name = 'settled'), 0)",
        (before,),
    ).fetchone()
    return int(row[0])
