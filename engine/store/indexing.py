"""The archive's index as it is built: gathered a slice at a time, written a segment at a time.

A segment is a page to write in each bucket and a commit to sync, however short it is. So rows of
the journal are read some at a time, which writes nothing, and whose inputs they have is held until
there is enough for a segment; a restart reads them again. Records are few: they are read once they
fill one.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING, Final

import msgspec
from xxhash import xxh3_64_intdigest

from engine.store.archive import BUCKET_SHIFT, BUCKETS, PLACE_MASK

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator

    from engine.store.archive import Kind

SEGMENT_INPUTS: Final = 2_048
SEGMENT_RECORDS: Final = 1_024
"""What a segment holds at the least, and so what a look-up may have to scan."""

SLICE_INPUTS: Final = 1_024
"""Inputs that a slice reads, and one journal row more: two milliseconds, of which a commit waits
for one."""

SLICE_BYTES_MAX: Final = 1 << 20
"""Bytes of inputs that a slice reads, and one journal row more."""


class _Whose(msgspec.Struct, gc=False):
    user_id: str = ""


_decode_whose = msgspec.json.Decoder(_Whose).decode_lines


class Indexing:
    """Builds the index, a slice at a time.

    Of one database, on its connection's thread, each call within a transaction that is not rolled
    back without `forget`.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Gather the segment anew that is not written yet."""
        self._first = self._behind = 0
        self._marks: list[int] = []

    def work(self, connection: sqlite3.Connection) -> bool:
        """Do a slice; whether there may be more. O(`SLICE_INPUTS`, and a segment)."""
        indexed = self._index_journal(connection)
        return _index_records(connection) or indexed

    def _index_journal(self, connection: sqlite3.Connection) -> bool:
        begun = self._behind or _indexed(connection, "journal")
        self._behind = begun
        rows = connection.execute(
            "SELECT first_input, inputs_count, inputs FROM journal WHERE first_input >= ? "
            "ORDER BY first_input",
            (begun,),
        )
        size = 0
        for first_input, inputs_count, inputs in rows:
            if not self._marks:
                self._first = first_input
            user_ids = {whose.user_id for whose in _decode_whose(inputs)}
            self._marks += _marks(user_ids, first_input - self._first)
            self._behind = first_input + inputs_count
            size += len(inputs)
            if self._behind - begun >= SLICE_INPUTS or size >= SLICE_BYTES_MAX:
                break
        rows.close()
        if self._marks and self._behind - self._first >= SEGMENT_INPUTS:
            _write(connection, "journal", self._first, sorted(self._marks), self._behind)
            self._marks = []
        return self._behind > begun


def _index_records(connection: sqlite3.Connection) -> bool:
    first = _indexed(connection, "records")
    (newest,) = connection.execute("SELECT ifnull(max(number), 0) FROM records").fetchone()
    if newest - first + 1 < SEGMENT_RECORDS:
        return False  # without a look at those that there are
    rows = connection.execute(
        "SELECT number, user_id FROM records WHERE number >= ? ORDER BY number LIMIT ?",
        (first, SEGMENT_RECORDS),
    ).fetchall()
    start = rows[0][0]
    marks = [mark for number, user_id in rows for mark in _marks((user_id,), number - start)]
    _write(connection, "records", start, sorted(marks), rows[-1][0] + 1)
    return True


def _indexed(connection: sqlite3.Connection, kind: Kind) -> int:
    """Key of the first row that no segment holds."""
    row = connection.execute(
        "SELECT value FROM meta WHERE name = ?", (f"indexed_{kind}",)
    ).fetchone()
    return int(row[0]) if row else 1


def _marks(ids: Iterable[str], place: int) -> list[int]:
    """What is noted of these users at that place of a segment."""
    digest, mask = xxh3_64_intdigest, ~PLACE_MASK
    return [digest(user_id.encode()) & mask | place for user_id in ids]


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


def _buckets(marks: list[int]) -> Iterator[tuple[int, bytes]]:
    start = 0
    for bucket in range(BUCKETS):
        end = bisect_left(marks, (bucket + 1) << BUCKET_SHIFT, start)
        yield bucket, array("Q", marks[start:end]).tobytes()
        start = end
