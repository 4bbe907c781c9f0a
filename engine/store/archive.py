"""The archive: what is kept below the replay cut, and what finds a user in it.

Journal rows hold the inputs of a whole commit, and records stand in order of time: neither is kept
by user, since that would be a page to write for each. What finds a user is an index, built in the
background, a *segment* at a time: some thousand inputs, as (hash of the user's id, place) in
`BUCKETS` rows by the hash's first bits. A bucket's rows lie side by side, so that a look-up reads a
few pages however long the archive is; what no segment holds yet is scanned.

A hash has 32 bits: it says which rows are worth reading, and nothing of a user that is gone.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec
from xxhash import xxh3_64_intdigest

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator

Kind: TypeAlias = Literal["journal", "records"]

SEGMENT_ROWS: Final = 1_024
"""Inputs, or records, of a segment: two or three milliseconds, of which a commit waits for one."""

SEGMENT_BYTES_MAX: Final = 1 << 20
"""Bytes of inputs of a segment, and one journal row more."""

BUCKETS: Final = 32
_BUCKET_SHIFT: Final = 64 - 5
_PLACE_BITS: Final = 32
_PLACE_MASK: Final = (1 << _PLACE_BITS) - 1


_KEYS: Final[dict[Kind, tuple[str, str]]] = {
    "journal": ("journal", "first_input"),
    "records": ("records", "number"),
}


class _Whose(msgspec.Struct):
    user_id: str = ""


_decode_whose = msgspec.json.Decoder(_Whose).decode_lines
_decode_raw = msgspec.json.Decoder(msgspec.Raw).decode_lines


def index_some(connection: sqlite3.Connection) -> bool:
    """Index a segment of each kind, where there is enough for one; whether there may be more.

    Within a transaction. O(`SEGMENT_ROWS`), and one journal row more.
    """
    said = dict(connection.execute("SELECT name, value FROM meta WHERE name LIKE 'indexed_%'"))
    journal = _index_journal(connection, int(said.get("indexed_journal", 1)))
    records = _index_records(connection, int(said.get("indexed_records", 1)))
    return journal or records


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


def places(connection: sqlite3.Connection, kind: Kind, user_id: str) -> tuple[list[int], int]:
    """Keys of rows that may be a user's, in order; and the key from which on all are to be read.

    O(segments of one bucket).
    """
    mark = _mark(user_id)
    found: list[int] = []
    for first, entries in connection.execute(
        "SELECT first, entries FROM archive_index WHERE kind = ? AND bucket = ? ORDER BY first",
        (kind, mark >> _BUCKET_SHIFT),
    ):
        segment = array("Q")
        segment.frombytes(entries)
        place = bisect_left(segment, mark)
        while place < len(segment) and segment[place] <= mark | _PLACE_MASK:
            found.append(first + (segment[place] & _PLACE_MASK))
            place += 1
    row = connection.execute(
        "SELECT value FROM meta WHERE name = ?", (f"indexed_{kind}",)
    ).fetchone()
    scanned_from = int(row[0]) if row else 1
    # A record's number may have been given twice (`step_back`): in another segment, or in none yet.
    return sorted({key for key in found if key < scanned_from}), scanned_from


class Walk:
    """The rows that may hold something of a user, oldest first, some at a time.

    Ends with the newest row that there was at the first step.
    """

    def __init__(self, kind: Kind, user_id: str) -> None:
        self._kind: Kind = kind
        self._user_id = user_id
        self._found: list[int] | None = None
        self._scanned_from = self._last = self._after = 0

    def next_keys(self, connection: sqlite3.Connection, count: int) -> list[int]:
        """Keys of the next rows; [] behind the last. O(count), at first that of `places`."""
        table, key = _KEYS[self._kind]
        if self._found is None:
            self._found, self._scanned_from = places(connection, self._kind, self._user_id)
            self._found.reverse()
            (self._last,) = connection.execute(
                f"SELECT ifnull(max({key}), 0) FROM {table}"  # noqa: S608 - names of ours
            ).fetchone()
        chosen: list[int] = []
        while self._found and len(chosen) < count:
            chosen.append(self._found.pop())
        if not chosen:
            rows = connection.execute(
                f"SELECT {key} FROM {table} WHERE {key} > ? AND {key} >= ? AND {key} <= ? "  # noqa: S608 - names of ours
                f"ORDER BY {key} LIMIT ?",
                (self._after, self._scanned_from, self._last, count),
            )
            chosen = [row[0] for row in rows]
        if chosen:
            self._after = chosen[-1]
        return chosen


def step_back(connection: sqlite3.Connection) -> None:
    """After records were deleted: SQLite gives the number of the newest again, if it was. O(1)."""
    connection.execute(
        "UPDATE meta SET value = (SELECT ifnull(max(number), 0) + 1 FROM records) "
        "WHERE name = 'indexed_records' "
        "AND value > (SELECT ifnull(max(number), 0) + 1 FROM records)"
    )


def lines_of(inputs: bytes, user_id: str) -> Iterator[tuple[int, bytes]]:
    """(place in the row, line) of the inputs that are a user's. O(size of the row)."""
    needle = b'"user_id":' + msgspec.json.encode(user_id)
    if needle not in inputs:
        return
    for place, line in enumerate(split(inputs)):
        # Properties may say the same of somebody else.
        if needle in line and _decode_whose(line)[0].user_id == user_id:
            yield place, line


