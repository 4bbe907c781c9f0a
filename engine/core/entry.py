"""Entry: an event, a condition that has come true or a manual start brings a user into campaigns.

For each campaign that the event's name wakes, `enter.when` is asked first: where it does not hold,
nothing happened. After that the first question that fails is a refusal with its reason, in this
order: `status`, `audience`, `late`, `per`, `group`, `active`, `reentry`, `limit` (all that a user
may have at a time is bounded: active enrollments, what they remember of their events, entries
remembered). A manual start, and a condition that has come true, have no `enter.when` to ask.
"""

from __future__ import annotations

from math import isfinite
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec

from engine.core import history, ids
from engine.core.cel import TRAPS, CelError
from engine.core.conditions.watching import leaves
from engine.core.effects import AnswerStart, ConditionFailed
from engine.core.exits import leave
from engine.core.experiments import is_held_out
from engine.core.goals import forget_over
from engine.core.holding import admits
from engine.core.past.entered import (
    COUNT_MAX,
    count_entries,
    count_of,
    each_entry,
    ended_at_ms,
    entry_key,
    newest_entry,
    only_entries,
    was_in,
    with_count,
    with_entry,
)
from engine.core.state import NEVER, NO_EVENT, Enrollment, reckon
from engine.core.turn import Turn
from engine.core.walk import set_out

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engine.core.cel import Program
    from engine.core.effects import Effect
    from engine.core.inputs import EventReceived, TriggerReceived
    from engine.core.past.entered import Entry as Newest
    from engine.core.plan import Campaign, Entry, Plan, Reactions
    from engine.core.state import User
    from engine.core.turn import Queue

ENTRIES_SWEEP_MIN = 64
"""From this many remembered entries on, those that no rule asks about any more are dropped."""

ENTRIES_MAX = 10_000
"""Entries remembered of a user: beyond it no value of `per` is new until one can be forgotten."""

BESIDE_MS = 30 * 86_400_000
"""So long an enrollment that is over is known to whoever is merged, and was in it besides."""

PER_LENGTH_MAX = 64
"""A longer `per` value is known by its digest."""

EVENTS_BYTES_MAX = 256 << 10
"""Bytes of the events, and of the contents of manual starts, that a user's active enrollments
remember, small ones aside."""

SMALL_EVENT_BYTES = 2_048
"""An event up to this size is remembered however much is remembered already."""

_encode = msgspec.json.Encoder().encode


def enter_all(  # noqa: C901, PLR0912 - nearly every event comes by, and a call is as dear as 12 lines
    plan: Plan,
    user: User,
    event: EventReceived,
    reactions: Reactions,
    effects: list[Effect],
    risen: Sequence[Campaign] = (),
    queue: Queue | None = None,
    judged_at_ms: int = 0,
) -> bool:
    """Ask every campaign that the event may enter, in order of rank; whether it entered any.

    `risen` are those whose own condition the event has made true: they start now, and not when the
    event was. What a downtime had held back is `judged` later than it is applied.

    Most answers are no, so that nothing is made before it is needed: the properties are decoded
    for the first condition that names them, and no others.
    """
    turn: Turn | None = None
    bound: dict[str, Any] | None = None
    has_entered = False
    entries = _ranked(reactions, risen) if risen else reactions.entries
    for campaign, when in entries:
        if when is not None:
            if bound is None:
                read = reactions.read
                if read is None:
                    bound = reactions.bind(user, event)
                else:
                    try:
                        bound = {"event": read(event.properties)}
                    except msgspec.ValidationError:  # no object
                        bound = reactions.bind(user, event)
            fast = when.fast
            try:
                truth = fast(bound)
            except TRAPS:
                truth = None
            if truth is False:
                continue
            if truth is not True and (truth := when.truth(bound)) is not True:
                if truth is not False:
                    effects.append(ConditionFailed(campaign.id))
                continue
        if turn is None:
            at_ms = event.at_ms
            now_ms = judged_at_ms or at_ms
            turn = Turn(plan, user, at_ms, now_ms, effects, event.name, event.properties)
            if queue is not None:
                turn.queue = queue
        occurred_at_ms = event.occurred_at_ms
        starts_at_ms = occurred_at_ms if campaign.entry.edge is None else event.at_ms
        if _enter(turn, campaign, starts_at_ms, occurred_at_ms)[0]:
            has_entered = True
        if queue is not None:
            bound = None  # a step may have set a trait
    if has_entered:
        reckon(user)
    return has_entered


