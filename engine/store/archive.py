"""The archive: what is kept below the replay cut, and what finds a user in it.

Journal rows hold the inputs of a whole commit, and records stand in order of time: neither is kept
by user, since that would be a page to write for each. What finds a user is an index, written by
commits (`indexing`), a *segment* at a time: some thousand inputs, as (hash of the user's id, place)
in `BUCKETS` rows by the hash's first bits. A bucket's rows lie side by side, so that a look-up
reads a few pages however long the archive is; what no segment holds yet is scanned, but for what
the process that writes has noted of it.

A hash has 32 bits: it says which rows are worth reading, and nothing of a user that is gone.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec
from xxhash import xxh3_64_intdigest as hash_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator
    from typing import Protocol

    class Places(Protocol):
        """`places`, or one that knows of more than the segments."""

        def __call__(
            self, connection: sqlite3.Connection, kind: Kind, *ids: str
        ) -> tuple[list[int], int]:
            """Keys of rows, in order; and from which on all are to be read."""
            ...


Kind: TypeAlias = Literal["journal", "records"]

BUCKETS: Final = 32
BUCKET_SHIFT: Final = 64 - 5
PLACE_MASK: Final = (1 << 32) - 1
"""The lower half of an entry, which is its place; the upper one is the hash."""

_MARK_MASK: Final = PLACE_MASK << 32

_KEYS: Final[dict[Kind, tuple[str, str]]] = {
    "journal": ("journal", "first_input"),
    "records": ("records", "number"),
}


class _Whose(msgspec.Struct):
    user_id: str = ""


_decode_whose = msgspec.json.Decoder(_Whose).decode_lines
_decode_raw = msgspec.json.Decoder(msgspec.Raw).decode_lines


def drop_below(connection: sqlite3.Connection) -> bool:
    """Drop the oldest segment of each kind of which nothing is left; whether one was dropped."""
    dropped = False
    for kind, oldest in (
        ("journal", "SELECT min(first_input) FROM journal"),
        ("records", "SELECT min(number) FROM records"),
    ):
        firsts = connection.execute(
            "SELECT first FROM archive_index WHERE kind = ? AND bucket = 0 ORDER BY first LIMIT 2",
            (kind,),
        ).fetchall()
        (left,) = connection.execute(oldest).fetchone()
        if len(firsts) > 1 and (left is None or firsts[1][0] <= left):
            connection.executemany(
                "DELETE FROM archive_index WHERE kind = ? AND bucket = ? AND first = ?",
                [(kind, bucket, firsts[0][0]) for bucket in range(BUCKETS)],
            )
            dropped = True
    return dropped


def places(connection: sqlite3.Connection, kind: Kind, *ids: str) -> tuple[list[int], int]:
    """Keys of rows that may be of any of these, in order; and from which on all are to be read.

    O(one bucket of each segment), for each id.
    """
    found: set[int] = set()
    for mark in map(mark_of, ids):
        for first, entries in connection.execute(
            "SELECT first, entries FROM archive_index WHERE kind = ? AND bucket = ? ORDER BY first",
            (kind, mark >> BUCKET_SHIFT),
        ):
            segment = array("Q")
            segment.frombytes(entries)
            behind = mark | PLACE_MASK
            found.update([first + (one & PLACE_MASK) for one in segment if mark <= one <= behind])
    row = connection.execute(
        "SELECT value FROM meta WHERE name = ?", (f"indexed_{kind}",)
    ).fetchone()
    scanned_from = int(row[0]) if row else 1
    return sorted(found), scanned_from


class Walk:
    """The rows that may hold something of a user, by any of his ids, oldest first, some at a time.

    Ends with the newest row that there was at the first step. `asked` is who knows the rows.

    Attributes:
        is_done: Whether there are no more: each step waits for a commit to end, also the last.
    """

    def __init__(self, kind: Kind, *ids: str, asked: Places = places) -> None:
        self.is_done = False
        self._asked = asked
        self._kind: Kind = kind
        self._ids = ids
        self._found: list[int] | None = None
        self._scanned_from = self._last = self._after = 0

    def next_keys(self, connection: sqlite3.Connection, count: int) -> list[int]:
        """Keys of the next rows; [] behind the last. O(count), at first that of `places`."""
        table, key = _KEYS[self._kind]
        if self._found is None:
            self._found, self._scanned_from = self._asked(connection, self._kind, *self._ids)
            self._found.reverse()
            (self._last,) = connection.execute(
                f"SELECT ifnull(max({key}), 0) FROM {table}"  # noqa: S608 - names of ours
            ).fetchone()
        chosen: list[int] = []
        while self._found and len(chosen) < count:
            chosen.append(self._found.pop())
        if not chosen:
            rows = connection.execute(
                f"SELECT {key} FROM {table} WHERE {key} >= ? AND {key} <= ? "  # noqa: S608 - names of ours
                f"ORDER BY {key} LIMIT ?",
                (max(self._after + 1, self._scanned_from), self._last, count),
            )
            chosen = [row[0] for row in rows]
            self.is_done = len(chosen) < count
        if chosen:
            self._after = chosen[-1]
        if not self._found and max(self._after + 1, self._scanned_from) > self._last:
            self.is_done = True
        return chosen


def next_record(connection: sqlite3.Connection) -> int:
    """The number that the next record gets. O(1).

    Never one that was given before: the index has it, though the record may be gone.
    """
    (number,) = connection.execute(
        "SELECT max(ifnull((SELECT max(number) + 1 FROM records), 1), "
        "ifnull((SELECT max(value) FROM meta WHERE name IN ('next_record', 'indexed_records')), 1))"
    ).fetchone()
    return int(number)


def has_erased(connection: sqlite3.Connection) -> bool:
    """Whether anybody was erased: what is counted of him has no records then. O(1)."""
    return connection.execute("SELECT 1 FROM tombstones LIMIT 1").fetchone() is not None


def lines_of(inputs: bytes, *ids: str) -> Iterator[tuple[int, bytes]]:
    """(place in the row, line) of the inputs of a user with these ids. O(size of the row * ids)."""
    needles = [b'"user_id":' + msgspec.json.encode(user_id) for user_id in ids]
    needles = [needle for needle in needles if needle in inputs]
    if not needles:
        return
    for place, line in enumerate(split(inputs)):
        # Properties may say the same of somebody else.
        if any(needle in line for needle in needles) and _decode_whose(line)[0].user_id in ids:
            yield place, line


def split(inputs: bytes) -> list[bytes]:
    """The inputs of a row, one each: what a client sent may have line feeds of its own."""
    return [bytes(line) for line in _decode_raw(inputs)]


def mark_of(user_id: str) -> int:
    """The first 32 bits of the id's hash, in front of room for a place."""
    return hash_of(user_id.encode("utf-8", "surrogatepass")) & _MARK_MASK


def marks_of(user_ids: Iterable[str], place: int) -> list[int]:
    """The marks of many at one place, without a call each: a commit has hundreds. O(ids)."""
    try:  # what is said by name takes thrice as long
        return [hash_of(one.encode()) & _MARK_MASK | place for one in user_ids]
    except UnicodeEncodeError:
        return [mark_of(one) | place for one in user_ids]
