"""One channel's part of the outbox: what of it is in memory, and how far it has been read.

Each channel has two lanes, one for transactional messages and one for the others, each with its own
bound: a provider that is down fills its lanes and no other, and what is bulk is in nobody's way.
What does not fit stays on disk and is read, in order, as there is room.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from channels.base import Message

if TYPE_CHECKING:
    from engine.core.effects import SendMessage
    from engine.store import Store

HELD_MAX = 1_000
"""Messages of one lane held in memory."""

HELD_BYTES_MAX = 4 << 20
"""Bytes of snapshots and rendered messages that a lane holds before it wants no more."""

READ_AT_ONCE = 250
"""Messages read from the outbox in one go: these hold the loop up for a millisecond or two."""

READ_BYTES_MAX = 1 << 20
"""Of those, and one message more."""

TRIED_MAX = 10_000
"""Messages that were let go of between two attempts, and are remembered."""


class Delivery:
    """A message on its way.

    Attributes:
        message: As it was released.
        lane: That it is held in.
        snapshot: What its template may name, as JSON; empty once it is rendered.
        wire: What goes over the wire, once it was rendered.
        size: Bytes that it is held with, about.
        attempts: How many attempts were made, by earlier processes too.
        first_tried_at_ms: Logical instant of the first of them.
        again_at_ms: No attempt is made before.
        in_flight: An attempt is under way.
        done: Its outcome is known; nothing is to be done any more.
    """

    __slots__ = (
        "again_at_ms",
        "attempts",
        "done",
        "first_tried_at_ms",
        "in_flight",
        "lane",
        "message",
        "size",
        "snapshot",
        "wire",
    )

    def __init__(
        self, lane: Lane, message: SendMessage, snapshot: bytes, wire: Message | None, size: int
    ) -> None:
        self.lane = lane
        self.message = message
        self.snapshot = snapshot if wire is None else b""
        self.wire = wire
        self.size = size
        self.attempts = 0
        self.first_tried_at_ms = 0
        self.again_at_ms = 0
        self.in_flight = False
        self.done = False


class Lane:
    """The messages of one channel, transactional or not, that are held.

    Attributes:
        channel_id: The channel's.
        held: By effect id.
        unrendered: Those still to be rendered, in order.
    """

    def __init__(self, channel_id: str, *, urgent: bool = False) -> None:
        self.channel_id = channel_id
        self.held: dict[str, Delivery] = {}
        self.unrendered: deque[Delivery] = deque()
        self._urgent = urgent
        self._cursor = 0
        self._bytes = 0
        # Until the outbox has been read to its end, what is released is left to that reading.
        self._spilled = True
        self._refilling = False
        # Messages that may not go for now are left to the outbox, which is read anew in time.
        self._set_aside = False
        self._from_start = False
        self._tried: dict[str, tuple[int, int, int]] = {}

    def offer(self, number: int, message: SendMessage) -> None:
        """Take a message that was just released, or leave it to the outbox where there is no room.

        The snapshot of a fallback is in the outbox alone: it is read from there.
        """
        if self._spilled or self._is_full() or message.fallback_of:
            self._spilled = True
            return
        snapshot = bytes(message.snapshot)
        self._hold(Delivery(self, message, snapshot, None, len(snapshot)))
        if not self._refilling:
            self._cursor = number

    def reopen(self) -> None:
        """A row that lies behind the cursor is due again: the outbox is read anew."""
        self._from_start = True

    def wants_more(self) -> bool:
        """Whether there is more on disk, and room for it."""
        return (self._spilled or self._from_start) and not self.is_crowded()

    def is_crowded(self) -> bool:
        """Whether so many are held that no more are read."""
        return len(self.held) >= HELD_MAX // 2 or self._bytes >= HELD_BYTES_MAX // 2

    def set_aside(self, delivery: Delivery) -> None:
        """Let go of a message that may not go for now: it takes no room until `look_again`."""
        message_id = delivery.message.id
        delivery.done = True
        self._let_go(message_id)
        self._set_aside = True
        if delivery.attempts:
            # Not to be tried sooner for it; and its row may not have the last attempt yet.
            self._tried[message_id] = (
                delivery.attempts,
                delivery.first_tried_at_ms,
                delivery.again_at_ms,
            )
            if len(self._tried) > TRIED_MAX:
                del self._tried[next(iter(self._tried))]

    def look_again(self) -> None:
        """Read the outbox anew where anything was set aside: it may go now. O(1)."""
        self._from_start |= self._set_aside
        self._set_aside = False

    def close(self, message_id: str) -> None:
        """Forget a message whose delivery is over."""
        self._let_go(message_id)
        self._tried.pop(message_id, None)

    def weigh(self, delivery: Delivery, size: int) -> None:
        """A message is held with so many bytes by now."""
        if delivery.message.id in self.held:
            self._bytes += size - delivery.size
        delivery.size = size

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
        rows = await store.outbox(
            self.channel_id,
            self._cursor,
            limit,
            urgent=self._urgent,
            bytes_max=READ_BYTES_MAX,
        )
        self._refilling = False
        read = 0
        for row in rows:
            wire = Message.from_bytes(row.rendered) if row.rendered is not None else None
            size = len(row.snapshot) if row.rendered is None else len(row.rendered)
            read += size
            delivery = Delivery(self, row.message, row.snapshot, wire, size)
            delivery.attempts, delivery.first_tried_at_ms = row.attempts, row.tried_at_ms
            self._hold(delivery)
            self._cursor = max(self._cursor, row.number)
        self._spilled |= len(rows) == limit or read >= READ_BYTES_MAX

    def _is_full(self) -> bool:
        return len(self.held) >= HELD_MAX or self._bytes >= HELD_BYTES_MAX

    def _let_go(self, message_id: str) -> None:
        delivery = self.held.pop(message_id, None)
        if delivery is not None:
            self._bytes -= delivery.size

    def _hold(self, delivery: Delivery) -> None:
        if delivery.message.id not in self.held:
            known = self._tried.pop(delivery.message.id, None)
            if known is not None:
                delivery.attempts, delivery.first_tried_at_ms, delivery.again_at_ms = known
            self.held[delivery.message.id] = delivery
            self._bytes += delivery.size
            self.unrendered.append(delivery)
