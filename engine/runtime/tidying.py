"""What is done to the file between commits: what is old goes, and the archive is kept in order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from engine.core.state import NEVER
from engine.store import CommitFailed

if TYPE_CHECKING:
    from engine.runtime.processor import Processor
    from engine.store import Store

TIDY_EVERY = 64
"""Commits between two looks for what is older than it is kept."""

TIDY_EVERY_MS: Final = 3_600_000
"""Logical time between two of them, where there are fewer commits than that."""


class Tidying:
    """Begins now and then, in slices that commits come between; one at a time.

    Time is taken from commits alone: whoever looks by a clock that no commit knows of lets go of
    what a restart, by a clock that was set right, would have kept. So where nothing is committed
    for long, the shell commits what there is, be it nothing, because this `wants_commit`.

    Attributes:
        task: What is under way, if anything is.
    """

    def __init__(self, processor: Processor, store: Store) -> None:
        self.task: asyncio.Task[None] | None = None
        self._processor = processor
        self._store = store
        # Commits index the archive once the rows before are; and what time it is is told by one.
        self._begin_at = processor.finished + 1
        self._begin_at_ms = NEVER

    def is_due(self, now_ms: int) -> bool:
        """Whether it is time by the clock. O(1).

        Not before the first commit since the start, after which it begins anyhow.
        """
        return now_ms >= self._begin_at_ms and not self._is_busy()

    def wants_commit(self, now_ms: int) -> bool:
        """Whether it is time by the clock, and by no commit yet. O(1)."""
        return self.is_due(now_ms) and self._store.committed_at_ms < self._begin_at_ms

    def look_after(self) -> None:
        """Begin where it is time. Raises what the last one failed of for good (CommitFailed)."""
        if self._is_busy():
            return
        if self.task is not None:
            self.task.result()
            self.task = None
        finished, at_ms = self._processor.finished, self._store.committed_at_ms
        if finished >= self._begin_at or at_ms >= self._begin_at_ms:
            self._begin_at = finished + TIDY_EVERY
            self._begin_at_ms = at_ms + TIDY_EVERY_MS
            self.task = asyncio.create_task(self._tidy())

    def _is_busy(self) -> bool:
        return self.task is not None and not self.task.done()

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
