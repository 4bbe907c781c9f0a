"""From each earlier schema to the present one: what is changed in a stored database, step by step.

All steps that a database lacks are taken in one transaction as it is opened, `user_version` among
them: it is at the old schema or at the new one, whatever ends the process half way. What a table
is made by in a new database stands in `schema`; a test holds both against each other, and opens a
stored database of every earlier schema.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from engine.core.history import pack_instants
from engine.core.people import refusals
from engine.errors import StoreError
from engine.failpoints import come_to

if TYPE_CHECKING:
    from pathlib import Path

Change: TypeAlias = str | Callable[[sqlite3.Connection], None]
"""One statement, or a function that runs several; neither begins nor ends a transaction."""

OnProgress: TypeAlias = Callable[[str], None]
"""Told where a migration is, many times a second, on the connection's own thread."""


def _pack_states(connection: sqlite3.Connection) -> None:
    """Instants of events were arrays of numbers in a user's state, and refusals arrays of three."""
    rows = connection.execute("SELECT user_id, state FROM users").fetchall()
    for user_id, raw in rows:
        state = msgspec.msgpack.decode(raw)
        if "history" in state or "refusals" in state:
            state["history"] = {
                name: pack_instants(instants) for name, instants in state.get("history", {}).items()
            }
            state["refused"] = refusals.pack(state.pop("refusals", ()))
            packed = (msgspec.msgpack.encode(state), user_id)
            connection.execute("UPDATE users SET state = ? WHERE user_id = ?", packed)


STEPS: Final[dict[int, tuple[Change, ...]]] = {
    1: (
        # Schema 1 had this index only where a later program had opened it.
        "CREATE INDEX IF NOT EXISTS dead_letters ON outbox (number) WHERE dead IS NOT NULL",
        "ALTER TABLE users ADD COLUMN batch INTEGER NOT NULL DEFAULT 0",
        "CREATE TABLE user_log (batch INTEGER PRIMARY KEY, states BLOB NOT NULL) STRICT",
        "DROP INDEX records_of_user",
        """CREATE TABLE backups (
            number INTEGER PRIMARY KEY, path TEXT NOT NULL, at_ms INTEGER NOT NULL
        ) STRICT""",
        """CREATE TABLE archive_index (
            kind TEXT NOT NULL, bucket INTEGER NOT NULL, first INTEGER NOT NULL,
            entries BLOB NOT NULL, PRIMARY KEY (kind, bucket, first)
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE generations (
            generation INTEGER PRIMARY KEY, from_input INTEGER NOT NULL, at_ms INTEGER,
            settled INTEGER NOT NULL DEFAULT 0
        ) STRICT""",
        """CREATE TABLE floors (
            user_id TEXT NOT NULL, generation INTEGER NOT NULL, state BLOB NOT NULL,
            PRIMARY KEY (user_id, generation)
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE tombstones (
            digest TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, user_id TEXT,
            finished INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE changes (
            number INTEGER PRIMARY KEY, plan_id TEXT NOT NULL, input BLOB NOT NULL
        ) STRICT""",
        # Everybody was saved under the plan in force: it is as old as the database.
        """INSERT INTO changes
            SELECT 0, value, CAST(json_object('type', 'plan', 'plan_id', value) AS BLOB)
            FROM meta WHERE name = 'plan_id'""",
        "DELETE FROM meta WHERE name = 'plan_id'",
        _pack_states,
    ),
    2: (
        "ALTER TABLE outbox ADD COLUMN urgent INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE outbox ADD COLUMN dead_at_ms INTEGER",
        "ALTER TABLE outbox ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE outbox ADD COLUMN pending BLOB",
        "DROP INDEX outbox_of_channel",
        "CREATE INDEX outbox_waiting ON outbox (channel, urgent, number) WHERE dead IS NULL",
        """CREATE TABLE inbox (
            number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
            user_id TEXT NOT NULL, expires_at_ms INTEGER NOT NULL,
            read_at_ms INTEGER NOT NULL DEFAULT 0, clicked_at_ms INTEGER NOT NULL DEFAULT 0,
            dismissed_at_ms INTEGER NOT NULL DEFAULT 0, message BLOB NOT NULL
        ) STRICT""",
        "CREATE INDEX inbox_of_user ON inbox (user_id, number)",
        "CREATE INDEX inbox_by_age ON inbox (expires_at_ms)",
        """CREATE TABLE coupons (
            pool TEXT NOT NULL, code TEXT NOT NULL, number INTEGER NOT NULL,
            reading INTEGER NOT NULL, is_taken INTEGER NOT NULL, holder TEXT, at_ms INTEGER,
            PRIMARY KEY (pool, code)
        ) STRICT, WITHOUT ROWID""",
        "CREATE INDEX coupons_free ON coupons (pool, number) WHERE is_taken = 0",
        "CREATE UNIQUE INDEX coupons_held ON coupons (holder, pool) WHERE holder IS NOT NULL",
        """CREATE TABLE coupon_pools (
            pool TEXT PRIMARY KEY, digest TEXT NOT NULL, reading INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE tallies (
            campaign TEXT NOT NULL, hour INTEGER NOT NULL, counts BLOB NOT NULL,
            PRIMARY KEY (campaign, hour)
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE segment_sizes (
            segment TEXT NOT NULL, day INTEGER NOT NULL, users INTEGER NOT NULL,
            total INTEGER NOT NULL, PRIMARY KEY (segment, day)
        ) STRICT, WITHOUT ROWID""",
    ),
    3: (
        "ALTER TABLE outbox ADD COLUMN tried_at_ms INTEGER NOT NULL DEFAULT 0",
        """CREATE TABLE failing (
            channel TEXT NOT NULL, provider TEXT NOT NULL, since_ms INTEGER NOT NULL,
            PRIMARY KEY (channel, provider)
        ) STRICT, WITHOUT ROWID""",
    ),
}
"""By the schema that it starts from, what leads to the next."""

SCHEMA_VERSION: Final = 1 + max(STEPS)
"""The present schema: `user_version` of a database that this program reads and writes."""

_TOLD_EVERY_STEPS = 1_000_000
"""Of SQLite's virtual machine: some hundredths of a second."""


def migrate(
    connection: sqlite3.Connection, path: Path, version: int, on_progress: OnProgress | None = None
) -> None:
    """Bring a database of schema `version` to the present one, whole or not at all.

    O(what the steps touch). Raises StoreError where it cannot be done: the database is as it was.
    """
    told = on_progress or _tell_nobody
    try:
        connection.execute("BEGIN IMMEDIATE")
        while version < SCHEMA_VERSION:
            changes = STEPS[version]
            for place, change in enumerate(changes, start=1):
                where = f"schema {version} to {version + 1}: {place} of {len(changes)}"
                told(where)
                connection.set_progress_handler(_teller(told, where), _TOLD_EVERY_STEPS)
                if isinstance(change, str):
                    connection.execute(change)
                else:
                    change(connection)
            version += 1
            connection.execute(f"PRAGMA user_version = {version}")
        come_to("in-migration")
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise StoreError(
            f"{path} could not be brought from schema {version} to {version + 1}: {error}",
            hint="it is as it was: make room on its disk (as much again as it takes), and start "
            "again; or start the version that wrote it",
            code="store.migration",
        ) from error
    finally:
        connection.set_progress_handler(None, 0)
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _teller(told: OnProgress, where: str) -> Callable[[], int]:
    def go_on() -> int:
        told(where)
        return 0

    return go_on


def _tell_nobody(_where: str) -> None:
    pass