def split(inputs: bytes) -> list[bytes]:
    """The inputs of a row, one each: what a client sent may have line feeds of its own."""
    return [bytes(line) for line in _decode_raw(inputs)]


def _mark(user_id: str) -> int:
    """The first 32 bits of the id's hash, in front of room for a place."""
    return xxh3_64_intdigest(user_id.encode("utf-8", "surrogatepass")) & ~_PLACE_MASK


def _index_journal(connection: sqlite3.Connection, first: int) -> bool:
    row = connection.execute("SELECT value FROM meta WHERE name = 'next_input'").fetchone()
    if row is None or row[0] - first < SEGMENT_ROWS:
        return False
    marks: set[int] = set()
    size, start, behind = 0, -1, first
    rows = connection.execute(
        "SELECT first_input, inputs_count, inputs FROM journal WHERE first_input >= ? "
        "ORDER BY first_input",
        (first,),
    )
    for first_input, count, inputs in rows:
        start = first_input if start < 0 else start
        place = first_input - start
        ids = {whose.user_id for whose in _decode_whose(inputs)}
        marks.update(_mark(user_id) | place for user_id in ids)
        behind = first_input + count
        size += len(inputs)
        if behind - start >= SEGMENT_ROWS or size >= SEGMENT_BYTES_MAX:
            break
    rows.close()
    _write(connection, "journal", start if start >= 0 else first, sorted(marks), behind)
    return start >= 0


def _index_records(connection: sqlite3.Connection, first: int) -> bool:
    rows = connection.execute(
        "SELECT number, user_id FROM records WHERE number >= ? ORDER BY number LIMIT ?",
        (first, SEGMENT_ROWS),
    ).fetchall()
    if len(rows) < SEGMENT_ROWS:
        return False
    start = rows[0][0]
    marks = sorted(_mark(user_id) | (number - start) for number, user_id in rows)
    _write(connection, "records", start, marks, rows[-1][0] + 1)
    return True


def _write(
    connection: sqlite3.Connection, kind: Kind, first: int, marks: list[int], behind: int
) -> None:
    values: list[object] = []
    for bucket, entries in _buckets(marks):
        if entries or not bucket:  # the first bucket tells which segments there are
            values += (kind, bucket, first, entries)
    # One step for all: each step gives the interpreter's lock away and has to win it back.
    rows = ", ".join(["(?, ?, ?, ?)"] * (len(values) // 4))
    connection.execute(f"INSERT OR REPLACE INTO archive_index VALUES {rows}", values)  # noqa: S608 - marks alone
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (f"indexed_{kind}", behind))


def _buckets(marks: list[int]) -> Iterable[tuple[int, bytes]]:
    start = 0
    for bucket in range(BUCKETS):
        end = bisect_left(marks, (bucket + 1) << _BUCKET_SHIFT, start)
        yield bucket, array("Q", marks[start:end]).tobytes()
        start = end
