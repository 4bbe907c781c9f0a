"""What one commit writes: a row for all that may be one, and few statements for the rest.

Each statement gives the interpreter's lock away and has to win it back from a busy loop: under
load that takes a millisecond or two, and a commit of a dozen statements was mostly that. So what
every commit has goes in one statement, which a trigger takes apart; where a batch has nothing else
that statement is the transaction, too. What there are many of goes many at a time.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from engine.store import outbox, plans, pruning, user_log
from engine.store.batch import Quarantined, Retried
from engine.store.pruning import Quarantine

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from engine.store.batch import Batch, QuarantineChange
    from engine.store.indexing import Due

ROWS_A_STATEMENT_MAX = 64

_INDEXED = """
    -- Segments of the archive's index.
    INSERT OR REPLACE INTO archive_index
        SELECT value ->> 0, value ->> 1, value ->> 2, substr(new.entries, value ->> 3, value ->> 4)
        FROM json_each(new.entries_at);
    INSERT OR REPLACE INTO meta SELECT value ->> 0, value ->> 1 FROM json_each(new.indexed);
"""

TAKEN_APART = f"""
CREATE TEMP VIEW commits AS SELECT
    0 AS first_input, 0 AS inputs_count, 0 AS at_ms, x'' AS hashes, x'' AS inputs,
    0 AS batch, x'' AS states, x'' AS users, '' AS users_at,
    0 AS first_record, x'' AS records, '' AS records_at, 0 AS next_record, 0 AS replay_from,
    0 AS log_from, x'' AS entries, '' AS entries_at, '' AS indexed;
CREATE TEMP TRIGGER commits_written INSTEAD OF INSERT ON commits BEGIN
    INSERT INTO journal
        SELECT new.first_input, new.inputs_count, new.at_ms, new.hashes, new.inputs
        WHERE new.inputs_count > 0;
    INSERT OR REPLACE INTO users
        SELECT
            CAST(substr(new.users, value ->> 0, value ->> 1) AS TEXT),
            substr(new.users, value ->> 2, value ->> 3),
            new.batch
        FROM json_each(new.users_at);
    INSERT INTO user_log SELECT new.batch, new.states WHERE new.states IS NOT NULL;
    DELETE FROM user_log WHERE batch < new.log_from;
    INSERT INTO records
        SELECT
            new.first_record + key,
            CAST(substr(new.records, value ->> 0, value ->> 1) AS TEXT),
            CAST(substr(new.records, value ->> 2, value ->> 3) AS TEXT),
            substr(new.records, value ->> 4, value ->> 5)
        FROM json_each(new.records_at);
    INSERT OR REPLACE INTO meta VALUES
        ('replay_from', new.replay_from),
        ('next_input', new.first_input + new.inputs_count),
        ('last_at_ms', new.at_ms),
        ('next_batch', new.batch + 1),
        ('next_record', new.next_record);
    {_INDEXED}
END;
CREATE TEMP VIEW segments AS SELECT x'' AS entries, '' AS entries_at, '' AS indexed;
CREATE TEMP TRIGGER segments_written INSTEAD OF INSERT ON segments BEGIN
    {_INDEXED}
END;
"""  # noqa: S608 - a constant
"""What every commit has, as one row, and segments of the archive's index that have none: of a
connection's own, and nowhere in the file.

Rows within it are packed (`_pack`): as JSON alone, a text would end at its first NUL.
"""

LOG_SWEPT_EVERY = 16
"""Commits between two sweeps of the user log: a restart passes over a row that is not needed."""

_encode = msgspec.json.Encoder().encode


class Written(msgspec.Struct):
    """What came of writing a batch.

    Attributes:
        quarantine: How full the quarantine is now.
        recorded: Of whom there is a new record, in order, once for each.
        next_record: The number that the next one gets.
        dead_bytes: Of the messages that are dead letters from here on.
    """

    quarantine: Quarantine
    recorded: list[str]
    next_record: int
    dead_bytes: int


def is_one_statement(batch: Batch) -> bool:
    """Whether all of a batch is in the row that every commit has: most batches of events are so."""
    return not (
        batch.messages
        or batch.closed
        or batch.revived
        or batch.quarantined
        or batch.bandits
        or batch.changes
        or batch.settled
    )


def write_batch(
    connection: sqlite3.Connection,
    batch: Batch,
    quarantine: Quarantine,
    next_record: int,
    due: Due,
) -> Written:
    """Write it all, and what is `due` of the index. O(the batch).

    Within a transaction, unless it `is_one_statement`.
    """
    happened = [record for record in batch.records if record.kind != "refused"]
    first_record = next_record
    next_record += len(happened)
    users = [(user_id.encode(), state) for user_id, state in batch.users]
    records = [
        (record.user_id.encode(), record.campaign.encode(), _encode(record)) for record in happened
    ]
    connection.execute(
        "INSERT INTO commits VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            batch.first_input,
            batch.inputs_count,
            batch.at_ms,
            batch.hashes,
            batch.inputs,
            batch.number,
            user_log.pack(batch.states) if batch.states else None,
            *_pack(users),
            first_record,
            *_pack(records),
            next_record,
            batch.replay_from,
            0 if batch.number % LOG_SWEPT_EVERY else batch.log_from,
            *due,
        ),
    )
    dead_bytes = _write_messages(connection, batch)
    if batch.quarantined:
        quarantine = _write_quarantine(connection, batch.quarantined, quarantine)
    if batch.bandits:
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('bandits', ?)", (batch.bandits,))
    if batch.changes or batch.settled:
        plans.write(connection, batch.changes, batch.settled)
    return Written(quarantine, [record.user_id for record in happened], next_record, dead_bytes)


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


def _write_messages(connection: sqlite3.Connection, batch: Batch) -> int:
    """New outbox rows, then what happened to others; the bytes of new dead letters.

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
    dead_bytes = outbox.close(connection, batch.closed)
    if batch.revived:
        outbox.revive(connection, batch.revived)
    return dead_bytes


def _insert(connection: sqlite3.Connection, into: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows, in order, some in each statement. The first value of none is None."""
    for place in range(0, len(rows), ROWS_A_STATEMENT_MAX):
        some = rows[place : place + ROWS_A_STATEMENT_MAX]
        width = len(some[0])
        # Powers of two, so that few statements are ever prepared; what is left over stays NULL.
        count = 1 << (len(some) - 1).bit_length()
        values = [value for row in some for value in row]
        values += [None] * (count * width - len(values))
        connection.execute(_statement(into, width, count), values)


def _pack(rows: Sequence[tuple[bytes, ...]]) -> tuple[bytes, str]:
    """What rows hold, one part behind the other; and as JSON, where each part begins, its length.

    Places count from 1, as in SQL. O(size).
    """
    places: list[list[int]] = []
    begins = 1
    for row in rows:
        place: list[int] = []
        for part in row:
            size = len(part)
            place += (begins, size)
            begins += size
        places.append(place)
    return b"".join([part for row in rows for part in row]), _encode(places).decode()


@cache
def _statement(into: str, columns: int, rows: int) -> str:
    row = "(" + ", ".join("?" * columns) + ")"
    values = ", ".join([row] * rows)
    return f"INSERT {into} SELECT * FROM (VALUES {values}) WHERE column1 IS NOT NULL"  # noqa: S608 - only of this module
