"""Recorded events as CSV (RFC 4180): a header, then one event a row.

Each field of an event is taken from the column of its own name, or the one that a map names;
further columns become properties. A cell that is a JSON number becomes a number, unless it has more
digits than a double holds (an article number, say); an empty cell is an absent property.
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, BinaryIO, Final

import msgspec

from engine.core.inputs import EMPTY
from engine.core.intake.items import Item, ItemInvalid, read_item
from engine.errors import HairspringError

if TYPE_CHECKING:
    from _csv import Reader as CsvReader
    from collections.abc import Iterator, Mapping

    from engine.core.inputs import UserInput
    from engine.sim.reading import Reading

REQUIRED: Final = ("user_id", "event", "timestamp")
OPTIONAL: Final = ("message_id", "received_at", "sent_at")
FIELDS: Final = REQUIRED + OPTIONAL
"""What a column can be mapped to; a required one must have its column."""

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?(?:[eE][+-]?[0-9]{1,2})?")
_DIGITS_MAX = 15
_encode = msgspec.json.Encoder().encode


class NotATable(HairspringError):  # noqa: N818 - the file is
    """A file that is no CSV, or lacks a column that it must have."""

    code = "events.table"


def read_table(file: BinaryIO, reading: Reading, columns: Mapping[str, str]) -> Iterator[UserInput]:
    """Every event, in the order of the file. O(size).

    Args:
        file: UTF-8; a byte order mark is passed over.
        reading: Tallies.
        columns: Field to column; a field that is not in it has the column of its own name.

    Raises:
        NotATable: There is no header, or a required column is not in it.
    """
    # What is not UTF-8 must not end the reading: it becomes half surrogates, which no item takes.
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        yield from _read_rows(csv.reader(text, strict=True), reading, columns)
    finally:
        text.detach()  # else it would close the file, which is not its own


def _read_rows(
    rows: CsvReader, reading: Reading, columns: Mapping[str, str]
) -> Iterator[UserInput]:
    header = _header(rows, columns)
    if header is None:
        return
    places, others, width = header
    while True:
        line = rows.line_num + 1
        try:
            row = next(rows)
            if row:
                happened = reading.judge(_read_row(row, places, others, width))
                reading.events += 1
                yield happened
        except StopIteration:
            return
        except csv.Error as error:
            reading.reject(line, ItemInvalid(f"no CSV: {error}"))
        except ItemInvalid as fault:
            reading.reject(line, fault)


def _header(
    rows: Iterator[list[str]], columns: Mapping[str, str]
) -> tuple[dict[str, int], dict[str, int], int] | None:
    """Where each field is, and each property, and how many cells; None for an empty file."""
    try:
        header = next(rows, None)
    except csv.Error as error:
        raise NotATable(f"no CSV: {error}") from error
    if header is None:
        return None
    names = {name.strip(): place for place, name in enumerate(header)}
    if len(names) < len(header):
        raise NotATable("the header names a column twice", hint="rename one of them")
    places = {}
    for field in FIELDS:
        column = columns.get(field, field)
        if column in names:
            places[field] = names[column]
        elif field in REQUIRED or field in columns:
            known = ", ".join(names)
            hint = f"name it: --map {field}=COLUMN; the columns are {known}"
            raise NotATable(f"there is no column {column!r} for {field}", hint=hint)
    wanted = [places[field] for field in REQUIRED]
    if len(set(wanted)) < len(wanted):
        hint = "give user_id, event and timestamp a column each: --map FIELD=COLUMN"
        raise NotATable("one column is mapped to two fields", hint=hint)
    taken = set(places.values())
    others = {name: place for name, place in names.items() if place not in taken}
    return places, others, len(header)


def _read_row(
    row: list[str], places: Mapping[str, int], others: Mapping[str, int], width: int
) -> UserInput:
    if len(row) != width:
        raise ItemInvalid(f"has {len(row)} cells, the header has {width}")
    said = {field: row[place] or None for field, place in places.items()}
    item = Item(
        user_id=said["user_id"],
        event=said["event"],
        timestamp=said["timestamp"],
        message_id=said.get("message_id"),
        received_at=said.get("received_at"),
        sent_at=said.get("sent_at"),
    )
    try:
        item.properties = _properties(row, others)
        for text in (item.user_id, item.event, item.message_id):
            if isinstance(text, str) and not text.isascii():
                text.encode()
    except UnicodeEncodeError:
        raise ItemInvalid("is not UTF-8", hint="save the file as UTF-8") from None
    return read_item(item)


def _properties(row: list[str], others: Mapping[str, int]) -> msgspec.Raw:
    known: dict[str, str | msgspec.Raw] = {}
    for name, place in others.items():
        cell = row[place]
        if cell:
            known[name] = msgspec.Raw(cell.encode()) if _is_number(cell) else cell
    return msgspec.Raw(_encode(known)) if known else EMPTY


def _is_number(cell: str) -> bool:
    if cell[-1] not in "0123456789" or _NUMBER.fullmatch(cell) is None:
        return False
    return sum(map(str.isdigit, cell)) <= _DIGITS_MAX