def _ranked(
    reactions: Reactions, risen: Iterable[Campaign]
) -> tuple[tuple[Campaign, Program | None], ...]:
    """All that may be entered; of those that have risen nothing more is asked."""
    entries = (*reactions.entries, *((campaign, None) for campaign in risen))
    return tuple(sorted(entries, key=lambda entry: entry[0].rank))


def enter_risen(turn: Turn, risen: Iterable[Campaign]) -> None:
    """Bring the user into campaigns whose condition time, or no event, has made true, now."""
    for campaign in risen:
        _enter(turn, campaign, turn.at_ms, turn.at_ms)


def start_by_hand(turn: Turn, started: TriggerReceived, risen: Sequence[Campaign] = ()) -> None:
    """Bring the user into the campaign that is started, and into those that have risen by it.

    A user of whom nothing was known may make conditions true by being there at all. One campaign is
    entered once, by hand where both ask. Of one that the shop does not have the entry is refused.
    """
    chosen = turn.plan.campaigns.get(started.campaign)
    if chosen is None:
        turn.refuse(started.campaign, "status")
        turn.effects.append(AnswerStart(reason="status"))
        enter_risen(turn, risen)
        return
    content = bytes(started.content)
    own = Turn(turn.plan, turn.user, turn.at_ms, turn.now_ms, turn.effects, content=content)
    own.queue = turn.queue
    for campaign in sorted({chosen, *risen}, key=attrgetter("rank")):
        if campaign is chosen:
            enrollment, reason = _enter(own, campaign, turn.at_ms, turn.at_ms)
            turn.effects.append(AnswerStart(enrollment, reason))
        else:
            _enter(turn, campaign, turn.at_ms, turn.at_ms)
    reckon(turn.user)


def _enter(
    turn: Turn, campaign: Campaign, starts_at_ms: int, occurred_at_ms: int
) -> tuple[str, str]:
    """Bring a user in, unless something speaks against it: the enrollment's id, or why not.

    The enrollment's clock starts with the event that enters, or with the instant at which one has
    made a condition true; whether that was late is told by when it `occurred`.
    """
    user = turn.user
    per = ""
    # Where nothing can speak against it nothing is asked, and that is most entries.
    if (
        campaign.is_guarded
        or user.enrollments
        or occurred_at_ms < user.last_seen_at_ms
        or occurred_at_ms < user.fired_at_ms
    ):
        reason, per, ending = _ask(turn, campaign, starts_at_ms, occurred_at_ms)
        if reason:
            turn.refuse(campaign.id, reason)
            return "", reason
        for other in ending:
            leave(turn, other, "restarted" if other.campaign == campaign.id else "group")
    enrollment = turn.enrollment = _enroll(turn, campaign, per, starts_at_ms)
    if turn.plan.experiments.holds_out and is_held_out(turn, campaign):
        enrollment.held_out = True
        turn.record("entered", enrollment, reason="holdout")
    else:
        turn.record("entered", enrollment)
    if campaign.exit_when is None or not leaves(turn, campaign, enrollment):
        set_out(turn, campaign, enrollment)
    return enrollment.enrollment, ""


