"""What the archive has of messages that count under caps which are new.

The records tell which went out, and the journal which of them were cancelled or failed; either may
be read first. Until all is read each is kept as one that is pending, `cancelled` where it gave its
place back, on the user of whom nothing else is known (`found`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core import history
from engine.core.messages.caps import place_name
from engine.core.state import Pending

if TYPE_CHECKING:
    from engine.core.effects import Record
    from engine.core.inputs import DeliveryReported
    from engine.core.past.coming import Gap
    from engine.core.plan import Plan
    from engine.core.state import User

_GAVE_BACK: Final = "gave its place back"


def note_taken(found: User, sent: Record, at_ms: int) -> None:
    """A message went out, judged at `at_ms`. O(1)."""
    if sent.message not in found.pending:
        taken = Pending("", "", "", sent.channel, "", 0, sent_at_ms=at_ms)
        _add(found, sent.message, taken)


def note_ended(found: User, report: DeliveryReported) -> None:
    """A message was cancelled, or failed for good. O(1)."""
    taken = found.pending.get(report.effect_id)
    if taken is None:
        taken = Pending("", "", "", "", "", 0)
        _add(found, report.effect_id, taken)
    taken.cancelled = _GAVE_BACK


def put_places(plan: Plan, gap: Gap, found: User, user: User) -> None:
    """All was read: have the places that are taken in what is found.

    `user` is himself; of a message that is still under way he knows the instant to the millisecond,
    where the record may have the one at which it was due. O(messages found * log of them).
    """
    taken: dict[str, list[int]] = {channel: [] for channel in gap.places}
    for message, one in found.pending.items():
        if not one.cancelled:
            own = user.pending.get(message)
            taken[one.channel].append((own and own.sent_at_ms) or one.sent_at_ms)
    for channel, instants in taken.items():
        name = place_name(channel)
        if name in user.history:  # of a plan that had caps before: what it has is not all
            found.history = {**found.history, name: b""}
        for at_ms in sorted(instants):
            history.insert(found, name, at_ms, plan.kept_places[channel], at_ms)
    found.pending = {}


def _add(found: User, message: str, taken: Pending) -> None:
    if found.pending:
        found.pending[message] = taken
    else:
        found.pending = {message: taken}
