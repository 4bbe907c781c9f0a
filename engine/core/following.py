"""What follows from a change at the same instant: kept in a queue until its turn comes.

A message that goes out, a trait that a step sets and an event that the engine makes may make
conditions true, which brings users in and on, which may change something in turn. Conditions are
asked right as the change is made, so that an edge is truth before and after each of them; what that
brings about waits in the queue, first in, first out. `CHANGES_MAX` of them at one instant, and
chains of as many enrollments (`chains`), are enough for whatever is meant, and beyond that it is a
loop between campaigns: refused, and told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.chains import is_spent, next_link
from engine.core.conditions.edges import recall, risen
from engine.core.turn import Change, Turn

if TYPE_CHECKING:
    from engine.core.conditions.wakes import Wakes
    from engine.core.inputs import EventReceived
    from engine.core.state import Session


def before(turn: Turn, wakes: Wakes) -> frozenset[str] | None:
    """What is true before a change that is to be made (`edges.recall`)."""
    return recall(turn, wakes) if wakes.has_edges else None


def follow(turn: Turn, wakes: Wakes, was_true: frozenset[str] | None) -> None:
    """A change has been made: ask what it may have made true, and keep that for its turn.

    `was_true` is what was `before` it. O(conditions asked + enrollments).
    """
    if not wakes:
        return
    queue, user = turn.queue, turn.user
    assert queue is not None, "conditions that a change can wake make the plan a timed one"
    after = Turn(turn.plan, user, turn.at_ms, turn.now_ms, turn.effects)
    came = risen(after, wakes, before=was_true) if wakes.has_edges or user.watch is None else []
    inside = {one.campaign for one in user.enrollments if one.campaign in wakes.inside}
    if not came and not inside:
        return
    if goes_round(turn):
        for campaign_id in [*(campaign.id for campaign in came), *sorted(inside)]:
            turn.refuse(campaign_id, "loop")
        return
    chain = next_link(turn.enrollment, turn.at_ms)
    queue.append(Change(turn.at_ms, turn.now_ms, None, came, wakes.inside, chain=chain))


def announce(turn: Turn, event: EventReceived, by: str, session: Session | None = None) -> bool:
    """Keep an event of the engine's own for its turn; False where nothing asks for it. O(1).

    `by` is the campaign that is told where it is refused; `session` the one that begins with it.
    """
    queue = turn.queue
    if turn.plan.reactions(event.name) is None:
        return False
    assert queue is not None, "whatever makes events makes the plan a timed one"
    if goes_round(turn):
        turn.refuse(by, "loop")
        return False
    chain = next_link(turn.enrollment, turn.at_ms)
    queue.append(Change(turn.at_ms, turn.now_ms, event, session=session, chain=chain))
    return True


def goes_round(turn: Turn) -> bool:
    """Whether one change more would be too many, at this instant or of this enrollment. O(1)."""
    queue = turn.queue
    return queue is not None and (queue.is_full or is_spent(turn.enrollment, turn.at_ms))