def _ask(  # noqa: PLR0911 - one for each reason; what is asked in a call of its own takes thrice as long
    turn: Turn, campaign: Campaign, starts_at_ms: int, occurred_at_ms: int
) -> tuple[str, str, list[Enrollment]]:
    """Why entry is refused, or ""; the `per` value; the enrollments that it ends, in order."""
    user, campaign_id, entry = turn.user, campaign.id, campaign.entry
    if not campaign.is_live and not admits(turn.plan, campaign, user.user_id):
        return "status", "", []
    if campaign.audience is not None and not turn.holds(campaign.audience, campaign_id):
        return "audience", "", []
    if (occurred_at_ms < user.last_seen_at_ms or occurred_at_ms < user.fired_at_ms) and _is_late(
        turn, campaign, occurred_at_ms
    ):
        return "late", "", []
    per = "" if entry.per is None else _per(turn, entry.per, campaign_id)
    if entry.per is not None and not per:
        return "per", "", []
    active = None
    for enrollment in user.enrollments:
        if enrollment.campaign == campaign_id and enrollment.per == per:
            active = enrollment
            break
    if active is not None and not entry.restart and not campaign.group:
        return "active", "", []
    ending = _others_of_group(turn, campaign, active) if campaign.group else []
    if ending and turn.plan.campaigns[ending[0].campaign].priority >= campaign.priority:
        return "group", "", []
    if active is not None:
        ending.append(active)
    return _room(turn, campaign, per, starts_at_ms, active, ending), per, ending


def _others_of_group(turn: Turn, campaign: Campaign, active: Enrollment | None) -> list[Enrollment]:
    """Enrollments of the campaign's group, in order of rank; `active` is asked about by itself.

    A user may be in several where they came together under one name by a changed shop, or a merge.
    """
    campaigns = turn.plan.campaigns
    others = [
        one
        for one in turn.user.enrollments
        if one is not active and campaigns[one.campaign].group == campaign.group
    ]
    others.sort(key=lambda one: campaigns[one.campaign].rank)
    return others


def _is_late(turn: Turn, campaign: Campaign, occurred_at_ms: int) -> bool:
    if turn.now_ms - occurred_at_ms > turn.plan.policy.max_lateness_ms:
        return True
    user = turn.user
    return any(history.newest(user, name) > occurred_at_ms for name in campaign.exit_events)


def _per(turn: Turn, program: Program, campaign_id: str) -> str:
    """The `per` value as JSON text, or "" where it failed."""
    try:
        value = program.evaluate(turn.bindings(program))
    except CelError:
        turn.effects.append(ConditionFailed(campaign_id))
        return ""
    if isinstance(value, float):
        if not isfinite(value):
            return ""  # JSON has no form for it
        if value.is_integer():
            value = int(value)  # 1 and 1.0 are one value to a condition
    if isinstance(value, str | bool | int | float):
        text = _encode(value).decode()
        return text if len(text) <= PER_LENGTH_MAX else ids.digest(text)
    return ""


def _room(
    turn: Turn,
    campaign: Campaign,
    per: str,
    starts_at_ms: int,
    active: Enrollment | None,
    ending: Sequence[Enrollment],
) -> str:
    entry = campaign.entry
    user = turn.user
    if active is not None:
        if not entry.restart:
            return "active"
        return "limit" if _is_crowded(turn, campaign, ending) else ""
    key = entry_key(campaign.id, per)
    earlier = newest_entry(user.entries, key)
    if earlier and is_too_soon(entry, earlier[0], starts_at_ms):
        return "reentry"
    if len(user.enrollments) - len(ending) >= turn.plan.policy.enrollments_max:
        return "limit"
    if per and earlier is None and count_entries(user.entries) >= ENTRIES_MAX:
        forget_entries(turn)
        if count_entries(user.entries) >= ENTRIES_MAX:
            return "limit"
    return "limit" if _is_crowded(turn, campaign, ending) else ""


def _is_crowded(turn: Turn, campaign: Campaign, ending: Sequence[Enrollment]) -> bool:
    """Whether what is at hand is more than the user's enrollments may remember of theirs."""
    size = len(turn.content) + (len(turn.raw) if campaign.wants_event else 0)
    if size <= SMALL_EVENT_BYTES:
        return False
    staying = [one for one in turn.user.enrollments if one not in ending]
    return sum(len(one.event) + len(one.content) for one in staying) + size > EVENTS_BYTES_MAX


