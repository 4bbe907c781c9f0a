"""Files of recorded events: plain, gzip or standard input, read in blocks of bounded size."""

from __future__ import annotations

import gzip
import io
import os
import sys
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from engine.errors import HairspringError, UsageError
from engine.sim.exported import FIRST_BYTES, decode_lines, users_inputs
from engine.sim.ndjson import BOM, read_ndjson
from engine.sim.table import NotATable, read_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engine.core.inputs import UserInput
    from engine.sim.exported import Line
    from engine.sim.reading import Reading

STDIN = "-"
"""The path that means standard input."""

_GZIP_MAGIC = b"\x1f\x8b"
_BUFFER_BYTES = 1 << 16


class EventsUnreadable(HairspringError):  # noqa: N818 - the file is; nothing else failed
    """A file of events that is not there, is damaged, or holds no event."""

    code = "events.unreadable"


class Source:
    """An open file of events, gzip or not: its first bytes say which.

    Args:
        path: The file's name; one that ends in `.csv` or `.csv.gz` is CSV, any other NDJSON unless
            columns are mapped.
        raw: The open file.

    Attributes:
        size_bytes: Of the file as it lies on disk; None where that is not known (a pipe).
    """

    def __init__(self, path: str, raw: BinaryIO) -> None:
        self.path = path
        self.size_bytes = os.fstat(raw.fileno()).st_size if path != STDIN else None
        self._raw = raw
        buffered = io.BufferedReader(cast("io.RawIOBase", raw), _BUFFER_BYTES)
        self._file: BinaryIO = buffered
        if buffered.peek(2)[:2] == _GZIP_MAGIC:
            self._file = cast("BinaryIO", gzip.GzipFile(fileobj=buffered, mode="rb"))

    def position_bytes(self) -> int:
        """How much of it was read, in the measure of `size_bytes`; 0 where that is None."""
        return self._raw.tell() if self.size_bytes is not None else 0

    def is_journal(self, label: str) -> bool:
        """Whether it is a live run's exported journal. Asked before anything is read.

        Raises EventsUnreadable, under that label.
        """
        with _told_unreadable(label):
            begin: bytes = self._file.peek(len(FIRST_BYTES))  # type: ignore[attr-defined]
        return begin.startswith(FIRST_BYTES)

    def journal(self, label: str) -> Iterator[Line]:
        """The lines of such a journal, head first. Raises EventsUnreadable, JournalUnreadable."""
        with _told_unreadable(label):
            yield from decode_lines(self._file, label)

    def inputs(self, reading: Reading, columns: Mapping[str, str]) -> Iterator[UserInput]:
        """Every event in it, in the order of the file; what is none is told to `reading`.

        Args:
            reading: Tallies.
            columns: The column of each field that is not called so itself; where there are any, the
                file is CSV whatever its name.

        Raises:
            UsageError: Columns are mapped, and it is JSON.
            EventsUnreadable: The disk or the gzip stream fails half way, or a CSV lacks a column
                that it must have.
        """
        name = self.path.lower().removesuffix(".gz")
        with _told_unreadable(reading.label):
            if columns or name.endswith(".csv"):
                self._refuse_json(reading, columns)
                yield from read_table(self._file, reading, columns)
            elif self.is_journal(reading.label):
                yield from users_inputs(decode_lines(self._file, reading.label), reading)
            else:
                yield from read_ndjson(self._file, reading)

    def _refuse_json(self, reading: Reading, columns: Mapping[str, str]) -> None:
        """JSON read as CSV would only be told that it lacks columns."""
        begin = self._file.peek(_BUFFER_BYTES)  # type: ignore[attr-defined]
        if begin.removeprefix(BOM).lstrip()[:1] not in {b"{", b"["}:
            return
        if columns:
            told = f"--map names columns of a CSV, and {reading.label} is JSON"
            raise UsageError(told, hint="leave --map out: the fields of NDJSON have names")
        hint = "give it a name that does not end in .csv"
        raise EventsUnreadable(f"{reading.label} is JSON, and its name says CSV", hint=hint)


@contextmanager
def _told_unreadable(label: str) -> Iterator[None]:
    """What fails on the way is the file's fault, and says so."""
    try:
        yield
    except NotATable as fault:
        raise EventsUnreadable(f"{label}: {fault.message}", hint=fault.hint) from fault
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        hint = "copy or compress it again: a part of a file is not run"
        raise EventsUnreadable(f"{label} is no whole gzip file: {error}", hint=hint) from error
    except OSError as error:
        raise EventsUnreadable(f"{label} cannot be read: {error.strerror}") from error


@contextmanager
def open_events(path: str) -> Iterator[Source]:
    """Open a file of events, or standard input for `-`.

    Raises:
        EventsUnreadable: It cannot be opened.
    """
    if path == STDIN:
        if sys.stdin is None:  # the shell's `<&-`
            raise EventsUnreadable("standard input is closed", hint="give a file of events")
        yield Source(path, sys.stdin.buffer)
        return
    try:
        raw = Path(path).open("rb", buffering=0)  # noqa: SIM115 - closed below, where it is open
    except OSError as error:
        hint = "give a file of events, or - for standard input"
        raise EventsUnreadable(f"{path} cannot be opened: {error.strerror}", hint=hint) from error
    with raw:
        yield Source(path, cast("BinaryIO", raw))
