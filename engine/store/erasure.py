"""Erasing a user from the database: every row that holds him, in slices, and the copies in pages.

A *tombstone* (hash of his id, instant) is durable before anything goes. While it still bears his id
the erasure is not finished, and the next start finishes it, before anybody is read. Every step may
be done again. Journal rows keep their number of inputs: his become `InputErased`, so that a replay
is the one of a process that never met him.

What is deleted is overwritten (`secure_delete`), but SQLite leaves copies behind in the unused part
of pages that it has split or merged: only writing the file anew (VACUUM) is sure to leave none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from engine.core import ids
from engine.core.inputs import InputErased
from engine.store import archive, coupons, user_log

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

SLICE_ROWS: Final = 64
SLICE_BYTES_MAX: Final = 2 << 20
"""Rows that a slice looks into; of the journal, their bytes, and one row more."""

_ROW_BYTES: Final = 64 << 10
"""What looking into a journal row counts for beside its size."""

_encode = msgspec.json.Encoder().encode
_ID_BITS_MAX: Final = 4_096
_decode_any = msgspec.json.Decoder().decode


class _Whose(msgspec.Struct):
    user_id: str = ""


class _Stamp(msgspec.Struct):
    at_ms: int = 0


_decode_whose = msgspec.msgpack.Decoder(_Whose).decode
_decode_stamp = msgspec.json.Decoder(_Stamp).decode


class Counts(msgspec.Struct):
    """What went: rows by table, and inputs taken out of journal rows."""

    inputs: int = 0
    records: int = 0
    messages: int = 0
    quarantined: int = 0
    states: int = 0


class Unfinished(msgspec.Struct, frozen=True):
    """An erasure that was begun: of whom, or "" where only the copies in pages are left."""

    digest: str
    user_id: str
    at_ms: int


class Backup(msgspec.Struct, frozen=True):
    """A backup that was made, and when."""

    path: str
    at_ms: int


def begin(connection: sqlite3.Connection, user_ids: tuple[str, ...], at_ms: int) -> None:
    """Put up a tombstone for each id; what happened before `at_ms` is not taken any more."""
    connection.executemany(
        "INSERT OR REPLACE INTO tombstones VALUES (?, ?, ?, 0)",
        [(ids.digest(user_id), at_ms, user_id) for user_id in user_ids],
    )


def unfinished(connection: sqlite3.Connection) -> list[Unfinished]:
    """Erasures to be finished, in order of time."""
    rows = connection.execute(
        "SELECT digest, ifnull(user_id, ''), at_ms FROM tombstones WHERE finished = 0 "
        "ORDER BY at_ms"
    )
    return [Unfinished(*row) for row in rows]


def tombstones(connection: sqlite3.Connection) -> dict[str, int]:
    """When whom was erased: digest of the id to instant."""
    return dict(connection.execute("SELECT digest, at_ms FROM tombstones"))


def forget_ids(connection: sqlite3.Connection, digests: Sequence[str], at_ms: int) -> None:
    """All rows are gone: the tombstones are hashes from here on."""
    connection.executemany(
        "UPDATE tombstones SET user_id = NULL, at_ms = max(at_ms, ?) WHERE digest = ?",
        [(at_ms, digest) for digest in digests],
    )


def finish(connection: sqlite3.Connection, digests: Sequence[str]) -> None:
    """Nothing is left to be done."""
    connection.executemany(
        "UPDATE tombstones SET finished = 1 WHERE digest = ?", [(digest,) for digest in digests]
    )


def message_ids(connection: sqlite3.Connection, user_id: str) -> list[str]:
    """Of all messages to an id in the outbox. O(outbox)."""
    rows = connection.execute("SELECT id FROM outbox WHERE user_id = ?", (user_id,))
    return [row[0] for row in rows]


def last_at_ms(connection: sqlite3.Connection) -> int:
    """The newest stamp known; 0 for a new database."""
    row = connection.execute("SELECT value FROM meta WHERE name = 'last_at_ms'").fetchone()
    return int(row[0]) if row else 0


def backups(connection: sqlite3.Connection) -> list[Backup]:
    """Every backup that was made, oldest first."""
    rows = connection.execute("SELECT path, at_ms FROM backups ORDER BY number")
    return [Backup(*row) for row in rows]


def compact(connection: sqlite3.Connection, size_max: int | None) -> bool:
    """Write the file anew, so that no page holds a copy of what went; whether it was done.

    Outside of a transaction. Not done above `size_max` bytes: everything waits for it. Else, O(size
    of the file), twice its room on the disk. The write-ahead log is emptied in any case.
    """
    (size,) = connection.execute(
        "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
    ).fetchone()
    small = size_max is None or size <= size_max
    if small:
        connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return small


class Erasure:
    """The rows of one user, of all his ids, a slice at a time, each within a transaction.

    The user log is the first: a generation of floors that begins later finds him in no log. One
    that began before, be it while the log was gone through, is told then to `forget` him.

    Attributes:
        counts: What has gone so far.
    """

    def __init__(self, *user_ids: str, forget: Callable[..., None]) -> None:
        self.counts = Counts()
        self._ids = user_ids
        self._forget = forget
        self._steps: list[Callable[[sqlite3.Connection], bool]] = [
            self._log, self._states, self._coupons, self._messages, self._inbox,
            self._records, self._quarantine, self._journal,
        ]  # fmt: skip
        self._after = 0
        self._in_records = archive.Walk("records", *user_ids)
        self._in_journal = archive.Walk("journal", *user_ids)

    def go_on(self, connection: sqlite3.Connection) -> bool:
        """Do the next slice; False behind the last. O(`SLICE_ROWS`), and the index's look-up."""
        if not self._steps:
            return False
        if not self._steps[0](connection):
            del self._steps[0]
            self._after = 0
        return True

    def _states(self, connection: sqlite3.Connection) -> bool:
        self._forget(*self._ids)
        for user_id in self._ids:
            for table in ("users", "floors"):
                gone = connection.execute(f"DELETE FROM {table} WHERE user_id = ?", (user_id,))  # noqa: S608 - one of two names
                self.counts.states += gone.rowcount
        return False

    def _coupons(self, connection: sqlite3.Connection) -> bool:
        coupons.forget(connection, self._ids)
        return False

    def _log(self, connection: sqlite3.Connection) -> bool:
        rows = connection.execute(
            "SELECT batch, states FROM user_log WHERE batch > ? ORDER BY batch LIMIT ?",
            (self._after, SLICE_ROWS),
        ).fetchall()
        needles = [user_id.encode() for user_id in self._ids]
        for batch, states in rows:
            self._after = batch
            if not any(needle in states for needle in needles):
                continue
            kept = [
                state
                for state in user_log.unpack(states)
                if _decode_whose(state).user_id not in self._ids
            ]
            connection.execute(
                "UPDATE user_log SET states = ? WHERE batch = ?", (user_log.pack(kept), batch)
            )
        return bool(rows)

    def _messages(self, connection: sqlite3.Connection) -> bool:
        gone = 0
        for user_id in self._ids:
            gone += connection.execute(
                "DELETE FROM outbox WHERE number IN "
                "(SELECT number FROM outbox WHERE user_id = ? LIMIT ?)",
                (user_id, SLICE_ROWS),
            ).rowcount
        self.counts.messages += gone
        return gone > 0

    def _inbox(self, connection: sqlite3.Connection) -> bool:
        for user_id in self._ids:
            gone = connection.execute("DELETE FROM inbox WHERE user_id = ?", (user_id,))
            self.counts.messages += gone.rowcount
        return False

    def _records(self, connection: sqlite3.Connection) -> bool:
        keys = self._in_records.next_keys(connection, SLICE_ROWS)
        for key in keys:
            row = connection.execute(
                "SELECT user_id FROM records WHERE number = ?", (key,)
            ).fetchone()
            if row is not None and row[0] in self._ids:
                connection.execute("DELETE FROM records WHERE number = ?", (key,))
                self.counts.records += 1
        return bool(keys)

    def _quarantine(self, connection: sqlite3.Connection) -> bool:
        rows = connection.execute(
            "SELECT number, body FROM quarantine WHERE number > ? ORDER BY number LIMIT ?",
            (self._after, SLICE_ROWS),
        ).fetchall()
        for number, body in rows:
            self._after = number
            if any(names(body, user_id) for user_id in self._ids):
                connection.execute("DELETE FROM quarantine WHERE number = ?", (number,))
                self.counts.quarantined += 1
        return bool(rows)

    def _journal(self, connection: sqlite3.Connection) -> bool:
        size = 0
        while size < SLICE_BYTES_MAX:
            keys = self._in_journal.next_keys(connection, 1)
            if not keys:
                return False
            size += self._take_out(connection, keys[0])
        return True

    def _take_out(self, connection: sqlite3.Connection, key: int) -> int:
        """His inputs, of one row; the row's bytes."""
        row = connection.execute(
            "SELECT inputs FROM journal WHERE first_input = ?", (key,)
        ).fetchone()
        if row is None:
            return 0
        found = dict(archive.lines_of(row[0], *self._ids))
        if found:
            lines = archive.split(row[0])
            for place, line in found.items():
                lines[place] = _encode(InputErased(_decode_stamp(line).at_ms))
            connection.execute(
                "UPDATE journal SET inputs = ? WHERE first_input = ?",
                (b"\n".join(lines) + b"\n", key),
            )
            self.counts.inputs += len(found)
        return _ROW_BYTES + len(row[0])


def names(body: bytes, user_id: str) -> bool:
    """Whether a quarantined item names a user: as any value in it, or in what is no JSON.

    Total: what lies there is what could not be read, whatever a client sent. O(size).
    """
    try:
        return _holds(_decode_any(body), user_id)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return user_id.encode() in body or _encode(user_id)[1:-1] in body


def _holds(value: Any, user_id: str) -> bool:  # noqa: ANN401 - any JSON value
    left = [value]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            left += value.values()
        elif isinstance(value, list):
            left += value
        elif not isinstance(value, bool) and _written(value) == user_id:
            return True
    return False


def _written(value: Any) -> str:  # noqa: ANN401 - as above
    # Python refuses to write out thousands of digits; nobody's id has more than a few hundred.
    too_long = isinstance(value, int) and value.bit_length() > _ID_BITS_MAX
    return "" if too_long else str(value)
