"""Records as a file: CSV (RFC 4180) for a spreadsheet, or JSON lines, as `simulate` writes them.

Each bears its number as `id`, by which a later export goes on behind an earlier one.
"""

from __future__ import annotations

import csv
import io
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import msgspec

from engine.core.effects import Record
from engine.core.reports.records import RecordLine, record_line, told
from engine.core.reports.tallies import told_variants
from engine.store import listing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from engine.store import Store

Form: TypeAlias = Literal["csv", "ndjson"]

NEVER_TOLD: Final = ("subject", "title", "body")
"""What a line has only of a dry run that renders."""

COLUMNS: Final = (
    "id",
    *[name for name in RecordLine.__struct_fields__ if name not in NEVER_TOLD],
)

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet compute a cell that begins with it."""

_decode = msgspec.json.Decoder(Record).decode


class Chosen(msgspec.Struct, frozen=True):
    """Which records.

    Attributes:
        campaign: Of which campaign; None: of all.
        kinds: Of which kinds; none: of all.
        after: Behind which number.
    """

    campaign: str | None = None
    kinds: tuple[str, ...] = ()
    after: int = 0


async def listed(store: Store, chosen: Chosen, form: Form) -> AsyncIterator[bytes]:
    """The file, in pieces: what there was as it began. O(records behind `after`), in slices."""
    oldest, newest = await store.read(listing.ends)
    if form == "csv":
        yield _csv([COLUMNS])
    after = max(chosen.after, oldest - 1)
    while after < newest:
        until = min(after + listing.STRETCH, newest)
        rows = await store.read(
            partial(listing.stretch, after=after, until=until, campaign=chosen.campaign)
        )
        records = [(number, _decode(raw)) for number, raw in rows]
        after = until
        if chosen.kinds:
            records = [one for one in records if one[1].kind in chosen.kinds]
        if records and form == "csv":
            yield _csv([_cells(number, record) for number, record in records])
        elif records:
            yield b"".join(
                b'{"id":"%d",' % number + record_line(record)[1:] for number, record in records
            )


def _csv(rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _cells(number: int, record: Record) -> list[str]:
    line = told(record)
    values: list[Any] = [getattr(line, name) for name in COLUMNS[1:]]
    values[COLUMNS.index("variants") - 1] = told_variants(record.variants)
    return [str(number), *map(_cell, values)]


def _cell(value: Any) -> str:  # noqa: ANN401 - of a record
    """As text that stays text: what clients send may be made to be computed by a spreadsheet."""
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return repr(value) if isinstance(value, float) or value else ""
