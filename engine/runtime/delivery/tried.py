"""What is known of attempts that failed, kept for the next start.

That is how often each message was tried and since when, and since when providers fail. So patience
is measured over restarts: a message is given up after a day, not after a day without a deploy.
What is noted while one transaction is being written goes with the next; a kill costs the count of
what had not been written, never a message.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from engine.runtime.again import until_committed
from engine.store import CommitFailed, outbox

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.runtime.delivery.lane import Delivery
    from engine.runtime.delivery.line import Line
    from engine.store import Store

FAILING_MAX: Final = 1_000
"""Providers that are noted as down: addresses may be anybody's."""

NOTED_MAX: Final = 10_000
"""Messages that wait to be noted, as while there is no room on the disk; the oldest go."""


class Tried:
    """Notes what fails, and writes it behind the attempts.

    Args:
        store: Where it is kept.
        lines: By channel id; their providers are told since when they fail.
    """

    def __init__(self, store: Store, lines: Mapping[str, Line]) -> None:
        self._store = store
        self._lines = lines
        self._messages: dict[str, outbox.Tried] = {}
        self._failing: dict[tuple[str, str], int] = {}
        self._are_down: set[tuple[str, str]] = set()
        self._noted = asyncio.Event()
        self.is_known = asyncio.Event()
        """Set once what an earlier run noted of providers is known here."""

    def put_off(self, delivery: Delivery) -> None:
        """A message is to be tried again. O(1)."""
        message_id = delivery.message.id
        self._messages[message_id] = outbox.Tried(
            delivery.attempts, delivery.first_tried_at_ms, message_id
        )
        if len(self._messages) > NOTED_MAX:
            del self._messages[next(iter(self._messages))]
        self._noted.set()

    def fails(self, channel_id: str, provider: str, since_ms: int) -> None:
        """A provider is down, since then; more than once is once. O(1)."""
        named = channel_id, provider
        if named not in self._are_down and len(self._are_down) < FAILING_MAX:
            self._are_down.add(named)
            self._failing[named] = since_ms
            self._noted.set()

    def answers(self, channel_id: str, provider: str) -> None:
        """A provider is there, be it again. O(1)."""
        named = channel_id, provider
        if named in self._are_down:
            self._are_down.discard(named)
            self._failing[named] = 0
            self._noted.set()

    async def run(self) -> None:
        """Write what is noted; for ever. Raises StoreError that nothing can mend."""
        for place, (named, since_ms) in enumerate(await self._store.read(outbox.failing)):
            if place >= FAILING_MAX // 2 or named[0] not in self._lines:
                self._failing[named] = 0  # nobody may ever ask it again: room for others
                continue
            self._are_down.add(named)
            self._lines[named[0]].was_failing(named[1], since_ms)
        self.is_known.set()
        while True:
            await self._noted.wait()
            self._noted.clear()
            await until_committed(self._write)

    async def stop(self) -> None:
        """Write what is noted by now, if there is room for it."""
        with suppress(CommitFailed):
            await self._write()

    async def _write(self) -> None:
        messages, failing = self._messages, self._failing
        if messages or failing:
            self._messages, self._failing = {}, {}
            tried = [*messages.values()]
            try:
                await self._store.transact(partial(outbox.keep_tried, tried=tried, failing=failing))
            except BaseException:
                # What was noted meanwhile is newer.
                self._messages = messages | self._messages
                self._failing = failing | self._failing
                raise
