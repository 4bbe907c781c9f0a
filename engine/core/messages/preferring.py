"""`send: preferred`: the channel that a user answers to.

Of each channel it is known which messages went out (`history`, as `received()` has them) and to
which of them he answered, as a person: opened, clicked (`answers`). Counted are the newest
`SENDS_MAX` of the last `WINDOW_MS`, so that who changes his habits is followed. Few messages
say little: to each channel are added some of which one was answered, ten to the first of `CHANNELS`
and `STEP` more to each behind it. So the first is taken where nothing is known, the next one is
tried after a handful that he left unanswered, and none is left that he answers to now and then.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Final

import msgspec

from engine.core.conditions.needs import both, sends_needed
from engine.core.history import Kept, instants_of, sent_name
from engine.core.messages.answers import answered_by
from engine.core.steps.kinds import Send

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.core.cel import Program
    from engine.core.plan import Campaign
    from engine.core.state import User

CHANNELS: Final = ("email", "push", "sms", "in_app")
"""Those that may be preferred, in the order in which they are where nothing is known."""

WINDOW_MS: Final = 7_776_000_000
"""Ninety days."""

SENDS_MAX: Final = 50
SMOOTHING: Final = 10
STEP: Final = 3

KEPT: Final = Kept(SENDS_MAX, WINDOW_MS)
"""What a history keeps of each such channel's messages."""


class Standing(msgspec.Struct, frozen=True):
    """How a user answers to a channel.

    Attributes:
        sent: Messages that count.
        answered: Those of them that he answered to.
    """

    channel: str
    sent: int = 0
    answered: int = 0

    @property
    def rate(self) -> float:
        """The share that he answers to, smoothed: above 0.0, below 1.0."""
        return (self.answered + 1) / (self.sent + SMOOTHING + STEP * CHANNELS.index(self.channel))


def sends_kept(
    programs: Iterable[Program], campaigns: Iterable[Campaign], events_max: int
) -> dict[str, Kept]:
    """What history keeps of messages, by channel or campaign: what conditions and this ask of them.

    O(size of the conditions + steps).
    """
    kept = sends_needed(programs, events_max)
    sends = [step for campaign in campaigns for step in campaign.steps if isinstance(step, Send)]
    for channel in sorted({channel for step in sends for channel in step.preferred}):
        kept[channel] = both(kept[channel], KEPT) if channel in kept else KEPT
    return kept


def standings(user: User, channels: Iterable[str], now_ms: int) -> list[Standing]:
    """How a user answers to channels, the preferred one first.

    O(channels * (log of messages + messages answered)).
    """
    found = [_standing(user, channel, now_ms) for channel in channels]
    return sorted(found, key=lambda one: (-one.rate, CHANNELS.index(one.channel)))


def _standing(user: User, channel: str, now_ms: int) -> Standing:
    packed = user.history.get(sent_name(channel))
    if not packed:
        return Standing(channel)
    instants = instants_of(packed)
    first = max(bisect_right(instants, now_ms - WINDOW_MS), len(instants) - SENDS_MAX)
    sent = len(instants) - first
    if not sent:
        return Standing(channel)
    since_ms = instants[first]
    answered = sum(one.sent_at_ms >= since_ms for one in answered_by(user, channel))
    return Standing(channel, sent, min(answered, sent))
