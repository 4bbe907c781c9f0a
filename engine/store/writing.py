"""What one commit writes: a row for all that may be one, and few statements for the rest.

Each statement gives the interpreter's lock away and has to win it back from a busy loop: a commit
under load is mostly that, and pages.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from engine.store import outbox, plans, pruning, recovery
from engine.store.batch import Quarantined, Retried
from engine.store.pruning import Quarantine

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from engine.store.batch import Batch, QuarantineChange

ROWS_A_STATEMENT_MAX = 16
"""Beyond it SQLite takes as long to bind a statement's values as it saves."""

LOG_SWEPT_EVERY = 16
"""Commits between two sweeps of the user log: a restart passes over a row that is not needed."""

_encode = msgspec.json.Encoder().encode


class Written(msgspec.Struct):
    """What came of writing a batch.

    Attributes:
        quarantine: How full the quarantine is now.
        recorded: Of whom there is a new record, in order, once for each.
        next_record: The number that the next one gets.
    """

    quarantine: Quarantine
    recorded: list[str]
    next_record: int


def write_batch(
    connection: sqlite3.Connection, batch: Batch, quarantine: Quarantine, next_record: int
) -> Written:
    """Write it all, within a transaction. O(the batch)."""
    run = connection.execute
    if batch.inputs_count:
        run(
            "INSERT INTO journal VALUES (?, ?, ?, ?, ?)",
            (batch.first_input, batch.inputs_count, batch.at_ms, batch.hashes, batch.inputs),
        )
    _write_users(connection, batch)
    _write_messages(connection, batch)
    happened = [record for record in batch.records if record.kind != "refused"]
    records = [
        (number, record.user_id, record.campaign, _encode(record))
        for number, record in enumerate(happened, start=next_record)
    ]
    next_record += len(records)
    _insert(connection, "INTO records", records)
    if batch.quarantined:
        quarantine = _write_quarantine(connection, batch.quarantined, quarantine)
    run(
        "INSERT OR REPLACE INTO meta VALUES "
        "('replay_from', ?), ('next_input', ?), ('last_at_ms', ?), ('next_batch', ?), "
        "('next_record', ?)",
        (
            batch.replay_from,
            batch.first_input + batch.inputs_count,
            batch.at_ms,
            batch.number + 1,
            next_record,
        ),
    )
    if batch.bandits:
        run("INSERT OR REPLACE INTO meta VALUES ('bandits', ?)", (batch.bandits,))
    if batch.changes or batch.settled:
        plans.write(connection, batch.changes, batch.settled)
    return Written(quarantine, [record.user_id for record in happened], next_record)


def _write_quarantine(
    connection: sqlite3.Connection, changes: Sequence[QuarantineChange], quarantine: Quarantine
) -> Quarantine:
    """What was taken after all goes, and what could not be comes; how full that leaves it."""
    retried = [(one.number,) for one in changes if isinstance(one, Retried)]
    kept = [one for one in changes if isinstance(one, Quarantined)]
    if retried:
        quarantine = pruning.take_out(connection, quarantine, retried)
    if kept:
        into = "INTO quarantine (received_at_ms, source, path, reason, body)"
        _insert(connection, into, [msgspec.structs.astuple(item) for item in kept])
        quarantine = pruning.make_room(connection, quarantine, [len(item.body) for item in kept])
    return quarantine


def _write_users(connection: sqlite3.Connection, batch: Batch) -> None:
    rows = [(user_id, state, batch.number) for user_id, state in batch.users]
    _insert(connection, "OR REPLACE INTO users", rows)
    if batch.states:
        row = (batch.number, recovery.pack(batch.states))
        connection.execute("INSERT INTO user_log VALUES (?, ?)", row)
    if not batch.number % LOG_SWEPT_EVERY:
        connection.execute("DELETE FROM user_log WHERE batch < ?", (batch.log_from,))


def _write_messages(connection: sqlite3.Connection, batch: Batch) -> None:
    """New outbox rows, then what happened to others.

    A row whose id is there already is that same message, and stays as it is.
    """
    rows: list[tuple[Any, ...]] = []
    for number, message in enumerate(batch.messages, start=batch.first_message):
        row = outbox.row_of(number, message)
        if message.fallback_of:
            connection.execute(
                f"INSERT OR IGNORE INTO outbox {outbox.COLUMNS} "  # noqa: S608 - a constant
                "SELECT ?, ?, ?, ?, ?, ?, snapshot FROM outbox WHERE id = ?",
                (*row, message.fallback_of),
            )
        else:
            rows.append((*row, bytes(message.snapshot)))
    _insert(connection, f"OR IGNORE INTO outbox {outbox.COLUMNS}", rows)
    outbox.close(connection, batch.closed)
    if batch.revived:
        outbox.revive(connection, batch.revived)


def _insert(connection: sqlite3.Connection, into: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows, in order, some in each statement."""
    place = 0
    while place < len(rows):
        # Powers of two, so that few statements are ever prepared.
        count = min(ROWS_A_STATEMENT_MAX, 1 << ((len(rows) - place).bit_length() - 1))
        some = rows[place : place + count]
        statement = _statement(into, len(some[0]), count)
        connection.execute(statement, [value for row in some for value in row])
        place += count


@cache
def _statement(into: str, columns: int, rows: int) -> str:
    row = "(" + ", ".join("?" * columns) + ")"
    return f"INSERT {into} VALUES " + ", ".join([row] * rows)  # noqa: S608 - only of this module
