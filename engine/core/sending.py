"""A message's way through the core: judged at its step, reported on, stood in for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from engine.core import ids
from engine.core.effects import NO_SNAPSHOT, CloseMessage, SendMessage
from engine.core.guardrails import ADDRESS_TRAITS, address_of, barrier, expired
from engine.core.state import Pending

if TYPE_CHECKING:
    from engine.core.effects import Kind
    from engine.core.inputs import DeliveryReported
    from engine.core.plan import Campaign, Send
    from engine.core.state import Enrollment
    from engine.core.turn import Turn

_encode = msgspec.json.Encoder().encode


def send(
    turn: Turn, campaign: Campaign, enrollment: Enrollment, step: Send, due_at_ms: int
) -> None:
    """Ask the guardrails and put the message into the outbox, or skip it with the reason."""
    if expired(due_at_ms, step.expires_ms, turn.now_ms):
        skip(turn, enrollment, step, step.channels[0], "expired")
        return
    pending = Pending(
        enrollment.enrollment,
        campaign.id,
        step.id,
        step.channels[0],
        step.template,
        enrollment.entered_at_ms,
        campaign.purpose == "marketing",
        0 if step.expires_ms is None else due_at_ms + step.expires_ms,
        step.channels,
    )
    reason = _send_next(turn, pending, enrollment=enrollment)
    if reason:
        skip(turn, enrollment, step, step.channels[0], reason)


def skip(turn: Turn, enrollment: Enrollment, step: Send, channel: str, reason: str) -> None:
    """Record that a message did not go, and why."""
    turn.record(
        "skipped",
        enrollment,
        step=step.id,
        channel=channel,
        template=step.template,
        reason=reason,
    )


def conclude(turn: Turn, report: DeliveryReported) -> None:
    """A delivery came to its end: record it, and let the next fallback stand in for a failure.

    A report on a message that nobody waits for any more (told twice) changes nothing.
    """
    user = turn.user
    pending = user.pending.pop(report.effect_id, None)
    if pending is None:
        return
    if report.address_invalid:
        address = address_of(user, pending.channel)
        if pending.channel in ADDRESS_TRAITS and isinstance(address, str):
            user.suppressed[pending.channel] = address
    outcome = report.outcome
    _record_delivery(
        turn,
        "skipped" if outcome == "cancelled" else outcome,
        pending,
        report.effect_id,
        reason=report.reason,
    )
    stands_in = (
        outcome == "failed"
        and bool(pending.fallbacks)
        and not pending.cancelled
        and not (pending.expires_at_ms and turn.now_ms > pending.expires_at_ms)
        and not _send_next(turn, pending, fallback_of=report.effect_id)
    )
    dead = outcome == "failed" and not stands_in
    turn.effects.append(CloseMessage(report.effect_id, dead=dead, reason=report.reason))


def _send_next(
    turn: Turn,
    pending: Pending,
    *,
    enrollment: Enrollment | None = None,
    fallback_of: str = "",
) -> str:
    """Send by the first of the channels left that is open; else the first one's barrier.

    The snapshot is taken from `enrollment`; a fallback takes over that of `fallback_of`.
    """
    user = turn.user
    reasons: list[str] = []
    for place, channel in enumerate(pending.fallbacks):
        reason = barrier(turn.plan.policy, user, channel, marketing=pending.marketing)
        if reason:
            reasons.append(reason)
            continue
        effect_id = ids.effect_id(pending.enrollment, pending.step, 0, channel)
        left = pending.fallbacks[place + 1 :]
        sent = msgspec.structs.replace(pending, channel=channel, fallbacks=left)
        user.pending[effect_id] = sent
        turn.effects.append(
            SendMessage(
                effect_id,
                turn.now_ms,
                user.user_id,
                pending.campaign,
                pending.enrollment,
                pending.step,
                channel,
                pending.template,
                NO_SNAPSHOT if enrollment is None else _snapshot(turn, enrollment),
                pending.expires_at_ms,
                fallback_of,
                bool(left),
            )
        )
        _record_delivery(turn, "sent", sent, effect_id)
        return ""
    return reasons[0] if reasons else "unreachable"


def _record_delivery(
    turn: Turn, kind: Kind, pending: Pending, effect_id: str, *, reason: str = ""
) -> None:
    turn.record(
        kind,
        pending,
        step=pending.step,
        channel=pending.channel,
        template=pending.template,
        reason=reason,
        message=effect_id,
    )


def _snapshot(turn: Turn, enrollment: Enrollment) -> msgspec.Raw:
    """What the template may name, as one JSON object. O(traits + properties)."""
    user = turn.user
    campaign = turn.plan.campaigns[enrollment.campaign]
    return msgspec.Raw(
        _encode(
            {
                "user": {"id": user.user_id, **user.traits},
                "event": msgspec.Raw(enrollment.event),
                "event_name": enrollment.event_name,
                "campaign": {
                    "id": campaign.id,
                    "description": campaign.description,
                    "purpose": campaign.purpose,
                },
            }
        )
    )