def _enroll(turn: Turn, campaign: Campaign, per: str, starts_at_ms: int) -> Enrollment:
    user, campaign_id = turn.user, campaign.id
    if user.ended:
        forget_over(turn)
    key = entry_key(campaign_id, per) if per else campaign_id
    newest = newest_entry(user.entries, key) if user.entries else None
    if newest is None or starts_at_ms > newest[0]:
        ordinal, marks = 0, 1 if newest is None else with_count(was_in(newest[1], newest[0]), 1)
        user.entries = with_entry(user.entries, key, starts_at_ms, marks)
        size = len(user.entries)
        if size >= ENTRIES_SWEEP_MIN and not size & (size - 1):  # doubled: amortised O(1)
            forget_entries(turn)
    elif starts_at_ms == newest[0] and (ordinal := count_of(newest[1])) < COUNT_MAX:
        marks = was_in(newest[1], starts_at_ms) + 1
        user.entries = with_entry(user.entries, key, starts_at_ms, marks)
    else:
        # Behind the newest there may be others at this very instant: a late entry has a count of
        # its own, below zero, so that all of them need not be remembered.
        marks = was_in(newest[1], starts_at_ms)
        user.entries = with_entry(user.entries, key, newest[0], marks)
        user.late_entries += 1
        ordinal = -user.late_entries
    wants_event = campaign.wants_event
    enrollment = Enrollment(
        ids.enrollment_id(campaign_id, user.user_id, per, starts_at_ms, ordinal),
        campaign_id,
        per,
        starts_at_ms,
        starts_at_ms,
        0,
        "",
        NEVER,
        bytes(turn.raw) if wants_event else NO_EVENT,
        turn.event_name if wants_event else "",
    )
    if turn.content:
        enrollment.content = turn.content
    if turn.queue is not None and turn.queue.chain:
        enrollment.chain = turn.queue.chain
    user.enrollments = (*user.enrollments, enrollment)
    return enrollment


def forget_entries(turn: Turn, most: int | None = None) -> None:
    """Drop entries that nothing can ask about: re-entry, the ordinal of an id, a merge. O(entries).

    A campaign that is gone may come back, and another id of the user's may have been in it besides
    (`BESIDE_MS`): such entries go only where there is no other room. Where more than `most` are
    left, the oldest go, whatever asks about them.
    """
    campaigns = turn.plan.campaigns
    user = turn.user
    # No entry starts before this any more, so that older ones cannot collide with it: it would be
    # late, and too old.
    floor_ms = min(turn.now_ms - turn.plan.policy.max_lateness_ms, user.applied_at_ms)
    full = count_entries(user.entries) >= ENTRIES_MAX
    beside_ms = turn.now_ms - BESIDE_MS

    def asked(key: str, entry: Newest) -> bool:
        start_ms, marks = entry
        if start_ms >= floor_ms:
            return True
        campaign = campaigns.get(key.partition("\n")[0])
        if not full and (campaign is None or ended_at_ms(marks) > beside_ms):
            return True
        if campaign is None:
            return False
        reentry_ms = campaign.entry.reentry_ms
        return reentry_ms is None or start_ms + reentry_ms > floor_ms

    user.entries = only_entries(user.entries, asked)
    over = 0 if most is None else count_entries(user.entries) - most
    if over > 0:
        by_age = sorted((at_ms, key) for key, (at_ms, _) in each_entry(user.entries))
        gone = {key for _, key in by_age[:over]}
        user.entries = only_entries(user.entries, lambda key, _: key not in gone)


def is_too_soon(entry: Entry, earlier_ms: int, starts_at_ms: int) -> bool:
    """Whether `reentry` keeps out what starts behind an entry of that instant."""
    if entry.reentry_ms is None:
        return True
    return starts_at_ms - earlier_ms < entry.reentry_ms and entry.reentry_ms != 0  # always admits
