"""The database's tables, their version, and what is refused at the door.

`user_version` counts schema changes; a database newer than the program is never opened.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from engine.errors import StoreError
from engine.store.migrations import SCHEMA_VERSION, migrate
from engine.store.soundness import check, unusable, was_cut_short
from engine.store.writing import TAKEN_APART

if TYPE_CHECKING:
    from pathlib import Path

    from engine.store.migrations import OnProgress

APPLICATION_ID = 0x48525350
"""`HRSP`: SQLite's own mark of whose file this is."""

WAL_KEPT_BYTES = 16 << 20
"""What a large commit leaves of the write-ahead log's file, once it was checkpointed."""

CACHE_KIB = 4 << 10
"""Pages that SQLite holds for the connection that writes. Four times as many are no faster, with
150,000 users' rows written at random: what is not held is read out of the system's own cache."""

_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
-- One row a commit. Hashes stand before inputs, so that reading them alone skips the inputs' pages.
CREATE TABLE journal (
    first_input INTEGER PRIMARY KEY,
    inputs_count INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    hashes BLOB NOT NULL,
    inputs BLOB NOT NULL
) STRICT;
-- Each as of a batch; the user log may have a newer state.
CREATE TABLE users (
    user_id TEXT PRIMARY KEY,
    state BLOB NOT NULL,
    batch INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE TABLE user_log (batch INTEGER PRIMARY KEY, states BLOB NOT NULL) STRICT;
CREATE TABLE outbox (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    user_id TEXT NOT NULL,
    channel TEXT NOT NULL,
    message BLOB NOT NULL,
    snapshot BLOB NOT NULL,
    rendered BLOB,
    dead TEXT,
    -- Transactional messages go before the others.
    urgent INTEGER NOT NULL DEFAULT 0,
    -- Of a dead letter: since when, and what its user knew of it.
    dead_at_ms INTEGER,
    -- How many failed, and when the first of them was made; 0: none.
    attempts INTEGER NOT NULL DEFAULT 0,
    pending BLOB,
    tried_at_ms INTEGER NOT NULL DEFAULT 0
) STRICT;
-- Providers that are down, since when.
CREATE TABLE failing (
    channel TEXT NOT NULL,
    provider TEXT NOT NULL,
    since_ms INTEGER NOT NULL,
    PRIMARY KEY (channel, provider)
) STRICT, WITHOUT ROWID;
CREATE INDEX outbox_waiting ON outbox (channel, urgent, number) WHERE dead IS NULL;
CREATE TABLE records (
    number INTEGER PRIMARY KEY,
    user_id TEXT NOT NULL,
    campaign TEXT NOT NULL,
    record BLOB NOT NULL
) STRICT;
CREATE TABLE plans (plan_id TEXT PRIMARY KEY, content BLOB NOT NULL) STRICT, WITHOUT ROWID;
-- Inputs that users take on one by one: plan_id is '' for those that bring no plan.
CREATE TABLE changes (
    number INTEGER PRIMARY KEY,
    plan_id TEXT NOT NULL,
    input BLOB NOT NULL
) STRICT;
CREATE TABLE quarantine (
    number INTEGER PRIMARY KEY,
    received_at_ms INTEGER NOT NULL,
    source TEXT NOT NULL,
    path TEXT NOT NULL,
    reason TEXT NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX dead_letters ON outbox (number) WHERE dead IS NOT NULL;
-- In-app messages, until they are too old or too many: see `inbox`.
CREATE TABLE inbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    user_id TEXT NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    read_at_ms INTEGER NOT NULL DEFAULT 0,
    clicked_at_ms INTEGER NOT NULL DEFAULT 0,
    dismissed_at_ms INTEGER NOT NULL DEFAULT 0,
    message BLOB NOT NULL
) STRICT;
CREATE INDEX inbox_of_user ON inbox (user_id, number);
CREATE INDEX inbox_by_age ON inbox (expires_at_ms);
-- Backups that were made, so that erasing a user can name those that still hold him.
CREATE TABLE backups (
    number INTEGER PRIMARY KEY,
    path TEXT NOT NULL,
    at_ms INTEGER NOT NULL
) STRICT;
-- What finds a user in journal and records: see `archive`.
CREATE TABLE archive_index (
    kind TEXT NOT NULL,
    bucket INTEGER NOT NULL,
    first INTEGER NOT NULL,
    entries BLOB NOT NULL,
    PRIMARY KEY (kind, bucket, first)
) STRICT, WITHOUT ROWID;
-- What the archive is replayed from: see `floors`. Without `at_ms` a generation is not complete.
-- `settled` is the change of the plan that everybody was saved under as it began.
CREATE TABLE generations (
    generation INTEGER PRIMARY KEY,
    from_input INTEGER NOT NULL,
    at_ms INTEGER,
    settled INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE floors (
    user_id TEXT NOT NULL,
    generation INTEGER NOT NULL,
    state BLOB NOT NULL,
    PRIMARY KEY (user_id, generation)
) STRICT, WITHOUT ROWID;
-- Codes of the shop's pools; `number` is their order, `holder` whose they are.
CREATE TABLE coupons (
    pool TEXT NOT NULL,
    code TEXT NOT NULL,
    number INTEGER NOT NULL,
    reading INTEGER NOT NULL,
    is_taken INTEGER NOT NULL,
    holder TEXT,
    at_ms INTEGER,
    PRIMARY KEY (pool, code)
) STRICT, WITHOUT ROWID;
CREATE INDEX coupons_free ON coupons (pool, number) WHERE is_taken = 0;
CREATE UNIQUE INDEX coupons_held ON coupons (holder, pool) WHERE holder IS NOT NULL;
CREATE TABLE coupon_pools (
    pool TEXT PRIMARY KEY,
    digest TEXT NOT NULL,
    reading INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- What campaigns did, counted: in all (`hour` is -1), and by hours since 1970.
CREATE TABLE tallies (
    campaign TEXT NOT NULL,
    hour INTEGER NOT NULL,
    counts BLOB NOT NULL,
    PRIMARY KEY (campaign, hour)
) STRICT, WITHOUT ROWID;
-- How many users were in each segment, and in all, by days since 1970.
CREATE TABLE segment_sizes (
    segment TEXT NOT NULL,
    day INTEGER NOT NULL,
    users INTEGER NOT NULL,
    total INTEGER NOT NULL,
    PRIMARY KEY (segment, day)
) STRICT, WITHOUT ROWID;
-- Whom was erased; the id itself only while that is not finished.
CREATE TABLE tombstones (
    digest TEXT PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    user_id TEXT,
    finished INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""


def prepare(
    connection: sqlite3.Connection, path: Path, sync: str, on_progress: OnProgress | None = None
) -> None:
    """Set the connection up, check whose database it is, and have its tables in the present schema.

    `on_progress` is told where a migration is. Raises StoreError for a foreign, newer, read-only
    or corrupt database, and for one that cannot be brought to the present schema.
    """
    cut_short = was_cut_short(path)
    try:
        connection.execute("PRAGMA busy_timeout = 2000")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        _check_owner(path, version, application, tables)
        if cut_short:
            check(connection, path, each_synced=sync == "full")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if sync == 'full' else 'NORMAL'}")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        if not tables:
            connection.executescript(
                f"BEGIN IMMEDIATE; {_TABLES} PRAGMA application_id = {APPLICATION_ID};"
                f"PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
            )
        elif version < SCHEMA_VERSION:
            migrate(connection, path, version, on_progress)
        connection.execute(f"PRAGMA journal_size_limit = {WAL_KEPT_BYTES}")
        connection.executescript(TAKEN_APART)
        # Writes nothing, but asks to: BEGIN IMMEDIATE alone is granted on a read-only file. What
        # cannot be written is refused here, not at the first commit.
        connection.execute("DELETE FROM meta WHERE 0")
    except sqlite3.DatabaseError as error:
        raise unusable(path, error) from error


def _check_owner(path: Path, version: int, application: int, tables: int) -> None:
    if tables and application != APPLICATION_ID:
        raise StoreError(
            f"{path} is a database of another program",
            hint="give another folder with --data, or another [storage] file",
            code="store.foreign",
        )
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path} was written by a newer version (its schema is {version}, "
            f"this program knows {SCHEMA_VERSION})",
            hint="start the newer version of hairspring, or restore a backup made by this one",
            code="store.newer",
        )
