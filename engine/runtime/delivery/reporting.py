"""What a delivery that is over becomes: inputs, which the processor takes in one go.

That a message has come back is an event besides, which campaigns may enter by, as where its
provider tells of it later (`answers.bounced_at_hand_over`); where its address is no good, that is
suppressed. Were the two in two batches, a crash between them would lose the event, since nobody
waits for the message any more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

from engine.core.inputs import DeliveryReported, OfDelivery
from engine.core.messages.answers import bounced_at_hand_over

if TYPE_CHECKING:
    from engine.core.effects import CancelMessage
    from engine.core.inputs import Bounce
    from engine.runtime.delivery.lane import Delivery

Report: TypeAlias = Callable[[Sequence[OfDelivery]], None]
"""Takes what became of one delivery."""


def ended(
    delivery: Delivery,
    outcome: Literal["delivered", "failed", "cancelled"],
    reason: str,
    bounce: Bounce | Literal[""],
    gone: tuple[str, ...],
    bad_address: str = "",
    *,
    now_ms: int,
) -> list[OfDelivery]:
    """The inputs of one that has come to its end."""
    message = delivery.message
    # The journal holds UTF-8; what a channel or a library says may hold anything.
    reason = reason.encode(errors="replace").decode()
    report = DeliveryReported(
        message.user_id, message.id, outcome, reason, bad_address, gone, delivery.attempts
    )
    if not bounce:
        return [report]
    wire = delivery.wire
    assert wire is not None, "it was handed over"
    if bounce == "hard":
        report.bad_address = wire.to
    bounced = bounced_at_hand_over(message, bounce, wire.variant, reason, now_ms)
    return [report] if bounced is None else [report, bounced]


def taken_back(cancelled: CancelMessage) -> list[OfDelivery]:
    """The inputs of one that is on disk alone, and will not be handed over."""
    return [DeliveryReported(cancelled.user_id, cancelled.id, "cancelled", cancelled.reason)]
