"""What a delivery that is over becomes: inputs, which the processor takes in one go.

A message whose address is no good has come back: that is an event besides, which campaigns may
enter by, as where its provider tells of it later (`answers.bounced_at_hand_over`). Were the two in
two batches, a crash between them would lose it, since nobody waits for the message any more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

from engine.core.inputs import DeliveryReported, OfDelivery
from engine.core.messages.answers import bounced_at_hand_over

if TYPE_CHECKING:
    from engine.core.effects import CancelMessage
    from engine.runtime.delivery.lane import Delivery

Report: TypeAlias = Callable[[Sequence[OfDelivery]], None]
"""Takes what became of one delivery."""


def ended(
    delivery: Delivery,
    outcome: Literal["delivered", "failed", "cancelled"],
    reason: str,
    bad_address: str,
    gone: tuple[str, ...],
    *,
    now_ms: int,
) -> list[OfDelivery]:
    """The inputs of one that has come to its end."""
    message = delivery.message
    # The journal holds UTF-8; what a channel or a library says may hold anything.
    reason = reason.encode(errors="replace").decode()
    told: list[OfDelivery] = [
        DeliveryReported(
            message.user_id, message.id, outcome, reason, bad_address, gone, delivery.attempts
        )
    ]
    if bad_address:
        assert delivery.wire is not None, "it has an address"
        bounced = bounced_at_hand_over(message, delivery.wire.variant, reason, now_ms)
        told += [bounced] if bounced is not None else []
    return told


def taken_back(cancelled: CancelMessage) -> list[OfDelivery]:
    """The inputs of one that is on disk alone, and will not be handed over."""
    return [DeliveryReported(cancelled.user_id, cancelled.id, "cancelled", cancelled.reason)]
