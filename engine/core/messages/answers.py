"""What people do with messages once they are delivered: opened, clicked, unsubscribed by, ….

Each is journaled as it comes (`inputs.MessageAnswered`), with what is to be known of the message,
since nothing of one is kept with its user until he answers. A person's doing is an event, by the
name that Segment has for it, and enters, ends and awaits as any event does; it is a function of the
input alone, so that what the archive has is read back as it was. A machine's doing is recorded and
is no event: nobody has seen anything.

That a message came back is told by its provider later, or as it is handed over. It is one event,
whoever tells of it first: either has the same message id (`bounce_id`).

Of the messages that a user has answered to, the newest `ANSWERED_MAX` are remembered: by what
channel he answers, and how soon.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from engine.core.effects import REASON_LENGTH_MAX, Record
from engine.core.inputs import EventNoticed, EventReceived, MessageAnswered, SentMessage
from engine.core.people.consents import bounded
from engine.core.state import Answered, Rapport

if TYPE_CHECKING:
    from engine.core.effects import Effect, Kind, SendMessage
    from engine.core.inputs import Answer, Bounce
    from engine.core.state import User

ANSWERED_MAX: Final = 50
"""Messages of a user that are remembered for having been answered to; those sent first go."""

LINK_CHARS_MAX: Final = 500
"""Of an address that was clicked, in records and events."""

UNSUBSCRIBED: Final = "Unsubscribed"

_NAMES: Final[dict[str, dict[Answer, str]]] = {
    "email": {
        "opened": "Email Opened",
        "clicked": "Email Link Clicked",
        "complained": "Email Marked as Spam",
        "bounced": "Email Bounced",
    },
    "push": {
        "opened": "Push Notification Received",
        "clicked": "Push Notification Tapped",
        "dismissed": "Push Notification Dismissed",
        "bounced": "Push Notification Bounced",
    },
    "sms": {
        "clicked": "SMS Link Clicked",
        "bounced": "SMS Bounced",
        "delivered": "SMS Delivered",
    },
    "in_app": {
        "opened": "In-App Message Opened",
        "clicked": "In-App Message Clicked",
        "dismissed": "In-App Message Dismissed",
    },
}
"""By channel, what Segment's specification calls it, and the like where that says nothing."""

EVENTS: Final = frozenset({UNSUBSCRIBED, *[name for by in _NAMES.values() for name in by.values()]})
"""The names of all events that answers are."""

BY_PEOPLE: Final = frozenset({"opened", "clicked", "dismissed", "unsubscribed"})
"""What counts as an answer of somebody's; a bounce is nobody's."""

_KINDS: Final[dict[Answer, Kind]] = {
    "opened": "opened",
    "clicked": "clicked",
    "unsubscribed": "unsubscribed",
    "complained": "unsubscribed",
    "bounced": "failed",
}

_encode = msgspec.json.Encoder().encode


def event_name(channel: str, answer: Answer) -> str:
    """What an answer to a message of that channel is called as an event; "" for none."""
    if answer == "unsubscribed":
        return UNSUBSCRIBED
    return _NAMES.get(channel, {}).get(answer, "")


def answered(
    user_id: str,
    sent: SentMessage,
    answer: Answer,
    received_at_ms: int,
    *,
    link: str = "",
    machine: str = "",
    message_id: str = "",
    dwell_ms: int = 0,
    bounce: Bounce | Literal[""] = "",
    reason: str = "",
) -> MessageAnswered:
    """The input that says so: with the event that it is, if a person did it.

    `dwell_ms` is for how long the message was looked at before; 0: nobody knows. `bounce` and
    `reason` tell how and why it `bounced`.
    """
    link = link[:LINK_CHARS_MAX]
    said: dict[str, object] = {
        "campaign_id": sent.campaign,
        "step": sent.step,
        "channel": sent.channel,
        "template": sent.template,
        "variant": sent.variant,
        "message_id": sent.id,
        "link_url": link,
        "bounce_type": bounce,
        "reason": reason,
    }
    properties = {name: value for name, value in said.items() if value}
    if dwell_ms:
        properties["dwell_ms"] = dwell_ms
    if sent.sent_at_ms:
        properties["response_ms"] = max(0, received_at_ms - sent.sent_at_ms)
    return MessageAnswered(
        user_id,
        "" if machine else event_name(sent.channel, answer),
        received_at_ms,
        received_at_ms,
        msgspec.Raw(_encode(properties)),
        message_id,
        answer=answer,
        sent=sent,
        link=link,
        machine=machine,
    )


def bounce_id(effect_id: str, bounce: Bounce) -> str:
    """The message id by which a bounce of a message is taken once, whoever tells of it."""
    return f"bounced:{bounce}:{effect_id}"


