"""Changes of the plan, and of time behind them, that users take on one by one; and the plans.

A change is a journaled input like any other. It stands here too, since the journal may be cut above
it while somebody is still saved as of before. A plan stays as long as a change names it, and a
change as long as a saved user, be it in a floor of the archive, or the journal, goes back to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.inputs import PlanChanged, decode_inputs
from engine.core.state import NEVER

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from engine.core.inputs import Input
    from engine.store.batch import KeptChange

ANNOUNCED: Final = (
    """SELECT number FROM changes WHERE instr(input, CAST('{"type":"announced"' AS BLOB)) = 1"""
)
"""Of plans that were to come into force: they name a plan, too, and bring none."""

_IS_WEIGHTS: Final = """instr(input, CAST('{"type":"weights"' AS BLOB)) = 1"""
"""Of inputs that bring weights of bandits, each in force until the next of the same split."""

_SPLIT: Final = """json_extract(CAST({0}.input AS TEXT), '$.campaign', '$.split')"""


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
    return between(connection, replay_from, NEVER)


def between(connection: sqlite3.Connection, before: int, settled: int) -> list[tuple[int, Input]]:
    """As `read`, for users who may have been saved when everybody's change was `settled`."""
    base = _base(connection, before, settled)
    rows = connection.execute(
        "SELECT number, input FROM changes "  # noqa: S608 - one text of ours
        f"WHERE (number >= ? OR {_IS_WEIGHTS}) AND number < ? ORDER BY number",
        (base, before),
    )
    changes = [(number, one) for number, line in rows for one in decode_inputs(line)]
    if base or (changes and not changes[0][0]):
        return changes
    return [(0, PlanChanged("")), *changes] if changes else []


def let_go(connection: sqlite3.Connection) -> None:
    """Drop changes, and plans, that no saved user and no journaled input goes back to."""
    first_input = connection.execute("SELECT min(first_input) FROM journal").fetchone()[0]
    (settled,) = connection.execute("SELECT min(settled) FROM generations").fetchone()
    base = _base(connection, first_input or 0, NEVER if settled is None else settled)
    older = "later.number > changes.number AND later.number < ?"
    connection.execute(
        f"DELETE FROM changes WHERE {_IS_WEIGHTS} AND number < ? AND EXISTS "  # noqa: S608 - as above
        f"(SELECT 1 FROM changes AS later WHERE {_IS_WEIGHTS.replace('input', 'later.input')} "
        f"AND {older} AND {_SPLIT.format('later')} = {_SPLIT.format('changes')})",
        (first_input or 0, first_input or 0),
    )
    gone = f"DELETE FROM changes WHERE number < ? AND NOT {_IS_WEIGHTS}"  # noqa: S608 - as above
    if connection.execute(gone, (base,)).rowcount:
        connection.execute("DELETE FROM plans WHERE plan_id NOT IN (SELECT plan_id FROM changes)")


def _base(connection: sqlite3.Connection, before: int, settled: int) -> int:
    """The newest change of the plan that everybody has seen, and that lies before an input.

    Everybody is whoever is saved now, and was when `settled` was what everybody had.
    """
    row = connection.execute(
        "SELECT ifnull(max(number), 0) FROM changes WHERE plan_id <> '' AND number < ? "  # noqa: S608 - one text of ours
        "AND number <= min(?, ifnull((SELECT value FROM meta WHERE name = 'settled'), 0)) "
        f"AND number NOT IN ({ANNOUNCED})",
        (before, settled),
    ).fetchone()
    return int(row[0])
