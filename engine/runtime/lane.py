"""One channel's part of the outbox: what of it is in memory, and how far it has been read.

Each channel has a lane of its own, with its own bound: a provider that is down fills its lane and
no other. What does not fit stays on disk and is read, in order, as there is room.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from channels.base import Message

if TYPE_CHECKING:
    from engine.core.effects import SendMessage
    from engine.store import Store

HELD_MAX = 10_000
"""Messages of one channel held in memory."""

READ_AT_ONCE = 250
"""Messages read from the outbox in one go: these hold the loop up for a millisecond or two."""


class Delivery:
    """A message on its way.

    Attributes:
        message: As it was released.
        snapshot: What its template may name, as JSON.
        wire: What goes over the wire, once it was rendered.
        attempts: How many attempts were made by this process.
        first_tried_at_ms: Logical instant of the first of them.
        in_flight: An attempt is under way.
        done: Its outcome is known; nothing is to be done any more.
    """

    __slots__ = (
        "attempts",
        "done",
        "first_tried_at_ms",
        "in_flight",
        "message",
        "snapshot",
        "wire",
    )

    def __init__(self, message: SendMessage, snapshot: bytes, wire: Message | None) -> None:
        self.message = message
        self.snapshot = snapshot
        self.wire = wire
        self.attempts = 0
        self.first_tried_at_ms = 0
        self.in_flight = False
        self.done = False


class Lane:
    """The messages of one channel that are held.

    Attributes:
        held: By effect id.
        unrendered: Those still to be rendered, in order.
        ready: Those that wait for an attempt.
    """

    def __init__(self, channel_id: str) -> None:
        self.held: dict[str, Delivery] = {}
        self.unrendered: deque[Delivery] = deque()
        self.ready: asyncio.Queue[Delivery] = asyncio.Queue()
        self._channel_id = channel_id
        self._cursor = 0
        # Until the outbox has been read to its end, what is released is left to that reading.
        self._spilled = True
        self._refilling = False
        # Messages that may not go for now are left to the outbox, which is read anew in time.
        self._set_aside = False
        self._from_start = False
        self._tried: dict[str, tuple[int, int]] = {}

    def offer(self, number: int, message: SendMessage) -> None:
        """Take a message that was just released, or leave it to the outbox where there is no room.

        The snapshot of a fallback is in the outbox alone: it is read from there.
        """
        if self._spilled or len(self.held) >= HELD_MAX or message.fallback_of:
            self._spilled = True
            return
        self._hold(Delivery(message, bytes(message.snapshot), None))
        if not self._refilling:
            self._cursor = number

    def wants_more(self) -> bool:
        """Whether there is more on disk, and room for it."""
        return (self._spilled or self._from_start) and len(self.held) < HELD_MAX // 2

    def set_aside(self, delivery: Delivery) -> None:
        """Let go of a message that may not go for now: it takes no room until `look_again`."""
        message_id = delivery.message.id
        delivery.done = True
        self.held.pop(message_id, None)
        self._set_aside = True
        if delivery.attempts:
            # Else it would never be given up, where each night begins anew.
            self._tried[message_id] = (delivery.attempts, delivery.first_tried_at_ms)
            if len(self._tried) > HELD_MAX:
                del self._tried[next(iter(self._tried))]

    def look_again(self) -> None:
        """Read the outbox anew where anything was set aside: it may go now. O(1)."""
        self._from_start |= self._set_aside
        self._set_aside = False

    def close(self, message_id: str) -> None:
        """Forget a message whose delivery is over."""
        self.held.pop(message_id, None)
        self._tried.pop(message_id, None)

    async def refill(self, store: Store) -> None:
        """Read on in the outbox, a piece. O(`READ_AT_ONCE`)."""
        limit = min(READ_AT_ONCE, HELD_MAX // 2)
        if self._from_start:
            self._from_start = False
            self._cursor = 0
        # What is released meanwhile goes straight to memory; the cursor stays, so that it may be
        # read once more, and then it is either held or nobody waits for it.
        self._spilled = False
        self._refilling = True
        rows = await store.outbox(self._channel_id, self._cursor, limit)
        self._refilling = False
        for row in rows:
            wire = Message.from_bytes(row.rendered) if row.rendered is not None else None
            self._hold(Delivery(row.message, row.snapshot, wire))
            self._cursor = max(self._cursor, row.number)
        if len(rows) == limit:
            self._spilled = True

    def _hold(self, delivery: Delivery) -> None:
        if delivery.message.id not in self.held:
            delivery.attempts, delivery.first_tried_at_ms = self._tried.pop(
                delivery.message.id, (0, 0)
            )
            self.held[delivery.message.id] = delivery
            self.unrendered.append(delivery)
