"""A message's way through the core: judged at its step, reported on, stood in for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from engine.core import history, ids
from engine.core.collections import bind
from engine.core.effects import (
    NO_SNAPSHOT,
    REASON_LENGTH_MAX,
    CloseMessage,
    ReviveMessage,
    SendMessage,
)
from engine.core.experiments import variant_of
from engine.core.following import before, follow
from engine.core.goals import forget_over, touch
from engine.core.guardrails import barrier, cancelled, is_full, restraint
from engine.core.history import sent_name
from engine.core.holding import is_stale
from engine.core.messages.caps import give_back, is_capped, take_place
from engine.core.messages.preferring import standings
from engine.core.messages.waiting import (
    Pending,
    by_id,
    compact,
    find_message,
    put_message,
    take_message,
)
from engine.core.past.entered import entry_key, with_served
from engine.core.people.consents import suppress
from engine.core.people.traits import CONSENT_CHANNELS, drop_subscriptions

if TYPE_CHECKING:
    from engine.core.inputs import DeliveryReported, LetterRevived
    from engine.core.plan import Campaign, Plan
    from engine.core.state import Enrollment, User
    from engine.core.steps.kinds import Send
    from engine.core.turn import Turn

BOUNCED = "bounced"
"""How an address came to be suppressed that a provider said is no good."""

_encode = msgspec.json.Encoder().encode
_decode_pending = msgspec.json.Decoder(Pending).decode

NO_CONTENT = msgspec.Raw(b"{}")


class _Snapshot(msgspec.Struct, omit_defaults=True, gc=False):
    """What every template may name; `variant` behind a split, `content` of a manual start."""

    user: dict[str, Any]
    event: msgspec.Raw
    event_name: str
    campaign: msgspec.Raw
    variant: str = ""
    content: msgspec.Raw = NO_CONTENT


def send(
    turn: Turn,
    campaign: Campaign,
    enrollment: Enrollment,
    step: Send,
    due_at_ms: int,
    iteration: int = 0,
) -> int:
    """Ask the guardrails and put the message into the outbox, or skip it with the reason.

    Returns until when it is deferred, and is to be asked again from the first on; 0 where it is
    not.
    """
    expires_ms = step.expires_ms
    if expires_ms is not None and turn.now_ms - due_at_ms > expires_ms:
        skip(turn, enrollment, step, "expired")
        return 0
    if enrollment.hold is not None and expires_ms is None and is_stale(turn, enrollment, due_at_ms):
        skip(turn, enrollment, step, "expired")
        return 0
    channels, marketing, place = step.channels, campaign.is_marketing, 0
    topic = campaign.topic
    if step.preferred:
        channels = _by_preference(turn, step, marketing, topic)
    barred = _barred(turn, channels[0], marketing, topic)
    if barred:
        place = _first_open(turn, channels, marketing, topic)
        if place < 0:
            skip(turn, enrollment, step, barred)
            return 0
    channel = channels[place]
    policy, now_ms = turn.plan.policy, turn.now_ms
    if marketing and (enrollment.held_out or policy.restrains):
        reason, until_ms = restraint(policy, turn.user, enrollment, channel, now_ms)
        if until_ms:
            _defer(turn, enrollment, step, channel, until_ms)
            return until_ms
        if reason:
            skip(turn, enrollment, step, reason, channel)
            return 0
    pending = Pending(
        enrollment.enrollment,
        campaign.id,
        step.id,
        channel,
        step.template,
        enrollment.entered_at_ms,
        marketing,
        0 if expires_ms is None else due_at_ms + expires_ms,
        channels[place + 1 :],
        "",
        enrollment.variants,
        now_ms,
        iteration,
        enrollment.per,
        topic,
    )
    _send(turn, pending, _snapshot(turn, campaign, enrollment, step), "")
    return 0


def skip(
    turn: Turn, enrollment: Enrollment, step: Send, reason: str, channel: str | None = None
) -> None:
    """Record that a message did not go, and why: what keeps its channel, or its first one, shut."""
    turn.record(
        "skipped",
        enrollment,
        step=step.id,
        channel=channel or step.channels[0],
        template=step.template,
        reason=reason,
    )


def _defer(turn: Turn, enrollment: Enrollment, step: Send, channel: str, until_ms: int) -> None:
    turn.record("deferred", enrollment, step.id, channel, step.template).until_ms = until_ms


def conclude(turn: Turn, report: DeliveryReported) -> None:
    """A delivery came to its end: record it, and let the next fallback stand in for a failure.

    A report on a message that nobody waits for any more (told twice) changes nothing.
    """
    user = turn.user
    pending = take_message(user, report.effect_id)
    if pending is None:
        return
    if report.bad_address:
        suppress(user, turn.now_ms, pending.channel, BOUNCED, address=report.bad_address)
    if report.gone:
        drop_subscriptions(user, report.gone)
    outcome, reason = report.outcome, report.reason[:REASON_LENGTH_MAX]
    if outcome != "delivered":
        give_back(user, pending)
    else:
        user.entries = with_served(user.entries, entry_key(pending.campaign, pending.per))
        if turn.plan.has_goals:
            touch(turn, pending, report.effect_id)
    turn.record(
        "skipped" if outcome == "cancelled" else outcome,
        pending,
        pending.step,
        pending.channel,
        pending.template,
        reason,
        report.effect_id,
    )
    stands_in = (
        outcome == "failed"
        and bool(pending.fallbacks)
        and not pending.cancelled
        and not (pending.expires_at_ms and turn.now_ms > pending.expires_at_ms)
        and _stand_in(turn, pending, report.effect_id)
    )
    if outcome == "failed" and not stands_in:
        kept = _encode(msgspec.structs.replace(pending, cancelled="", fallbacks=()))
        turn.effects.append(
            CloseMessage(report.effect_id, True, reason, turn.now_ms, report.attempts, kept)
        )
    else:
        turn.effects.append(CloseMessage(report.effect_id))


def revive(turn: Turn, revived: LetterRevived) -> None:
    """Have a dead letter delivered after all, unless it may not go any more: then say why.

    Consent, suppression and expiry are asked as before any attempt; so are exits, which nobody
    held against it while it was dead: those that are remembered, and whether its campaign is still
    there. It takes a place under the caps again, which it gave back as it failed; they are not
    asked, since an operator has. One that is under way already changes nothing.
    """
    user, effect_id = turn.user, revived.effect_id
    if find_message(user.pending, effect_id) is not None:
        return
    try:
        pending = _decode_pending(revived.pending)
    except msgspec.DecodeError:
        return  # of another version; it stays where it is
    reason = why_not(turn.plan, user, pending, turn.now_ms)
    if reason:
        turn.record("skipped", pending, pending.step, pending.channel, pending.template, reason,
                    effect_id)  # fmt: skip
        return
    pending.sent_at_ms = turn.now_ms
    user.pending = compact({**by_id(user.pending), effect_id: pending})
    if turn.plan.kept_places:
        take_place(user, turn.plan.kept_places, pending.channel, turn.now_ms)
    turn.effects.append(ReviveMessage(effect_id, pending.channel, not pending.marketing))


def why_not(plan: Plan, user: User, pending: Pending, now_ms: int) -> str:
    """Why a message that is dead may not go any more, or "".

    `exited`, `limit`, or as `guardrails.cancelled`.
    """
    campaign = plan.campaigns.get(pending.campaign)
    if campaign is None or campaign.status == "archived":
        return "exited"
    began_ms = pending.entered_at_ms
    if any(history.newest(user, name) >= began_ms for name in campaign.exit_events):
        return "exited"
    if is_full(user, marketing=pending.marketing):
        return "limit"
    return cancelled(plan.policy, user, pending, now_ms)


def _stand_in(turn: Turn, failed: Pending, effect_id: str) -> bool:
    """Send by the next channel that is open instead; whether it goes.

    It is another message, judged now: caps are asked. Quiet hours are not, since nothing is left of
    its step that could be held there: every attempt to hand it over asks them.
    """
    place = _first_open(turn, failed.fallbacks, failed.marketing, failed.topic)
    if place < 0:
        return False
    channel, caps = failed.fallbacks[place], turn.plan.policy.caps
    if failed.marketing and caps and is_capped(turn.user, caps, channel, turn.now_ms):
        turn.record("skipped", failed, failed.step, channel, failed.template, "capped")
        return False
    pending = msgspec.structs.replace(
        failed,
        channel=channel,
        fallbacks=failed.fallbacks[place + 1 :],
        sent_at_ms=turn.now_ms,
    )
    _send(turn, pending, NO_SNAPSHOT, effect_id)
    return True


def _by_preference(turn: Turn, step: Send, marketing: bool, topic: str) -> tuple[str, ...]:  # noqa: FBT001 - as `_first_open`
    """The open channel that the user answers to most, and those that are tried behind it."""
    ranked = [one.channel for one in standings(turn.user, step.preferred, turn.now_ms)]
    place = _first_open(turn, tuple(ranked), marketing, topic)
    chosen = ranked[place] if place >= 0 else step.preferred[0]
    return (chosen, *[channel for channel in step.others if channel != chosen])


def _first_open(turn: Turn, channels: tuple[str, ...], marketing: bool, topic: str) -> int:  # noqa: FBT001 - of a hot path: by name it is three times as dear
    """The place of the first channel that may be used, or -1."""
    for place, channel in enumerate(channels):
        if not _barred(turn, channel, marketing, topic):
            return place
    return -1


def _barred(turn: Turn, channel: str, marketing: bool, topic: str) -> str:  # noqa: FBT001 - as above
    """Why nothing more may be sent by `channel`, or ""; `limit` where too much waits already."""
    user = turn.user
    reason = barrier(turn.plan.policy, user, channel, marketing, topic)
    if not reason and user.pending and is_full(user, marketing=marketing):
        return "limit"
    return reason


def _send(turn: Turn, pending: Pending, snapshot: msgspec.Raw, fallback_of: str) -> None:
    user, plan, now_ms = turn.user, turn.plan, turn.now_ms
    enrollment_id, step_id, channel = pending.enrollment, pending.step, pending.channel
    template, fallbacks = pending.template, pending.fallbacks
    effect_id = ids.effect_id(enrollment_id, step_id, pending.iteration, channel)
    if user.ended:
        forget_over(turn)
    if user.pending:
        put_message(user, effect_id, pending)
    else:  # as most often
        user.pending = (pending,)
    turn.effects.append(
        SendMessage(
            effect_id,
            now_ms,
            user.user_id,
            pending.campaign,
            enrollment_id,
            step_id,
            channel,
            template,
            snapshot,
            pending.expires_at_ms,
            fallback_of,
            bool(fallbacks) and _more(turn, pending),
            not pending.marketing,
        )
    )
    turn.record("sent", pending, step_id, channel, template, "", effect_id)
    if plan.kept_places:
        take_place(user, plan.kept_places, channel, now_ms)
    if plan.kept_sends:
        _note_sent(turn, pending)


def _more(turn: Turn, pending: Pending) -> bool:
    """Whether another channel could stand in, should this one fail."""
    return _first_open(turn, pending.fallbacks, pending.marketing, pending.topic) >= 0


def _note_sent(turn: Turn, pending: Pending) -> None:
    """Have a message in its user's history, as far as a condition asks for such."""
    kept_sends, now_ms = turn.plan.kept_sends, turn.now_ms
    was_true = before(turn, turn.plan.on_sends)
    for what in sent_as(pending.channel, pending.campaign):
        kept = kept_sends.get(what)
        if kept is not None:
            history.insert(turn.user, sent_name(what), now_ms, kept, now_ms)
    follow(turn, turn.plan.on_sends, was_true)


def sent_as(channel: str, campaign: str) -> tuple[str, ...]:
    """What conditions may ask for a message by.

    A campaign that bears a channel's name is not told apart from it: the channel is meant.
    """
    return (channel,) if campaign in CONSENT_CHANNELS else (channel, campaign)


def _snapshot(turn: Turn, campaign: Campaign, enrollment: Enrollment, step: Send) -> msgspec.Raw:
    """What the template may name, as one JSON object; collections only where one names them.

    O(traits + properties + items).
    """
    user = turn.user
    snapshot = _Snapshot(
        {**user.traits, "id": user.user_id},
        msgspec.Raw(enrollment.event),
        enrollment.event_name,
        campaign.facts,
        variant_of(enrollment.variants),
        msgspec.Raw(enrollment.content) if enrollment.content else NO_CONTENT,
    )
    encoded, kept = _encode(snapshot), turn.plan.collections
    if not kept or kept.keys().isdisjoint(step.names):
        return msgspec.Raw(encoded)
    gathered = {name: bind(kept[name], user) for name in kept if name in step.names}
    # One object behind the other: what the snapshot leaves out is not there for any template.
    return msgspec.Raw(encoded[:-1] + b"," + _encode(gathered)[1:])
