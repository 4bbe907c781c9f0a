"""A shop's archive, read while its process goes on: who there was, what came in, what came of it.

It begins with the first input where that is still kept, and else with everybody as he was saved at
the archive's lower edge.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from engine.core.effects import Record
from engine.core.inputs import decode_inputs
from engine.core.state import User, decode_user
from engine.errors import HairspringError
from engine.sim.exported import OfUsers, seen_by
from engine.store import journal
from engine.store.reading import Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Self

    from engine.core.inputs import UserInput
    from engine.runtime.errands import Archive

_decode_record = msgspec.json.Decoder(Record).decode


class NoArchive(HairspringError):  # noqa: N818 - as EventsUnreadable
    """There is nothing yet that could be run again."""

    code = "archive.none"


class Archived:
    """One archive, open. A context manager.

    Args:
        archive: Which, and what part.
        told: Called with (done, total) inputs.

    Attributes:
        exact_from_ms: What happened from this instant on is all there; 0: all that ever did.

    Raises StoreError, NoArchive.
    """

    def __init__(self, archive: Archive, told: Callable[[int, int], None]) -> None:
        self._archive = archive
        self._told = told
        self._reader = Reader(Path(archive.path))
        edge_ms = archive.until_ms - archive.keep_ms
        start = self._reader.read(partial(journal.beginning, before_ms=edge_ms))
        if start is None:
            hint = "wait until the process has made states to begin with, some minutes at most"
            raise NoArchive("there is no archive that can be run from its beginning", hint=hint)
        self._start = start
        self._seen: dict[str, int] = {}
        self.exact_from_ms = start.exact_from_ms

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._reader.__exit__(kind, error, at)

    def users(self) -> Iterator[User]:
        """Everybody as he was saved where it begins; nobody where it is whole. O(users)."""
        after = ""
        while floors := self._reader.read(
            partial(journal.floors, generation=self._start.generation, after=after)
        ):
            for _, state in floors:
                user = decode_user(state)
                self._seen |= seen_by([user])
                yield user
            after = floors[-1][0]

    def inputs(self) -> Iterator[UserInput]:
        """What users did and were called up to the part's end, each received when it was stamped.

        From the archive's beginning, whatever part is asked for: users must have a past. What
        `users` that were given had seen when they were saved, they have in them.
        """
        for number, inputs in self.rows(self._start.from_input):
            for place, happened in enumerate(decode_inputs(inputs), start=number):
                if place < self._start.from_input or not isinstance(happened, OfUsers):
                    continue
                if happened.at_ms > self._archive.until_ms:
                    return
                if place <= self._seen.get(happened.user_id, 0):
                    continue
                happened.received_at_ms = happened.at_ms
                yield happened

    def rows(self, from_input: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Journal rows as they are, (number of the first input, JSON lines).

        From the one that holds an input, or, of None, the part's first instant.
        """
        if from_input is None:
            first = self._reader.read(partial(journal.row_before, at_ms=self._archive.from_ms))
        else:
            first = self._reader.read(partial(journal.row_of, number=from_input))
        _, last = self._reader.read(journal.bounds)
        after = first - 1
        while rows := self._reader.read(partial(journal.inputs, after=after)):
            yield from rows
            after = rows[-1][0]
            self._told(after - first, max(last - first, after - first, 1))

    def records(self) -> Iterator[list[Record]]:
        """What came of it in the part that is asked for, some at a time."""
        from_ms, until_ms = self._archive.from_ms, self._archive.until_ms
        after = 0
        while rows := self._reader.read(partial(journal.records, after=after)):
            told = [_decode_record(record) for _, record in rows]
            yield [record for record in told if from_ms <= record.at_ms <= until_ms]
            after = rows[-1][0]
