"""A journal with group commit and nothing behind it: what a durable answer costs without an engine.

Inputs that arrive while a transaction is being synced share the next one, as one row. The file,
its settings, the encoding and the hand-over to the writing thread are those of the real process.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from engine.core.inputs import encode_inputs
from engine.store.schema import WAL_KEPT_BYTES
from engine.store.worker import Thread

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Self

    from engine.core.inputs import Input, UserInput
    from engine.runtime.starting import Told
    from engine.store import QuarantineChange

_SET_UP = f"""
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA cache_size = -16384;
PRAGMA journal_size_limit = {WAL_KEPT_BYTES};
CREATE TABLE journal (
    first_input INTEGER PRIMARY KEY,
    inputs_count INTEGER NOT NULL,
    inputs BLOB NOT NULL
) STRICT;
"""


class GroupCommit:
    """Takes inputs as the engine's door does, and answers once they are on disk."""

    def __init__(self, thread: Thread) -> None:
        self._thread = thread
        self._next_input = 1
        self._open: list[Input] = []
        self._answer: asyncio.Future[None] | None = None
        self._committing: asyncio.Task[None] | None = None

    @classmethod
    async def begin(cls, path: Path) -> Self:
        """Make the database at `path`."""
        thread = Thread(path)
        await thread.begin()
        await thread.run(lambda connection: connection.executescript(_SET_UP))
        return cls(thread)

    async def submit(
        self,
        inputs: Sequence[UserInput],
        quarantined: Sequence[QuarantineChange] = (),
        size_bytes: int = 0,  # noqa: ARG002 - the door's form
        told: Told | None = None,
    ) -> None:
        """Return once the inputs are on disk."""
        assert not quarantined, "the load is sound"
        assert told is None, "it starts no campaigns"
        self._open += inputs
        if self._answer is None:
            self._answer = asyncio.get_running_loop().create_future()
        answer = self._answer
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit_all())
        await answer

    async def end(self) -> None:
        """Close the file."""
        if self._committing is not None:
            await self._committing
        await self._thread.end()

    async def _commit_all(self) -> None:
        while self._open:
            inputs, answer = self._open, self._answer
            self._open, self._answer = [], None
            row = (self._next_input, len(inputs), encode_inputs(inputs))
            self._next_input += len(inputs)
            await self._thread.run(partial(_write, row=row))
            assert answer is not None
            answer.set_result(None)
        self._committing = None


def _write(connection: sqlite3.Connection, row: tuple[int, int, bytes]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO journal VALUES (?, ?, ?)", row)
    connection.execute("COMMIT")
