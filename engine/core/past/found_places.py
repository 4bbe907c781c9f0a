"""What the archive has of messages that count under caps which are new.

The records tell which went out, and the journal how each of them ended; either may be read first.
Until all is read each is kept as one that is pending, on the user of whom nothing else is known
(`found`); in the place of why it was `cancelled` stands what became of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core import history
from engine.core.messages.caps import place_name
from engine.core.messages.waiting import Pending, by_id, find_message

if TYPE_CHECKING:
    from engine.core.effects import Record
    from engine.core.inputs import DeliveryReported, LetterRevived
    from engine.core.past.coming import Gap
    from engine.core.plan import Plan
    from engine.core.state import User

_STAYED: Final = "delivered"
_GAVE_BACK: Final = "gave its place back"
_REVIVED: Final = "revived"


def note_taken(found: User, sent: Record, at_ms: int) -> None:
    """A message went out, judged at `at_ms`. O(1)."""
    taken = _of(found, sent.message)
    if not taken.channel:
        taken.channel = sent.channel
        taken.sent_at_ms = taken.sent_at_ms or at_ms


def note_ended(found: User, report: DeliveryReported) -> None:
    """A message came to an end: the first that is told counts, as when it was told. O(1)."""
    taken = _of(found, report.effect_id)
    if taken.cancelled in {"", _REVIVED}:
        taken.cancelled = _STAYED if report.outcome == "delivered" else _GAVE_BACK


def note_revived(found: User, revived: LetterRevived) -> None:
    """One that had failed was to go after all: where it did, it took its place then. O(1)."""
    taken = _of(found, revived.effect_id)
    if taken.cancelled == _GAVE_BACK:
        taken.cancelled, taken.sent_at_ms = _REVIVED, revived.at_ms


def put_places(plan: Plan, gap: Gap, found: User, user: User) -> None:
    """All was read: have the places that are taken in what is found.

    `user` is himself; of a message that is still under way he knows the instant to the millisecond,
    where the record may have the one at which it was due. O(messages found * log of them).
    """
    taken: dict[str, list[int]] = {channel: [] for channel in gap.places}
    for message, one in by_id(found.pending).items():
        own = find_message(user.pending, message)
        # One that was to go after all, and then might not, has no end and is not under way either.
        holds = one.cancelled in {"", _STAYED} or (one.cancelled == _REVIVED and own is not None)
        if holds and one.channel in taken:
            taken[one.channel].append((own and own.sent_at_ms) or one.sent_at_ms)
    for channel, instants in taken.items():
        name = place_name(channel)
        if name in user.history:  # of a plan that had caps before: what it has is not all
            found.history = {**found.history, name: b""}
        for at_ms in sorted(instants):
            history.insert(found, name, at_ms, plan.kept_places[channel], at_ms)
    found.pending = ()


def _of(found: User, message: str) -> Pending:
    """What is known of a message, from now on."""
    waiting = found.pending = by_id(found.pending)
    taken = waiting.get(message)
    if taken is None:
        taken = waiting[message] = Pending("", "", "", "", "", 0)
    return taken
