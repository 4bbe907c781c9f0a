"""Recorded events as NDJSON: one item a line, Segment's form or the native one."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from engine.core.intake.items import ItemInvalid, decode_item, read_item
from engine.core.intake.starts import TRIGGER, read_trigger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.core.inputs import UserInput
    from engine.sim.reading import Reading

LINE_BYTES_MAX = 1 << 20
"""A longer line is no event; live, 32 KiB is the most (`server.event_max`)."""

_BLOCK_BYTES = 1 << 18
BOM = b"\xef\xbb\xbf"
"""What some editors put at the start of a file in UTF-8."""


def read_ndjson(file: BinaryIO, reading: Reading) -> Iterator[UserInput]:
    """Every event, in the order of the file; empty lines are passed over. O(size)."""
    for number, line in enumerate(_lines(file), start=1):
        if line is None:
            hint = "one JSON object a line; an array is made into lines by: jq -c '.[]'"
            reading.reject(number, ItemInvalid(f"over {LINE_BYTES_MAX} bytes", hint=hint))
            continue
        if not line or line.isspace():
            continue
        try:
            item = decode_item(line)
            read = read_trigger(line) if item.type == TRIGGER else read_item(item)
            happened = reading.judge(read)
        except ItemInvalid as fault:
            reading.reject(number, fault)
            continue
        reading.events += 1
        yield happened


def _lines(file: BinaryIO) -> Iterator[bytes | None]:
    """Lines without their end; None for one that is too long, of which no more is kept."""
    rest = b""
    too_long = False
    block = file.read(_BLOCK_BYTES).removeprefix(BOM)
    while block:
        first, *more = block.split(b"\n")
        rest = b"" if too_long else rest + first
        if more:
            yield None if too_long or len(rest) > LINE_BYTES_MAX else rest
            rest = more.pop()
            too_long = False
            yield from more
        if len(rest) > LINE_BYTES_MAX:
            too_long = True
        block = file.read(_BLOCK_BYTES)
    if too_long:
        yield None
    elif rest:
        yield rest
