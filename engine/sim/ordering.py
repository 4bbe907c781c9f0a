"""Puts inputs into the order in which they were received, within bounded memory.

Nothing can be applied before the last line is read, since it might have been received first. So
inputs are gathered into runs of bounded size, each sorted in memory (a stable sort, which for a run
that is in order already is one pass); what does not fit into one run goes to a temporary file, and
the runs are merged from there (external merge sort; Knuth, TAOCP 3, 5.4). Runs that follow one
another, as those of a recording do, are read one after the other.
"""

from __future__ import annotations

from heapq import merge
from itertools import chain, pairwise
from operator import attrgetter
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, BinaryIO, cast

import msgspec

from engine.core.inputs import (
    EventReceived,
    TriggerReceived,
    UserIdentified,
    decode_inputs,
    encode_inputs,
)
from engine.errors import HairspringError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from engine.core.inputs import UserInput

RUN_MAX = 250_000
"""Inputs that are held in memory at once; some 100 MB where they are small."""

RUN_BYTES_MAX = 128 << 20
"""Bytes of properties and traits that are held in memory at once."""

_BLOCK_BYTES = 1 << 18
_received_at_ms = attrgetter("received_at_ms")


class _Run(msgspec.Struct, frozen=True):
    """A sorted run in the temporary file: its place there, and its first and last instant."""

    start: int
    end: int
    first_at_ms: int
    last_at_ms: int


def in_order(
    inputs: Iterable[UserInput], *, run_max: int = RUN_MAX, run_bytes_max: int = RUN_BYTES_MAX
) -> Iterator[UserInput]:
    """All of them, earliest received first; those received at one instant as they came.

    O(n log n), and one pass for what is in order. Memory is that of one run, and of one block a
    run while they are merged. Raises HairspringError where the temporary folder is full.
    """
    held: list[UserInput] = []
    size_bytes = 0
    runs: list[_Run] = []
    with TemporaryFile(buffering=0) as file:  # else a full disk fails once more at its close
        for happened in inputs:
            held.append(happened)
            size_bytes += _size_bytes(happened)
            if len(held) >= run_max or size_bytes >= run_bytes_max:
                runs.append(_write(cast("BinaryIO", file), held))
                held = []
                size_bytes = 0
        if not runs:
            held.sort(key=_received_at_ms)
            held.reverse()
            while held:
                yield held.pop()  # what was applied is let go of
            return
        if held:
            runs.append(_write(cast("BinaryIO", file), held))
            held = []
        streams = [_read(cast("BinaryIO", file), run) for run in runs]
        if all(run.last_at_ms <= following.first_at_ms for run, following in pairwise(runs)):
            yield from chain.from_iterable(streams)
        else:
            yield from merge(*streams, key=_received_at_ms)


def _size_bytes(happened: UserInput) -> int:
    """What its properties or traits take; the rest of an input is small."""
    match happened:
        case EventReceived():
            return memoryview(happened.properties).nbytes
        case UserIdentified():
            return memoryview(happened.traits).nbytes
        case TriggerReceived():
            return memoryview(happened.content).nbytes
        case _:
            return 0


def _write(file: BinaryIO, held: list[UserInput]) -> _Run:
    held.sort(key=_received_at_ms)
    start = file.tell()
    try:
        rest = memoryview(encode_inputs(list(held)))
        while rest:
            rest = rest[file.write(rest) :]
    except OSError as error:
        raise HairspringError(
            f"no room to put the events into order: {error.strerror}",
            hint="set TMPDIR to a folder with as much room as the events take unpacked",
            code="events.order",
        ) from error
    return _Run(start, file.tell(), _received_at_ms(held[0]), _received_at_ms(held[-1]))


def _read(file: BinaryIO, run: _Run) -> Iterator[UserInput]:
    place = run.start
    rest = b""
    while place < run.end:
        # Other runs are read between two blocks, so the file is somewhere else by now.
        file.seek(place)
        block = file.read(min(_BLOCK_BYTES, run.end - place))
        place += len(block)
        lines, found, rest = (rest + block).rpartition(b"\n")
        if found:
            yield from cast("list[UserInput]", decode_inputs(lines))
