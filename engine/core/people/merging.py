"""Two users become one: what of either goes on, and what gives way.

The rules are those of docs/reference/identity.md, one function each. What a user has done is as if
one user had done it all (`joining`); what he has said of himself is the known one's, and the rest
where that is silent; of consents the stricter wins; and where both are in a campaign with the same
`per`, one enrollment goes on, which sends nothing again that the other had come to.

Whoever calls has had both take the plan on, and time pass for both up to the instant; behind it
comes what the input says of the user (`transition.step`), and what has become true by both.
"""

from __future__ import annotations

from collections import Counter
from operator import attrgetter
from typing import TYPE_CHECKING

from engine.core.conditions.edges import refresh
from engine.core.entry import ENTRIES_MAX, forget_entries
from engine.core.exits import Leaving, leave, leave_all, take_back
from engine.core.goals import TOUCHES_MAX, join_ended, reach
from engine.core.guardrails import PENDING_MAX, address_of
from engine.core.messages.answers import join_rapport
from engine.core.messages.clicks import CLICKS_MAX
from engine.core.messages.waiting import by_id, compact
from engine.core.past.entered import (
    COUNT_MAX,
    count_entries,
    count_of,
    each_entry,
    join_marks,
    newest_entry,
    with_count,
    with_entry,
)
from engine.core.people import meeting, refusals
from engine.core.people.doubling import what
from engine.core.people.joining import join_collections, join_history, join_session
from engine.core.people.traits import join_traits
from engine.core.state import drop, reckon
from engine.core.steps.kinds import END
from engine.core.steps.repeats import has_passed, join_passed
from engine.core.turn import Turn

if TYPE_CHECKING:
    from engine.core.effects import Effect
    from engine.core.people.meeting import Awaited, Met
    from engine.core.plan import Plan
    from engine.core.state import Enrollment, User

MERGED = "merged"
"""Why an enrollment or a message gives way to the other user's."""


def merge(plan: Plan, user: User, other: User, at_ms: int, effects: list[Effect]) -> Awaited:
    """Have `user`, who is known, go on as both; `other` is nobody from here on. Total.

    Returns what either had done while an enrollment of the other one waited for such an event: it
    is met once the input at hand has told who both are. O(what is kept of both).
    """
    turn = Turn(plan, user, at_ms, at_ms, effects)
    met = meeting.meet(plan, user, other)
    _join_watch(turn, other)
    _join_said(user, other)
    _join_bookkeeping(user, other)
    user.held_until_ms = max(user.held_until_ms, other.held_until_ms)
    user.session = join_session(
        user.session, other.session, was_first=not (user.last_seen_at_ms and other.last_seen_at_ms)
    )
    join_history(plan, user, other, at_ms)
    join_collections(plan, user, other)
    _join_enrollments(turn, other, met)
    user.last_seen_at_ms = max(user.last_seen_at_ms, other.last_seen_at_ms)
    user.fired_at_ms = max(user.fired_at_ms, other.fired_at_ms)
    user.identified_at_ms = max(user.identified_at_ms, other.identified_at_ms)
    if count_entries(user.entries) > ENTRIES_MAX:
        forget_entries(turn, ENTRIES_MAX)
    reckon(user)
    return met.awaited


def bear(user: User, alias: str, other: User | None, at_ms: int) -> None:
    """Note that an id means `user` from an instant on, and what meant whom it meant so far."""
    theirs = {} if other is None else other.aliases
    user.aliases = {**user.aliases, **theirs, alias: at_ms}
    user.is_anonymous = False


def _join_watch(turn: Turn, other: User) -> None:
    """What was true of the known user just before is nothing new.

    Nor is what was true of the other one and has brought him in. For a user who was never seen, the
    other's answers stand: he has a name now.
    """
    user = turn.user
    watch, theirs = user.watch, other.watch
    if theirs is None:
        return
    refresh(Turn(turn.plan, other, turn.at_ms, turn.now_ms, turn.effects))
    if watch is None:
        user.watch = theirs
        return
    refresh(turn)
    entered = {key.partition("\n")[0] for key, _ in each_entry(other.entries)}
    for key, until_ms in theirs.truths.items():
        if key in entered:
            watch.truths.setdefault(key, until_ms)