def bounced_at_hand_over(
    message: SendMessage, bounce: Bounce, variant: str, reason: str, received_at_ms: int
) -> MessageAnswered | None:
    """The input behind the end of a delivery that failed, where the message has come back.

    None where the channel has no name for that. `variant` is that of the message's record `sent`.
    """
    if not event_name(message.channel, "bounced"):
        return None
    sent = SentMessage(
        message.id,
        message.channel,
        message.campaign,
        message.enrollment,
        message.step,
        message.template,
        variant,
        message.at_ms,
    )
    bounced = answered(
        message.user_id,
        sent,
        "bounced",
        received_at_ms,
        message_id=bounce_id(message.id, bounce),
        bounce=bounce,
        reason=reason[:REASON_LENGTH_MAX],
    )
    bounced.at_hand_over = True
    return bounced


def take_answer(
    user: User, happened: MessageAnswered, effects: list[Effect]
) -> EventReceived | None:
    """Remember an answer and record it; the event that it is, if it is one. O(`ANSWERED_MAX`).

    Recorded is that a message was opened, once by a person and once by a machine; each click of a
    person; the first of a machine.
    """
    # Of one that arrived, or was refused, its record says so already.
    is_told = happened.answer == "delivered" or happened.at_hand_over
    if not is_told and _note(_remembered(user, happened.sent), happened):
        _record(user, happened, effects)
    return _as_event(happened)


def _record(user: User, happened: MessageAnswered, effects: list[Effect]) -> None:
    kind = _KINDS.get(happened.answer)
    sent = happened.sent
    if kind is None or not sent.campaign:
        return
    reason = happened.machine
    if happened.answer in {"complained", "bounced"}:
        reason = happened.answer
    effects.append(
        Record(
            happened.at_ms,
            user.user_id,
            sent.campaign,
            kind,
            sent.enrollment,
            sent.step,
            sent.channel,
            sent.template,
            reason,
            sent.id,
            variant=sent.variant,
            link=happened.link,
            response_ms=max(0, happened.occurred_at_ms - sent.sent_at_ms) if sent.sent_at_ms else 0,
        )
    )


def _as_event(happened: MessageAnswered) -> EventReceived | None:
    """The event that an answer is; None for a machine's, and where it has no name."""
    if not happened.name:
        return None
    kind = EventReceived if happened.answer in BY_PEOPLE else EventNoticed
    return kind(
        happened.user_id,
        happened.name,
        happened.occurred_at_ms,
        happened.received_at_ms,
        happened.properties,
        at_ms=happened.at_ms,
    )


def answered_by(user: User, channel: str) -> list[Answered]:
    """The messages of a channel that he has answered to, as a person, as far as remembered."""
    if user.rapport is None:
        return []
    return [
        one
        for one in user.rapport.answers.values()
        if one.channel == channel and (one.opened_at_ms or one.clicked_at_ms)
    ]


def join_rapport(user: User, other: User) -> None:
    """Have a user remember what the other one did, who is he. O(both)."""
    if other.rapport is None:
        return
    if user.rapport is None:
        user.rapport = other.rapport
        return
    answers = {**other.rapport.answers, **user.rapport.answers}
    newest = sorted(answers, key=lambda effect_id: answers[effect_id].sent_at_ms)[-ANSWERED_MAX:]
    lines = sorted(
        (*other.rapport.consents.splitlines(), *user.rapport.consents.splitlines()),
        key=lambda line: int(line.partition(" ")[0]),
    )
    user.rapport = Rapport(
        {effect_id: answers[effect_id] for effect_id in newest},
        bounded(lines),
    )


def _remembered(user: User, sent: SentMessage) -> Answered:
    """What is remembered of a message, made where nothing is."""
    rapport = user.rapport
    if rapport is None:
        rapport = user.rapport = Rapport({})
    answers = rapport.answers
    known = answers.get(sent.id)
    if known is None:
        known = answers[sent.id] = Answered(sent.channel, sent.sent_at_ms)
        if len(answers) > ANSWERED_MAX:
            del answers[min(answers, key=lambda effect_id: answers[effect_id].sent_at_ms)]
    return known


def _note(known: Answered, happened: MessageAnswered) -> bool:
    """Have an answer in what is remembered of its message; whether it is to be recorded."""
    at_ms = happened.occurred_at_ms
    opened = happened.answer == "opened"
    if happened.machine:
        is_first = not (known.opened_by_machine if opened else known.clicked_by_machine)
        if opened:
            known.opened_by_machine = True
        else:
            known.clicked_by_machine = True
        return is_first
    if opened:
        is_first = not known.opened_at_ms
        known.opened_at_ms = known.opened_at_ms or at_ms
        return is_first
    if happened.answer == "clicked":
        known.clicks += 1
        known.clicked_at_ms = known.clicked_at_ms or at_ms
    return True
