"""What users hold in common: names out of the plan, and having nothing.

Whoever comes from the store has a copy of each name that his state bears: of a message that waits,
the campaign's, the step's, the channel's and the template's, which is as much again as all the rest
of it. Users that were made here have the plan's own strings, and so have these again.
"""

from __future__ import annotations

from sys import intern
from typing import TYPE_CHECKING, Any, Final

from engine.core.messages.waiting import compact, each_message

if TYPE_CHECKING:
    from engine.core.state import User

NOTHING: Final[dict[str, Any]] = {}
"""Eight empty dicts of its own would be a fifth of what most users hold."""


def share(user: User) -> None:
    """Have one who was just decoded hold what others hold too. O(enrollments + messages)."""
    user.traits = user.traits or NOTHING
    user.history = user.history or NOTHING
    user.suppressed = user.suppressed or NOTHING
    user.collections = user.collections or NOTHING
    user.details = user.details or NOTHING
    user.scores, user.drawn = user.scores or NOTHING, user.drawn or NOTHING
    user.aliases = user.aliases or NOTHING
    for enrollment in user.enrollments:
        enrollment.campaign = intern(enrollment.campaign)
        enrollment.event_name = intern(enrollment.event_name)
        enrollment.signature = intern(enrollment.signature)
    for ended in user.ended:
        ended.campaign = intern(ended.campaign)
    for message in each_message(user.pending):
        message.campaign = intern(message.campaign)
        message.step = intern(message.step)
        message.channel = intern(message.channel)
        message.template = intern(message.template)
        message.topic = intern(message.topic)
        if message.sent_at_ms == message.entered_at_ms:
            message.sent_at_ms = message.entered_at_ms
    if isinstance(user.pending, dict):  # as it is saved
        user.pending = compact(user.pending)