def _join_said(user: User, other: User) -> None:
    """Traits, draws, scores, addresses that are no good."""
    join_traits(user, other.traits)
    join_rapport(user, other)
    if other.drawn:
        user.drawn = {**other.drawn, **user.drawn}
    if other.scores:
        user.scores = {**other.scores, **user.scores}
    if other.suppressed:
        theirs = other.suppressed
        in_use = {by: bad for by, bad in theirs.items() if bad == address_of(user, by)}
        user.suppressed = {**theirs, **user.suppressed, **in_use}


def _join_bookkeeping(user: User, other: User) -> None:
    """Entries, by the newest of each and the latest end; late ones keep their own count.

    What ended and may still reach its goal. The last refusals.
    """
    for key, (start_ms, marks) in each_entry(other.entries):
        own_ms, own_marks = newest_entry(user.entries, key) or (-1, 0)
        newest_ms = max(start_ms, own_ms)
        counts = [
            count_of(one) for at, one in ((start_ms, marks), (own_ms, own_marks)) if at == newest_ms
        ]
        joined = with_count(join_marks(own_marks, marks), min(sum(counts), COUNT_MAX))
        user.entries = with_entry(user.entries, key, newest_ms, joined)
    join_ended(user, other)
    user.late_entries = max(user.late_entries, other.late_entries)
    user.refused = refusals.pack(sorted([*other.refusals, *user.refusals], key=lambda one: one[0]))


# Enrollments, and the messages that wait


def _join_enrollments(turn: Turn, other: User, met: Met) -> None:
    user, plan = turn.user, turn.plan
    own, theirs = user.enrollments, other.enrollments
    in_order = sorted((*own, *theirs), key=attrgetter("entered_at_ms"))
    user.enrollments = tuple(in_order)
    again, behind = met.doubled
    doubled = _join_pending(turn, other, again)
    leave_all(turn, _ended_by_other(turn, met))
    for effect_id in by_id(user.pending):
        if effect_id in again:
            take_back(turn, effect_id, MERGED)
    standing = Counter((one.campaign, one.per) for one in in_order if one.position != END)
    for one in in_order:
        # Where the one that it gives way to has just left, nothing goes on in its place.
        is_behind = one.enrollment in behind and standing[one.campaign, one.per] == 1
        if one.position != END and (is_behind or one.enrollment in again):
            leave(turn, one, "reentry")
    for enrollment in theirs:
        key, per = enrollment.campaign, enrollment.per
        same = [one for one in own if (one.campaign, one.per) == (key, per) and one.position != END]
        if same and enrollment.position != END:
            _give_way(turn, same[0], enrollment, behind)
    _part_groups(turn, {one.campaign for one in own}, {one.campaign for one in theirs})
    for effect_id in doubled:
        take_back(turn, effect_id, MERGED)
    _bound_pending(turn)
    while len(user.enrollments) > plan.policy.enrollments_max:
        leave(turn, user.enrollments[-1], "limit")


def _ended_by_other(turn: Turn, met: Met) -> Leaving:
    """Record the goals that what either had done is for the other one; whom that ends.

    In order, as it would have been had one user done all: goals come before exits.
    """
    plan, user, effects = turn.plan, turn.user, turn.effects
    reached: set[str] = set()
    for event, among in met.aimed:
        at_hand = Turn(plan, user, turn.at_ms, turn.now_ms, effects, event.name, event.properties)
        goals = plan.reactions(event.name, plan.unnamed).goals
        reached |= reach(at_hand, goals, event.occurred_at_ms, among - reached)
    leavers = [(one, "event") for one in user.enrollments if one.enrollment in met.ended]
    leavers += [
        (one, "goal")
        for one in user.enrollments
        if one.enrollment in reached and one.enrollment not in met.ended
    ]
    messages = [
        effect_id
        for effect_id, pending in by_id(user.pending).items()
        if effect_id in met.ended or pending.enrollment in reached
    ]
    return Leaving(leavers, reached, messages)


