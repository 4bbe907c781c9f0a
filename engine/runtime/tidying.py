"""What is done to the file between commits: what is old goes, and the archive is kept in order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from engine.store import CommitFailed

if TYPE_CHECKING:
    from engine.runtime.processor import Processor
    from engine.store import Store

TIDY_EVERY = 64
"""Commits between two looks for what is older than it is kept."""


class Tidying:
    """Begins now and then, in slices that commits come between; one at a time.

    Attributes:
        task: What is under way, if anything is.
    """

    def __init__(self, processor: Processor, store: Store) -> None:
        self.task: asyncio.Task[None] | None = None
        self._processor = processor
        self._store = store
        # Commits index the archive once the rows before are; and what time it is is told by one.
        self._begin_at = processor.finished + 1

    def look_after(self) -> None:
        """Begin where it is time. Raises what the last one failed of for good (CommitFailed)."""
        if self.task is None:
            if self._processor.finished >= self._begin_at:
                self._begin_at = self._processor.finished + TIDY_EVERY
                self.task = asyncio.create_task(self._tidy())
        elif self.task.done():
            self.task.result()
            self.task = None

    async def _tidy(self) -> None:
        store = self._store
        try:
            # A clock that was wrong has nothing go before the commit that keeps a restart from
            # taking it for earlier.
            while await store.prune(store.committed_at_ms):
                pass
            while await store.keep_archive(store.committed_at_ms):
                pass
        except CommitFailed as error:
            if not error.again:
                raise  # what cannot be mended ends the work, as a commit's own would
