"""The archive's index as it is built: gathered with each commit, written a segment at a time.

A segment is a page to write in each bucket, however short it is. So whose inputs and records a
commit holds is noted in memory, and goes into the transaction of a later one, once it is enough for
a segment; until then a look-up asks what is noted. What is not, since a process has just begun or a
transaction was rolled back, is read from the rows, a slice at a time. Commits note meanwhile, apart
from that: so it has an end that does not move away from it, however fast they come.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from engine.store import archive
from engine.store.archive import BUCKET_SHIFT, BUCKETS, PLACE_MASK, mark_of, marks_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from engine.store.archive import Kind
    from engine.store.batch import Batch
    from engine.store.writing import Written

SEGMENT_INPUTS: Final = 8_192
SEGMENT_ROWS: Final = 2_048
SEGMENT_RECORDS: Final = 1_024
"""What a segment holds at the least, of the journal so many inputs or so many rows of a few each;
and so what a look-up may have to scan where nothing is noted."""

SLICE_INPUTS: Final = 1_024
"""Inputs that a slice reads, and one journal row more."""

SLICE_BYTES_MAX: Final = 1 << 20
"""Bytes of inputs that a slice reads, and one journal row more."""


_NO_END: Final = (1 << 63) - 1


class _Whose(msgspec.Struct, gc=False):
    user_id: str = ""


_decode_whose = msgspec.json.Decoder(_Whose).decode_lines


_encode = msgspec.json.Encoder().encode


class Due(NamedTuple):
    """Segments as they are written (`writing.TAKEN_APART`).

    Attributes:
        entries: Those of all rows, one behind the other.
        entries_at: As JSON, of each row kind, bucket, first key, and where in `entries` its own
            begin, counted from 1, and how many bytes they are.
        indexed: As JSON, of each segment's kind the name in `meta`, and the key behind its rows.
    """

    entries: bytes
    entries_at: str
    indexed: str


NOTHING_DUE: Final = Due(b"", "[]", "[]")


class _Open:
    """A segment that is not written yet.

    Attributes:
        first: Key of its first row.
        behind: Key behind its last row, where the next is expected; 0: not known yet.
        rows: How many are noted.
        buckets: What is noted of them, by bucket.
    """

    __slots__ = ("behind", "buckets", "first", "rows")

    def __init__(self, behind: int = 0) -> None:
        self.first = self.behind = behind
        self.rows = 0
        self.buckets = [array("Q") for _ in range(BUCKETS)]

    def add(self, behind: int, rows: int, marks: Iterable[int]) -> None:
        """Note some rows up to the key `behind`. O(marks)."""
        buckets = self.buckets
        for mark in marks:
            buckets[mark >> BUCKET_SHIFT].append(mark)
        self.rows += rows
        self.behind = behind

    def find(self, user_id: str) -> list[int]:
        """Keys of rows that may be of somebody. O(one bucket)."""
        mark = mark_of(user_id)
        behind = mark | PLACE_MASK
        bucket = self.buckets[mark >> BUCKET_SHIFT]
        return [self.first + (one & PLACE_MASK) for one in bucket if mark <= one <= behind]

    def join(self, later: _Open) -> _Open:
        """Both as one, where no row lies between them. O(marks of the later one)."""
        if not self.rows:
            return later
        beyond = later.first - self.first
        for own, marks in zip(self.buckets, later.buckets, strict=True):
            own.extend([mark + beyond for mark in marks])
        self.rows += later.rows
        self.behind = later.behind
        return self

    def is_enough(self, kind: Kind) -> bool:
        """Whether it is to be written."""
        if kind == "records":
            return self.rows >= SEGMENT_RECORDS
        return self.rows >= SEGMENT_ROWS or self.behind - self.first >= SEGMENT_INPUTS


class Indexing:
    """Builds the index.

    Of one database, on its connection's thread. Whoever writes what is `due`, or calls `catch_up`,
    within a transaction calls `forget` where it is rolled back.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Gather anew, from the rows, what no segment holds."""
        self._open: dict[Kind, _Open] = {"journal": _Open(), "records": _Open()}
        self._apart: dict[Kind, _Open] = {}

    def note(self, connection: sqlite3.Connection, batch: Batch, written: Written) -> None:
        """A batch is durable: note whose inputs and records it has. O(their users).

        Where rows before it are not noted yet, `catch_up` will.
        """
        if batch.inputs_count:
            journal = self._opened_at(connection, "journal", batch.first_input)
            marks = marks_of(batch.user_ids, batch.first_input - journal.first)
            journal.add(batch.first_input + batch.inputs_count, 1, marks)
        if written.recorded:
            first = written.next_record - len(written.recorded)
            records = self._opened_at(connection, "records", first)
            places = enumerate(written.recorded, start=first - records.first)
            marks = [mark_of(user_id) | place for place, user_id in places]
            records.add(written.next_record, len(marks), marks)

    def places(
        self, connection: sqlite3.Connection, kind: Kind, *ids: str
    ) -> tuple[list[int], int]:
        """`archive.places`, which asks what is noted as well. O(one bucket of each segment)."""
        found, scanned_from = archive.places(connection, kind, *ids)
        noted = self._open[kind]
        if not noted.rows:
            return found, scanned_from
        own = {key for user_id in ids for key in noted.find(user_id)}
        return found + sorted(own), noted.behind

    def due(self) -> Due:
        """What is enough for a segment, to be written now. O(a segment)."""
        segments: list[tuple[Kind, _Open]] = []
        for kind, gathered in self._open.items():
            if gathered.is_enough(kind):
                segments.append((kind, gathered))
                self._open[kind] = _Open(gathered.behind)
        return _pack(segments) if segments else NOTHING_DUE

    def catch_up(self, connection: sqlite3.Connection) -> bool:
        """Note a slice of the rows that are not noted; whether there may be more.

        O(`SLICE_INPUTS`, and a segment).
        """
        more = [self._read_journal(connection), self._read_records(connection)]
        due = self.due()
        if due is not NOTHING_DUE:
            connection.execute("INSERT INTO segments VALUES (?, ?, ?)", due)
        return any(more)

    def _read_journal(self, connection: sqlite3.Connection) -> bool:
        gathered = self._opened(connection, "journal")
        begun, size = gathered.behind, 0
        rows = connection.execute(
            "SELECT first_input, inputs_count, inputs FROM journal "
            "WHERE first_input >= ? AND first_input < ? ORDER BY first_input",
            (begun, self._ends("journal")),
        )
        for first_input, inputs_count, inputs in rows:
            if not gathered.rows:
                gathered.first = first_input
            place = first_input - gathered.first
            user_ids = {whose.user_id for whose in _decode_whose(inputs)}
            marks = marks_of(user_ids, place)
            gathered.add(first_input + inputs_count, 1, marks)
            size += len(inputs)
            if gathered.behind - begun >= SLICE_INPUTS or size >= SLICE_BYTES_MAX:
                break
        else:
            self._join("journal")
        rows.close()
        return gathered.behind > begun

    def _read_records(self, connection: sqlite3.Connection) -> bool:
        gathered = self._opened(connection, "records")
        rows = connection.execute(
            "SELECT number, user_id FROM records WHERE number >= ? AND number < ? "
            "ORDER BY number LIMIT ?",
            (gathered.behind, self._ends("records"), SEGMENT_RECORDS),
        ).fetchall()
        if rows:
            if not gathered.rows:
                gathered.first = rows[0][0]
            marks = [mark_of(user_id) | number - gathered.first for number, user_id in rows]
            gathered.add(rows[-1][0] + 1, len(rows), marks)
        if len(rows) < SEGMENT_RECORDS:
            self._join("records")
        return bool(rows)

    def _opened(self, connection: sqlite3.Connection, kind: Kind) -> _Open:
        """What lies next to the last segment."""
        if not self._open[kind].behind:
            self._open[kind] = _Open(_indexed(connection, kind))
        return self._open[kind]

    def _opened_at(self, connection: sqlite3.Connection, kind: Kind, first: int) -> _Open:
        """What a row with this key goes on with; apart where rows before it are not noted."""
        opened = self._apart.get(kind) or self._opened(connection, kind)
        if opened.behind != first:
            opened = self._apart[kind] = _Open(first)
        return opened

    def _ends(self, kind: Kind) -> int:
        """Key of the first row that need not be read."""
        return self._apart[kind].first if kind in self._apart else _NO_END

    def _join(self, kind: Kind) -> None:
        """All rows before those noted apart are noted now."""
        if kind in self._apart:
            self._open[kind] = self._open[kind].join(self._apart.pop(kind))


def _indexed(connection: sqlite3.Connection, kind: Kind) -> int:
    """Key of the first row that no segment holds."""
    row = connection.execute(
        "SELECT value FROM meta WHERE name = ?", (f"indexed_{kind}",)
    ).fetchone()
    return int(row[0]) if row else 1


def _pack(segments: list[tuple[Kind, _Open]]) -> Due:
    parts: list[bytes] = []
    places: list[tuple[Kind, int, int, int, int]] = []
    begins = 1
    for kind, gathered in segments:
        for bucket, marks in enumerate(gathered.buckets):
            if marks or not bucket:  # the first bucket tells which segments there are
                part = marks.tobytes()
                places.append((kind, bucket, gathered.first, begins, len(part)))
                parts.append(part)
                begins += len(part)
    indexed = [(f"indexed_{kind}", gathered.behind) for kind, gathered in segments]
    return Due(b"".join(parts), _encode(places).decode(), _encode(indexed).decode())
