"""What is let go of: what is older than it is kept, and what there is no room for.

Age goes a slice at a time, in transactions of their own between commits: a slice is bounded in rows
and in bytes, since SQLite visits each page that it frees. In-app messages that have expired go with
it, and dead letters beyond so many, or so large, once there may be a hundredth too much. Room in
the quarantine is made within the commit that fills it, oldest first, so that it costs about what
writing cost, and no burst is ahead of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from engine.store import plans
from engine.store.outbox import SIZE

if TYPE_CHECKING:
    import sqlite3

SLICE_ROWS_MAX = 100
"""Rows of one table that a slice takes, unless commits add more than that: users' records lie far
apart in their index, so that each is a page to write."""

SLICE_BYTES_MAX = 4 << 20
"""Bytes of inputs, of dead letters or of quarantined items that a slice takes, and one row more."""

QUARANTINE_ROWS_MAX = 10_000
QUARANTINE_BYTES_MAX = 64 << 20
"""Of all items as they came."""


class Quarantine(msgspec.Struct):
    """How full the quarantine is.

    Attributes:
        rows: Items in it.
        bytes: Their size, as they came.
        dropped: Items that others took the place of, since the start.
    """

    rows: int = 0
    bytes: int = 0
    dropped: int = 0


class LettersMax(msgspec.Struct, frozen=True):
    """Dead letters that are kept, and up to a hundredth more.

    Attributes:
        rows: How many.
        bytes: Of what they are made of, and of what they were rendered to.
    """

    rows: int = 100_000
    bytes: int = 1 << 30


class Letters(msgspec.Struct, frozen=True):
    """Dead letters and their bound.

    Attributes:
        most: Their bound.
        rows, bytes: What there is, or more: that a letter is retried or erased is not noted.
        goes_to: Letters up to this number go; 0: none do, as far as is known.
        dropped: Those that others took the place of, since the start.
    """

    most: LettersMax
    rows: int
    bytes: int = 0
    goes_to: int = 0
    dropped: int = 0

    @property
    def may_be_too_many(self) -> bool:
        """Whether to count them, which takes a while: when there may be a hundredth too much."""
        most = self.most
        return (
            self.rows >= most.rows + max(1, most.rows // 100)
            or self.bytes >= most.bytes + max(1, most.bytes // 100)
        )  # fmt: skip

    def and_more(self, rows: int, size: int) -> Letters:
        """With others."""
        return msgspec.structs.replace(self, rows=self.rows + rows, bytes=self.bytes + size)


def unknown_letters(most: LettersMax) -> Letters:
    """Those of a database that was just opened: they are counted first of all."""
    return Letters(most, rows=2 * most.rows + 1)


class _At(msgspec.Struct):
    at_ms: int


_decode_at = msgspec.json.Decoder(_At).decode


def measure(connection: sqlite3.Connection) -> Quarantine:
    """How full the quarantine is. O(its rows)."""
    rows, size = connection.execute(
        "SELECT count(*), ifnull(sum(length(body)), 0) FROM quarantine"
    ).fetchone()
    return Quarantine(rows, size)


def make_room(connection: sqlite3.Connection, before: Quarantine, sizes: list[int]) -> Quarantine:
    """After items of these sizes were added, drop the oldest where they are too many or too large.

    Returns how full it is now. O(what goes).
    """
    now = Quarantine(before.rows + len(sizes), before.bytes + sum(sizes), before.dropped)
    last = 0
    oldest_first = connection.execute("SELECT number, length(body) FROM quarantine ORDER BY number")
    while now.rows > QUARANTINE_ROWS_MAX or now.bytes > QUARANTINE_BYTES_MAX:
        last, size = oldest_first.fetchone()
        now.rows -= 1
        now.bytes -= size
        now.dropped += 1
    oldest_first.close()
    if last:
        connection.execute("DELETE FROM quarantine WHERE number <= ?", (last,))
    return now


def take_out(
    connection: sqlite3.Connection, before: Quarantine, numbers: list[tuple[int]]
) -> Quarantine:
    """Have items go that were taken after all; those that went meanwhile are no more. O(items)."""
    for number in numbers:
        row = connection.execute(
            "DELETE FROM quarantine WHERE number = ? RETURNING length(body)", number
        ).fetchone()
        if row is not None:
            before = Quarantine(before.rows - 1, before.bytes - row[0], before.dropped)
    return before


def prune(
    connection: sqlite3.Connection, before_ms: int, rows_max: int, quarantine: Quarantine
) -> tuple[bool, Quarantine]:
    """One slice of what lies before an instant; whether there is more, and how full that leaves it.

    Journal rows that no replay needs, records, dead letters and quarantined items, at most
    `rows_max` of each. O(what goes): each is read oldest first, up to the first that stays.
    """
    gone = {
        table: _choose(
            connection.execute(oldest_first, {"before_ms": before_ms}), before_ms, rows_max
        )
        for table, oldest_first in _OLDEST_FIRST.items()
    }
    for table, chosen in gone.items():
        if chosen:
            connection.executemany(_DELETE[table], [(key,) for key, _ in chosen])
    plans.let_go(connection)
    items = gone["quarantine"]
    left = Quarantine(
        quarantine.rows - len(items),
        quarantine.bytes - sum(size for _, size in items),
        quarantine.dropped,
    )
    return any(gone.values()), left


def prune_inboxes(connection: sqlite3.Connection, now_ms: int, rows_max: int) -> bool:
    """A slice of the in-app messages that have expired; whether any had. O(what goes)."""
    gone = _choose(connection.execute(_FIRST_TO_EXPIRE), now_ms, rows_max)
    connection.executemany("DELETE FROM inbox WHERE number = ?", [(key,) for key, _ in gone])
    return bool(gone)


def prune_letters(connection: sqlite3.Connection, before: Letters, rows_max: int) -> Letters:
    """A slice of the oldest dead letters beyond so many, or so large; how that leaves them.

    O(what goes), and O(letters) where there may be too many.
    """
    if not before.goes_to:
        if not before.may_be_too_many:
            return before
        before = _counted(connection, before)
    cursor = connection.execute(_OLDEST_LETTERS, (before.goes_to, rows_max))
    gone: list[tuple[int]] = []
    size = 0
    for number, of_one in cursor:
        if size >= SLICE_BYTES_MAX:
            break
        gone.append((number,))
        size += of_one
    cursor.close()
    connection.executemany(_DELETE["outbox"], gone)
    return msgspec.structs.replace(
        before,
        rows=before.rows - len(gone),
        bytes=before.bytes - size,
        goes_to=before.goes_to if gone else 0,
        dropped=before.dropped + len(gone),
    )


def _counted(connection: sqlite3.Connection, before: Letters) -> Letters:
    most = before.most
    rows, size = connection.execute(_LETTERS).fetchone()
    newest = None
    if rows > most.rows or size > most.bytes:
        newest = connection.execute(_NEWEST_THAT_GOES, (most.rows, most.bytes)).fetchone()
    goes_to = newest[0] if newest else 0
    return msgspec.structs.replace(before, rows=rows, bytes=size, goes_to=goes_to)


def _choose(rows: sqlite3.Cursor, before_ms: int, rows_max: int) -> list[tuple[int, int]]:
    """(key, bytes) of the first rows, as far as they are old enough and within a slice."""
    chosen: list[tuple[int, int]] = []
    total = 0
    for key, said, size in rows:
        at_ms = said if isinstance(said, int) else _decode_at(said).at_ms
        if at_ms >= before_ms or len(chosen) >= rows_max or total >= SLICE_BYTES_MAX:
            break
        chosen.append((key, size))
        total += size
    rows.close()
    return chosen


_FIRST_TO_EXPIRE: Final = (
    "SELECT number, expires_at_ms, length(message) FROM inbox ORDER BY expires_at_ms"
)
_LETTERS: Final = f"SELECT count(*), ifnull(sum({SIZE}), 0) FROM outbox WHERE dead IS NOT NULL"  # noqa: S608 - a constant
_NEWEST_THAT_GOES: Final = (
    "SELECT number FROM (SELECT number, row_number() OVER newest AS place, "  # noqa: S608 - a constant
    f"sum({SIZE}) OVER newest AS size FROM outbox WHERE dead IS NOT NULL "
    "WINDOW newest AS (ORDER BY number DESC ROWS UNBOUNDED PRECEDING)) "
    "WHERE place > ? OR size > ? ORDER BY number DESC LIMIT 1"
)
_OLDEST_LETTERS: Final = (
    f"SELECT number, {SIZE} FROM outbox WHERE dead IS NOT NULL AND number <= ? "  # noqa: S608 - a constant
    "ORDER BY number LIMIT ?"
)

_OLDEST_FIRST: Final = {
    # The row that a replay begins in stays, and so do those behind it; and a replay of the archive
    # begins at its floor. Both bound the key: a sum alone would be asked of every row that stays.
    "journal": "WITH floor (first) AS "
    "(SELECT max(from_input) FROM generations WHERE at_ms <= :before_ms) "
    "SELECT first_input, at_ms, length(inputs) FROM journal WHERE first_input < "
    "min((SELECT first FROM floor), (SELECT max(first_input) FROM journal WHERE first_input <= "
    "(SELECT value FROM meta WHERE name = 'replay_from'))) "
    "AND first_input + inputs_count <= (SELECT first FROM floor) ORDER BY first_input",
    "records": "SELECT number, record, length(record) FROM records ORDER BY number",
    "outbox": f"SELECT number, message, {SIZE} FROM outbox "  # noqa: S608 - a constant
    "WHERE dead IS NOT NULL ORDER BY number",
    "quarantine": "SELECT number, received_at_ms, length(body) FROM quarantine ORDER BY number",
}
"""Key, instant (a number, or JSON with `at_ms`) and size, of tables from which rows go by age."""

_DELETE: Final = {
    "journal": "DELETE FROM journal WHERE first_input = ?",
    "records": "DELETE FROM records WHERE number = ?",
    "outbox": "DELETE FROM outbox WHERE number = ?",
    "quarantine": "DELETE FROM quarantine WHERE number = ?",
}
