"""Frequency caps: how many messages a user may be sent in any stretch of time.

Each message that goes takes a *place* at the instant at which it was judged, and gives it back
where it is cancelled or fails for good. Taken places are kept in the user's history, by channel, as
instants of events are (`history`); only for channels that a cap counts, and as far back as the
longest. A least time between two messages (`spacing`) is a cap of one.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Final

import msgspec

from engine.core import history
from engine.core.history import WIDTH, Kept, instants_of
from engine.core.people.traits import CONSENT_CHANNELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from engine.core.messages.waiting import Pending
    from engine.core.state import User

CAP_MAX: Final = 10_000
"""The most that a cap may count."""

PLACES_MIN: Final = 1_000
"""Places of a channel that are kept at least, so that one given back uncovers those before it."""


class Cap(msgspec.Struct, frozen=True):
    """At most `most` messages (1 to `CAP_MAX`) in any `per_ms` (1 or more).

    The window at an instant is that of history functions: `now - per_ms < t <= now`. `channel` is
    the one whose messages count; "": those of all.
    """

    most: int
    per_ms: int
    channel: str = ""


def places_kept(caps: Iterable[Cap]) -> dict[str, Kept]:
    """What of taken places a history keeps, by channel. O(caps)."""
    windows: dict[str, int] = {}
    most = PLACES_MIN
    for cap in caps:
        most = max(most, cap.most)
        for channel in (cap.channel,) if cap.channel else CONSENT_CHANNELS:
            windows[channel] = max(windows.get(channel, 0), cap.per_ms)
    return {channel: Kept(most, window_ms) for channel, window_ms in windows.items()}


def is_capped(user: User, caps: Iterable[Cap], channel: str, now_ms: int) -> bool:
    """Whether one message more on `channel` would be more than a cap allows.

    O(caps + channels), and where as many places are taken as a cap allows, as long ago as they may
    be, O(channels * log of places) for that cap.
    """
    taken = user.history
    if not taken:
        return False
    of_all = [packed for name in _NAMES.values() if (packed := taken.get(name))]
    own = taken.get(_NAMES[channel], b"")
    in_all, of_own = sum([len(packed) for packed in of_all]), len(own)
    for cap in caps:
        least = cap.most * WIDTH
        if cap.channel:
            if cap.channel == channel and of_own >= least and _taken(cap, (own,), now_ms):
                return True
        elif in_all >= least and _taken(cap, of_all, now_ms):
            return True
    return False


def _taken(cap: Cap, places: Iterable[bytes], now_ms: int) -> bool:
    """Whether all that a cap allows is taken in its window."""
    since_ms, count = now_ms - cap.per_ms, 0
    for packed in places:
        instants = instants_of(packed)
        count += len(instants) - bisect_right(instants, since_ms)
    return count >= cap.most


def take_place(user: User, kept: Mapping[str, Kept], channel: str, now_ms: int) -> None:
    """Note that a message goes, as far as a cap counts such."""
    of_channel = kept.get(channel)
    if of_channel is not None:
        history.insert(user, _NAMES[channel], now_ms, of_channel, now_ms)


def give_back(user: User, pending: Pending) -> None:
    """A message does not go after all: what it took is free again. O(places)."""
    name = _NAMES.get(pending.channel, "")
    packed = user.history.get(name, b"")
    instants = instants_of(packed)
    place = bisect_right(instants, pending.sent_at_ms) - 1
    if place >= 0 and instants[place] == pending.sent_at_ms:
        at = place * WIDTH
        user.history[name] = packed[:at] + packed[at + WIDTH :]


def place_name(channel: str) -> str:
    """The name under which a history has the places taken on a channel: no event has it."""
    return history.sent_name(history.sent_name(channel))


_NAMES: Final = {channel: place_name(channel) for channel in CONSENT_CHANNELS}
