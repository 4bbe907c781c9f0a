"""What waits for a provider that is down, judged all the same: nothing else would come to it.

While a breaker is open no attempt is made, and so none finds that a message has expired, that its
user has unsubscribed, or that its fallback should stand in by now. So the outbox of the channel is
gone through now and then, as long as one is open, a slice at a time.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from channels.base import WIDE, Message, provider_of
from engine.core.holding import HELD
from engine.core.inputs import DeliveryReported
from engine.runtime.delivery.attempts import is_over
from engine.runtime.looks import Looks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from engine.runtime.delivery.lane import Delivery, Lane
    from engine.runtime.delivery.line import Line, Provider
    from engine.runtime.delivery.reporting import Report
    from engine.runtime.processor import Processor
    from engine.store import OutboxRow, Store

Ended: TypeAlias = Literal["failed", "cancelled"]

EVERY_MS: Final = 60_000
"""Logical time between two times that it is gone through."""

READ_AT_ONCE: Final = 250


class Overdue:
    """Goes through what waits for providers that are down.

    Args:
        lanes: By channel id.
        lines: By channel id.
        conclude: Ends a delivery that is held: (delivery, outcome, reason).
        report: Ends one that is on disk alone.
        now_ms: Logical now.
        rate: Logical milliseconds a real one.
    """

    def __init__(
        self,
        *,
        store: Store,
        processor: Processor,
        lanes: Mapping[str, Sequence[Lane]],
        lines: Mapping[str, Line],
        conclude: Callable[[Delivery, Ended, str], None],
        report: Report,
        now_ms: Callable[[], int],
        rate: float,
    ) -> None:
        self._store = store
        self._processor = processor
        self._lanes = lanes
        self._lines = lines
        self._conclude = conclude
        self._report = report
        self._now_ms = now_ms
        self._due = asyncio.Event()
        self._looks = Looks(self._due.set, now_ms=now_ms, rate=rate)
        self._is_coming = False
        self._let_out = asyncio.Event()

    def watch(self) -> None:
        """A provider is down: go through what waits for it, from time to time. O(1)."""
        if not self._is_coming:
            self._is_coming = True
            self._looks.at(self._now_ms() + EVERY_MS)

    def released(self) -> None:
        """Something that was reported is durable."""
        self._let_out.set()

    async def run(self) -> None:
        """Go through it each time that is due; for ever."""
        while True:
            await self._due.wait()
            self._due.clear()
            self._is_coming = False
            for channel_id, line in self._lines.items():
                if line.failing():
                    await self._go_through(channel_id, line)
            if any(line.failing() for line in self._lines.values()):
                self.watch()

    async def _go_through(self, channel_id: str, line: Line) -> None:
        for urgent, lane in zip((True, False), self._lanes[channel_id], strict=True):
            after = 0
            while True:
                rows = await self._store.outbox(
                    channel_id,
                    after,
                    READ_AT_ONCE,
                    urgent=urgent,
                    parts="rendered" if channel_id in WIDE else "head",
                )
                self._let_out.clear()
                ended = sum([self._judge(row, line, lane) for row in rows])
                if len(rows) == 0:
                    break
                after = rows[-1].number
                if ended:
                    await self._let_out.wait()  # or as many as wait would be held as inputs

    def _judge(self, row: OutboxRow, line: Line, lane: Lane) -> bool:
        """End a delivery if that is due; whether it was."""
        held = lane.held.get(row.message.id)
        if held is not None and (held.in_flight or held.done):
            return False
        provider = self._provider_of(row, line)
        if provider is None or not provider.breaker.is_open:
            return False
        now_ms = self._now_ms()
        outcome: Ended = "cancelled"
        reason = self._processor.verdict(row.message, now_ms)
        if reason is None or reason == HELD:
            return False
        if not reason:
            tried_at_ms = (held.first_tried_at_ms if held is not None else 0) or row.tried_at_ms
            if not is_over(row.message, tried_at_ms, provider, now_ms):
                return False
            outcome, reason = "failed", f"gave up: {provider.breaker.reason}"
        if held is not None:
            self._conclude(held, outcome, reason)
        else:
            message = row.message
            told = DeliveryReported(
                message.user_id, message.id, outcome, reason, attempts=row.attempts
            )
            self._report((told,))
        return True

    def _provider_of(self, row: OutboxRow, line: Line) -> Provider | None:
        channel_id = row.message.channel
        if channel_id not in WIDE:
            return line.known(channel_id)
        if row.rendered is None:
            return None  # nobody knows its address yet
        return line.known(provider_of(Message.from_bytes(row.rendered)))
