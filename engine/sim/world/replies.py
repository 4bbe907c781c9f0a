"""What was done with messages, by brute force: which answers of the journal are to be recorded."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from engine.core.inputs import DeliveryReported, MessageAnswered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from engine.core.effects import Record
    from engine.core.inputs import Input

TOLD_AS: Final = {
    "opened": "opened",
    "clicked": "clicked",
    "unsubscribed": "unsubscribed",
    "complained": "unsubscribed",
    "bounced": "failed",
}
"""The kind of record that an answer is told by; of any other nothing is."""

BOUNCED_AS: Final = {
    "email": "Email Bounced",
    "push": "Push Notification Bounced",
    "sms": "SMS Bounced",
}
"""By channel, the event that a bounce is; of any other it is none."""

ANSWERED: Final = frozenset({"opened", "clicked", "unsubscribed"})
"""Kinds of records that tell of nothing but answers."""

BY_WORD: Final = frozenset({"complained", "bounced"})
"""Answers that their records give as the reason."""


def misheard(
    journal: Iterable[Input], records: Iterable[Record], is_gone: Callable[[str], bool]
) -> str:
    """An answer that is not told of and should be, or the other way; "" where there is none.

    Of a message it is told once that a person opened it and once that a machine did, each click of
    a person's and the first of a machine's, and whatever else a person did.
    """
    expected: Counter[tuple[str, str, str, int]] = Counter()
    seen: set[tuple[str, str, bool]] = set()
    for one in journal:
        if not isinstance(one, MessageAnswered) or one.answer not in TOLD_AS:
            continue
        if is_gone(one.user_id) or one.at_hand_over:
            continue
        known = (one.sent.id, one.answer, bool(one.machine))
        once = one.answer == "opened" or one.machine
        if not (once and known in seen):
            reason = one.answer if one.answer in BY_WORD else one.machine
            expected[one.sent.id, TOLD_AS[one.answer], reason, one.at_ms] += 1
        seen.add(known)
    told: Counter[tuple[str, str, str, int]] = Counter()
    for record in records:
        if record.kind in ANSWERED or is_bounce(record):
            key = (record.message, record.kind, record.reason, record.at_ms)
            told[key] += not is_gone(record.user_id)
    if missing := expected - told:
        return f"not told: {dict(missing)}"
    return f"told, and not done: {dict(told - expected)}" if told - expected else ""


def not_bounced(
    journal: Sequence[Input], channels: Mapping[str, str], is_gone: Callable[[str], bool]
) -> str:
    """A message that came back as it was handed over and is no event, or one that did not and is.

    The event stands right behind the end of the delivery; one that was revived may come back again,
    and is the same event. `channels` has the channel of each message.
    """
    silent: set[str] = set()
    told: set[str] = set()
    for before, one in pairwise(journal):
        if isinstance(one, DeliveryReported) and one.bad_address and not is_gone(one.user_id):
            if one.outcome == "failed" and channels.get(one.effect_id) in BOUNCED_AS:
                silent.add(one.effect_id)
        elif isinstance(one, MessageAnswered) and one.at_hand_over and not is_gone(one.user_id):
            told.add(one.sent.id)
            ended = (getattr(before, "effect_id", ""), getattr(before, "outcome", ""))
            if one.name != BOUNCED_AS[one.sent.channel] or ended != (one.sent.id, "failed"):
                return f"{one} stands behind {before}"
    silent -= told
    return f"nothing came of the refusal of {min(silent)}" if silent else ""


def is_bounce(one: Record) -> bool:
    """Whether it tells of a mailbox that is none, long after the message was delivered."""
    return one.kind == "failed" and one.reason == "bounced"