def _give_way(turn: Turn, own: Enrollment, theirs: Enrollment, behind: set[str]) -> None:
    """Of two in a campaign, the older goes on, as the younger would not have been let in.

    Where a campaign restarts while it is active, the younger: it would have ended the other. One
    that began while an earlier one of the other user's was under way goes on in neither case.
    What the one that leaves had come to is not sent by the one that stays. What it has sent is the
    other one's from here on: what ends that one takes it back, and it counts as its last touch.
    """
    restarts = turn.plan.campaigns[own.campaign].entry.restart
    is_older = own.entered_at_ms <= theirs.entered_at_ms
    is_younger = own.entered_at_ms >= theirs.entered_at_ms
    own_stays = is_younger if restarts else is_older
    if (own.enrollment in behind) != (theirs.enrollment in behind):
        own_stays = theirs.enrollment in behind
    stays, leaves = (own, theirs) if own_stays else (theirs, own)
    _share_pending(turn, stays, leaves)
    join_passed(stays, leaves)
    stays.touches = tuple(sorted((*stays.touches, *leaves.touches))[-TOUCHES_MAX:])
    stays.clicks = tuple(sorted((*stays.clicks, *leaves.clicks))[-CLICKS_MAX:])
    leaves.position = END
    drop(turn.user, leaves)
    turn.record("exited", leaves, reason=MERGED)


def _share_pending(turn: Turn, stays: Enrollment, leaves: Enrollment) -> None:
    """Have messages of both be those of one, but for a step that the other one had come to.

    Where both wait of one step, the younger's is taken back (`_join_pending`). O(messages).
    """
    pending = by_id(turn.user.pending)
    open_ones = [one for one in pending.values() if not one.cancelled]
    waiting = {(one.enrollment, one.step, one.iteration) for one in open_ones}
    others = {stays.enrollment: leaves, leaves.enrollment: stays}
    for effect_id, one in pending.items():
        other = others.get(one.enrollment)
        if other is None:
            continue
        is_second = (other.enrollment, one.step, one.iteration) in waiting
        if has_passed(other, one.step, one.iteration) and not is_second:
            take_back(turn, effect_id, MERGED)
    handed_on = [one for one in pending.values() if one.enrollment == leaves.enrollment]
    if handed_on:
        turn.user.pending = pending  # from now on their ids do not follow from them
    for one in handed_on:
        one.enrollment, one.entered_at_ms = stays.enrollment, stays.entered_at_ms


def _bound_pending(turn: Turn) -> None:
    """Take back what is more than may wait, the youngest first, marketing before the rest.

    O(1) unless there is more; then O(messages log messages).
    """
    over = len(turn.user.pending) - 2 * PENDING_MAX
    if over <= 0:
        return
    pending = by_id(turn.user.pending)
    open_ones = [effect_id for effect_id, one in pending.items() if not one.cancelled]
    over -= len(pending) - len(open_ones)
    open_ones.sort(key=lambda effect_id: pending[effect_id].sent_at_ms, reverse=True)
    open_ones.sort(key=lambda effect_id: not pending[effect_id].marketing)
    for effect_id in open_ones[: max(0, over)]:
        take_back(turn, effect_id, "limit")


def _part_groups(turn: Turn, own: set[str], theirs: set[str]) -> None:
    """Of each group that both are in, the enrollment of the highest priority goes on."""
    campaigns = turn.plan.campaigns
    groups = [{campaigns[key].group for key in side} for side in (own, theirs)]
    shared = (groups[0] & groups[1]) - {""}
    for group in sorted(shared):
        members = [one for one in turn.user.enrollments if campaigns[one.campaign].group == group]
        members.sort(key=lambda one: (-campaigns[one.campaign].priority, one.entered_at_ms))
        for enrollment in members[1:]:
            leave(turn, enrollment, "group")


def _join_pending(turn: Turn, other: User, again: set[str]) -> list[str]:
    """Have messages of both wait; those that are a second one of a step. O(messages).

    One that was taken back already stands in no other's way, nor one that is to be (`again`).
    """
    user = turn.user
    if not other.pending:
        return []
    pending, coming = by_id(user.pending), by_id(other.pending)
    waits: dict[tuple[str, str, str, int], str] = {}
    for effect_id, own in pending.items():
        if not own.cancelled and effect_id not in again:
            waits.setdefault(what(own), effect_id)
    doubled = []
    for effect_id, theirs in coming.items():
        own_id = waits.get(what(theirs))
        if own_id is not None and not theirs.cancelled and effect_id not in again:
            is_older = pending[own_id].entered_at_ms <= theirs.entered_at_ms
            doubled.append(effect_id if is_older else own_id)
    user.pending = compact({**pending, **coming})
    return doubled
