"""The items of one body, sorted into those that are taken and those that are quarantined."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NoReturn

from engine.core.inputs import EventReceived
from engine.core.intake.items import ItemInvalid
from engine.runtime.clock import monotonic_ns
from engine.server.answers import Fault, Refusal, Rejection
from engine.store import EXCERPT_BYTES, Quarantined

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from engine.core.inputs import FromClient
    from engine.core.intake.tracking_plan import TrackingPlan
    from engine.server.bodies import Limits
    from engine.server.rates import Allowance

    Read: TypeAlias = Callable[[bytes], FromClient]

SLICE_NS = 500_000
"""How long one body is worked on before the loop, and so the shell, has its turn."""

_LOOK_EVERY = 16
"""Items between two looks at the clock."""


class Sorted:
    """What one body brings.

    Args:
        received_at_ms: When the socket took it.
        source: The route it came by.
        limits: What it may bring.
        allowance: What its key may send; it has let the first item in.
        plan: What its items are held against; None: nothing.

    Attributes:
        inputs: Items that are taken, in order.
        rejected: Those that are not, in order; paths within the item.
        quarantined: The same, as they are kept; paths within the body.
        plan: As given.
        untracked: How many were left out, since the browser asked not to be tracked.
        accepted: How many were handed over.
    """

    __slots__ = (
        "_allowance",
        "_limits",
        "accepted",
        "inputs",
        "plan",
        "quarantined",
        "received_at_ms",
        "rejected",
        "source",
        "untracked",
    )

    def __init__(
        self,
        received_at_ms: int,
        source: str,
        limits: Limits,
        allowance: Allowance,
        plan: TrackingPlan | None = None,
    ) -> None:
        self.received_at_ms = received_at_ms
        self.source = source
        self.inputs: list[FromClient] = []
        self.rejected: list[Rejection] = []
        self.quarantined: list[Quarantined] = []
        self.untracked = self.accepted = 0
        self._limits = limits
        self._allowance = allowance
        self.plan = plan

    def leave_out_events(self) -> int:
        """Take no event, of what a browser brings that asks not to be tracked; how many there were.

        What it says of its user, his consent among it, is taken all the same.
        """
        kept: list[FromClient] = [one for one in self.inputs if not isinstance(one, EventReceived)]
        self.untracked = len(self.inputs) - len(kept)
        self.inputs = kept
        return self.untracked

    def hand_over(self) -> list[FromClient]:
        """What is taken, which whoever gets it keeps for as long as he needs it: no longer here."""
        inputs, self.inputs = self.inputs, []
        self.accepted += len(inputs)
        return inputs

    def judging(self, read: Read) -> Read:
        """The same reader, which holds what it reads against the tracking plan, if there is one."""
        plan = self.plan
        return read if plan is None else lambda raw: plan.judge(read(raw))

    @property
    def faults(self) -> list[Fault]:
        """What is wrong, with paths within the body."""
        return [Fault(item.path, item.reason) for item in self.quarantined]

    def take(
        self,
        raw: bytes,
        read: Read,
        *,
        place: str = "$",
        index: int = 0,
    ) -> None:
        """Take one item, or quarantine it with its reason. O(size).

        Args:
            raw: The item as it came.
            read: Makes an input of it, or raises ItemInvalid.
            place: Where in the body it stands.
            index: How many items stand before it.
        """
        try:
            if len(raw) > self._limits.event_max_bytes:
                self._refuse_size(len(raw))
            self.inputs.append(read(raw))
        except ItemInvalid as fault:
            reason = f"{fault.message}; {fault.hint}" if fault.hint else fault.message
            path = place + fault.path.removeprefix("$")
            # What is no item by its size alone is not kept whole: it could be as large as a body.
            kept = memoryview(raw)
            if len(raw) > self._limits.event_max_bytes:
                kept = kept[:EXCERPT_BYTES]
            self.rejected.append(Rejection(index, fault.path, reason))
            self.quarantined.append(
                Quarantined(self.received_at_ms, self.source, path, reason, bytes(kept))
            )

    def _refuse_size(self, size: int) -> NoReturn:
        most = self._limits.event_max_bytes
        raise ItemInvalid(f"the item has {size} bytes, more than {most} (server.event_max)")

    def take_at_once(self, body: bytes, read: Read) -> bool:
        """Take a body that is one good item; whether it was. O(size).

        It spares the usual request a first pass over its JSON; where it was none, nothing is
        changed and somebody else finds out why.
        """
        if len(body) > self._limits.event_max_bytes:
            return False
        try:
            self.inputs.append(read(body))
        except ItemInvalid:
            return False
        return True

    async def take_all(
        self,
        items: Sequence[bytes],
        read: Read,
        place: str,
    ) -> None:
        """Take many, in slices of about half a millisecond.

        Raises Refusal: 413 for too many, 429 for more than the key's rate allows. Both are refused
        whole, before one is read: a client can send two halves again, but not know which half was
        taken.
        """
        events_max = self._limits.events_max
        if len(items) > events_max:
            raise Refusal(
                413,
                "body.too_many",
                f"{len(items)} items in one body, more than {events_max} (server.events_max)",
            )
        self._allowance.go_on(len(items) - 1)
        until_ns = monotonic_ns() + SLICE_NS
        for index, raw in enumerate(items):
            self.take(raw, read, place=f"{place}[{index}]", index=index)
            if not index % _LOOK_EVERY and monotonic_ns() > until_ns:
                await asyncio.sleep(0)
                until_ns = monotonic_ns() + SLICE_NS
