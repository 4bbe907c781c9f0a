"""Sessions: what a user does with no pause as long as the shop's gap.

The engine makes two events of its own: `Session Started`, which follows the event that began the
session and has its `t`, and `Session Ended`, at the instant at which the gap has passed since the
last activity. What came late extends a session that is still under way, and never opens one that
has ended. History that is brought in makes none.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from engine.core.inputs import EventReceived
from engine.core.state import Session

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.core.cel import Program
    from engine.core.state import User

SESSION_STARTED = "Session Started"
SESSION_ENDED = "Session Ended"

DURATION = "session.duration"
FIRST = "session.first"

SESSION_NAMES = frozenset({DURATION, FIRST})
"""The variables of conditions."""

SESSION_EVENTS = frozenset({SESSION_STARTED, SESSION_ENDED})
"""What the engine makes."""


def asks_for_sessions(programs: Iterable[Program], events: Iterable[str]) -> bool:
    """Whether a condition asks for a session, or anything waits for one to start or end."""
    return not SESSION_EVENTS.isdisjoint(events) or any(
        one.names & SESSION_NAMES for one in programs
    )


def follow(
    user: User, event: EventReceived, gap_ms: int
) -> tuple[tuple[EventReceived, Session | None], ...]:
    """Have an activity in its user's sessions, before it is in `last_seen_at_ms`.

    Returns the events that the engine makes of it, in order, to follow it in the queue. With the
    one that starts a session comes that session, the user's own as that event is applied: whatever
    is asked of sessions before is told of the last one. O(1).
    """
    at_ms, session = event.occurred_at_ms, user.session
    made: tuple[tuple[EventReceived, Session | None], ...] = ()
    if session is not None and at_ms < session.ends_at_ms:
        if not session.ended and at_ms > session.active_at_ms:
            session.active_at_ms = at_ms
            session.ends_at_ms = at_ms + gap_ms
        return ()
    if session is not None and not session.ended:
        # Its end is held back after a downtime: it comes before the next one starts.
        session.ended = True
        made = ((_make(user, SESSION_ENDED, session.ends_at_ms, event.at_ms), None),)
    begun = Session(at_ms, at_ms, at_ms + gap_ms, first=not user.last_seen_at_ms)
    if at_ms + gap_ms < event.at_ms:  # it came so late that its session is over
        begun.known_at_ms = event.at_ms
    return (*made, (_make(user, SESSION_STARTED, at_ms, event.at_ms), begun))


def ends_next(user: User) -> int | None:
    """When a session's end is due, if that is before anything else of its user. O(deadlines)."""
    session = user.session
    if session is None or session.ended:
        return None
    due_at_ms = max(session.ends_at_ms, session.known_at_ms)
    if any(one.due_at_ms <= due_at_ms for one in user.enrollments):
        return None
    if user.watch is not None and any(at <= due_at_ms for at in user.watch.alarms.values()):
        return None
    return due_at_ms


def end(user: User) -> EventReceived:
    """The session's gap has passed: it has ended. Returns the event that the engine makes.

    It is applied as of when it was due, whenever that is judged.
    """
    session = user.session
    assert session is not None, "its end was due"
    session.ended = True
    due_at_ms = max(session.ends_at_ms, session.known_at_ms)
    return _make(user, SESSION_ENDED, session.ends_at_ms, due_at_ms)


def bind(user: User) -> dict[str, Any]:
    """What conditions can ask of the user's session, or of his last one; nothing where none was."""
    session = user.session
    if session is None:
        return {}
    lasted_ms = session.active_at_ms - session.started_at_ms
    return {DURATION: timedelta(milliseconds=lasted_ms), FIRST: session.first}


def take_on(user: User, at_ms: int, *, asked: bool, gap_ms: int) -> None:
    """Go on under another plan: with its gap, or without sessions where nothing asks for them."""
    session = user.session
    if session is None:
        return
    if not asked:
        user.session = None
    elif not session.ended:
        session.ends_at_ms = session.active_at_ms + gap_ms
        if session.ends_at_ms < at_ms:
            session.known_at_ms = at_ms


def _make(user: User, name: str, occurred_at_ms: int, at_ms: int) -> EventReceived:
    return EventReceived(user.user_id, name, occurred_at_ms, occurred_at_ms, at_ms=at_ms)
