"""Rising edges: users come in at each instant at which a condition goes from false to true.

How a condition was answered last, and until when that holds, is kept with the user (`Watch`). One
that is not true has an alarm at the instant at which time alone could make it true; it is asked
then, and whenever something touches it. One that is true needs none, but where time can make it
true once more after it made it false. For a user who was never seen every condition was false.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

import msgspec

from engine.core.conditions.touches import Touches
from engine.core.holding import goes_live
from engine.core.state import NEVER, Watch, new_user
from engine.core.turn import Turn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.core.conditions.condition import Condition
    from engine.core.conditions.wakes import Wakes
    from engine.core.plan import Campaign, Plan
    from engine.core.state import User


def begin(user: User) -> Watch:
    """What is known of how conditions were answered, made where none was asked yet."""
    watch = user.watch
    if watch is None:
        watch = user.watch = Watch({}, {})
    return watch


def refresh(turn: Turn) -> None:
    """Ask what was true until before this instant, as it is before anything more happens.

    It may have ceased to be true with nobody watching; then it can become true anew. O(conditions
    that were true).
    """
    watch = turn.user.watch
    if watch is None:
        return
    campaigns = turn.plan.campaigns
    stale = [key for key, until_ms in watch.truths.items() if until_ms <= turn.at_ms]
    for key in stale:
        _ask(turn, watch, campaigns[key])


def recall(turn: Turn, wakes: Wakes) -> frozenset[str] | None:
    """Of which campaigns the condition is true before a change of an instant that has passed.

    What was answered last may be of a later instant, up to which alarms were followed, or of an
    input that came meanwhile. None where the change is made now. O(conditions that it may touch).
    """
    watch = turn.user.watch
    if turn.at_ms >= turn.now_ms or watch is None:
        return None
    asked = wakes.raised.ids | {key for key in watch.truths if wakes.may_change(key)}
    own = Turn(turn.plan, turn.user, turn.at_ms, turn.now_ms, [])
    return frozenset(
        campaign.id
        for campaign, edge in _edges(turn.plan)
        if campaign.id in asked and own.ask(edge, campaign.id)[0]
    )


def risen(
    turn: Turn, wakes: Wakes, *, is_first: bool = False, before: frozenset[str] | None = None
) -> list[Campaign]:
    """Ask the conditions that may have become true, or ceased to be; those that have become true.

    In order of rank. One that is not true, and can only be made false by what happened, is not
    asked: its alarm may come too early by now, and never too late; but for the first that a user
    does (`is_first`), from which on he can be idle. Of somebody who is new, all are asked that may
    be true of him. What has risen already, and is held back, is left alone. O(conditions asked).

    Where the change is of an instant that has passed, `before` is what was true then (`recall`):
    who is in by what came later is not brought in anew, and what was true already rises not.
    """
    watch = turn.user.watch
    if watch is None or is_first:
        asked = _of_beginner(turn.plan, wakes, is_new=watch is None)
        watch = begin(turn.user)
    else:
        asked = list(wakes.raised.campaigns)
        raised = wakes.raised.ids
        true = [key for key in watch.truths if key not in raised and wakes.may_change(key)]
        if true:
            campaigns = turn.plan.campaigns
            asked = sorted([*asked, *[campaigns[key] for key in true]], key=attrgetter("rank"))
    if turn.user.held_until_ms > turn.now_ms or before is not None:
        asked = [one for one in asked if watch.alarms.get(one.id, NEVER) > turn.at_ms]
    if before is None:
        return [campaign for campaign in asked if _ask(turn, watch, campaign)]
    asked = [one for one in asked if one.id in before or one.id not in watch.truths]
    return [one for one in asked if _ask(turn, watch, one) and one.id not in before]


def follow_alarms(plan: Plan, user: User, at_ms: int) -> None:
    """Follow alarms up to an instant, inclusive: one that is left there has risen. O(asked)."""
    watch = user.watch
    if watch is None:
        return
    for key in [*watch.alarms]:
        while (asked_at_ms := watch.alarms.get(key, NEVER)) <= at_ms:
            turn = Turn(plan, user, asked_at_ms, asked_at_ms, [])
            if _ask(turn, watch, plan.campaigns[key]):
                del watch.truths[key]  # not before its turn
                watch.alarms[key] = asked_at_ms
                break


def ring(turn: Turn, campaign: Campaign) -> bool:
    """Ask a condition at the instant of its alarm; whether it has become true."""
    return _ask(turn, begin(turn.user), campaign)


def alarmed(plan: Plan, user: User) -> Campaign | None:
    """The campaign whose condition is to be asked before anything else of the user is due.

    None where an enrollment is due before it: earlier, or of a higher rank, or of that campaign.
    O(conditions + enrollments).
    """
    alarms = user.watch.alarms if user.watch is not None else {}
    if not alarms:
        return None
    campaigns = plan.campaigns
    first = min((at_ms, campaigns[key].rank) for key, at_ms in alarms.items())
    for enrollment in user.enrollments:
        if (enrollment.due_at_ms, campaigns[enrollment.campaign].rank) <= first:
            return None
    return campaigns[first[1][1]]


def take_on(turn: Turn, before: Plan) -> list[Campaign]:
    """Have a user go on under another plan: what is true of him already brings him in nowhere.

    But where a campaign that goes live by it asks for that (`backfill`): those are given back, in
    order of rank. What was asked in the same words before goes on as it is. O(conditions).
    """
    plan, user = turn.plan, turn.user
    if not plan.edges:
        user.watch = None
        return []
    earlier = begin(user)
    watch = user.watch = Watch({}, {})
    for campaign in plan.edges:
        key = campaign.id
        if _is_same(before, plan, key):
            for kept, known in ((watch.truths, earlier.truths), (watch.alarms, earlier.alarms)):
                if key in known:
                    kept[key] = known[key]
        else:
            _ask(turn, watch, campaign)
    return [
        campaign
        for campaign in plan.edges
        if campaign.entry.backfill
        and campaign.id in watch.truths
        and goes_live(before, plan, campaign, user.user_id)
    ]


def _is_same(before: Plan, plan: Plan, key: str) -> bool:
    one, other = before.campaigns.get(key), plan.campaigns[key]
    if one is None or one.entry.edge is None or other.entry.edge is None:
        return False
    return one.entry.edge.signature == other.entry.edge.signature


def _ask(turn: Turn, watch: Watch, campaign: Campaign) -> bool:
    """Ask one condition, keep the answer; whether it has become true."""
    edge, key = campaign.entry.edge, campaign.id
    assert edge is not None, "only campaigns with a condition to come in by are asked"
    holds, until_ms = turn.ask(edge, key)
    was_true = key in watch.truths
    if holds:
        watch.truths[key] = until_ms
    elif was_true:
        del watch.truths[key]
    # Asked about an instant that has passed, what is known of later ones can make it true again.
    if until_ms < NEVER and (not holds or edge.may_come_back or turn.at_ms < turn.now_ms):
        watch.alarms[key] = until_ms
    else:
        watch.alarms.pop(key, None)
    return holds and not was_true


def _of_beginner(plan: Plan, wakes: Wakes, *, is_new: bool) -> list[Campaign]:
    """Whose condition to ask of one who did nothing before, in order of rank."""
    if plan.newcomers is None or plan.beginners is None:
        plan.newcomers, plan.beginners = _newcomers(plan), _beginners(plan)
    named = wakes.named.ids | wakes.raised.ids
    asked = named | (plan.beginners & wakes.active.ids)
    if is_new:
        asked |= plan.newcomers
    return sorted((plan.campaigns[key] for key in asked), key=attrgetter("rank"))


def _newcomers(plan: Plan) -> frozenset[str]:
    """The campaigns whose condition may be true, some time, of one who has done nothing."""
    return frozenset(
        campaign.id
        for campaign, edge in _edges(plan)
        if "now" in edge.touches.names or _may_hold(plan, new_user(""), campaign, edge)
    )


def _beginners(plan: Plan) -> frozenset[str]:
    """Those whose condition may be true of one who has just done what it does not name."""
    seen = new_user("")
    seen.last_seen_at_ms = 1
    return frozenset(
        campaign.id
        for campaign, edge in _edges(plan)
        if msgspec.structs.replace(edge.touches, events=frozenset(), activity=False) != Touches()
        or _may_hold(plan, seen, campaign, edge)
    )


def _edges(plan: Plan) -> Iterator[tuple[Campaign, Condition]]:
    for campaign in plan.edges:
        if campaign.entry.edge is not None:
            yield campaign, campaign.entry.edge


def _may_hold(plan: Plan, user: User, campaign: Campaign, edge: Condition) -> bool:
    """Whether a condition is true of a user, or may become so by time alone."""
    at_ms = user.last_seen_at_ms
    return Turn(plan, user, at_ms, at_ms, []).ask(edge, campaign.id) != (False, NEVER)
