"""What became of one user in one campaign, and what will if nothing happens: told from his state.

What comes next is not reckoned but lived: a copy of the user goes on through the same deadlines as
the user himself will, until he comes in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

import msgspec

from engine.core.conditions.explaining import Part, explain, told_instant
from engine.core.conditions.watching import ends_at_ms, own_turn
from engine.core.effects import Record
from engine.core.guardrails import barrier
from engine.core.holding import holds
from engine.core.messages.preferring import standings
from engine.core.messages.waiting import by_id
from engine.core.reports.records import RecordLine, told
from engine.core.state import NEVER, decode_user, encode_user
from engine.core.steps.kinds import WAITS, Repeat, Send, Wait, WaitEvent, WaitUntil, WaitWhen
from engine.core.steps.waits import clock_told, lasts_until_ms
from engine.core.transition import fire
from engine.core.turn import Turn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.core.effects import Effect
    from engine.core.inputs import EventReceived
    from engine.core.plan import Campaign, Plan
    from engine.core.state import Enrollment, User
    from engine.core.steps.kinds import Waiting

AHEAD_MS_MAX = 366 * 86_400_000
"""How far ahead is looked for the instant at which a user comes in."""

AHEAD_DEADLINES_MAX = 2_000
"""Instants with a deadline of his that are lived through ahead, at the most."""

RECORDS_TOLD = 50


class Place(msgspec.Struct, omit_defaults=True):
    """An enrollment that is under way; instants in ISO 8601.

    Attributes:
        event: The event that it began with; "" where none did, or nothing of it is asked later.
        by_hand: Whether a manual start began it.
        variants: By split, the variant of each that it has gone by.
        held_out: Whether it is sent nothing.
        goal_events: Events by which it may reach its goal.
        goal_until: The end of the window for that.
        step: The id of the step that it is in.
        since: From when it waits there.
        deferred: Whether it is held at a send until quiet hours are over.
        until: When the wait is over at the latest; "" for never.
        waits_for: The condition that the step waits for.
        awaits: Events that it waits for.
        awaits_when: What is asked of such an event.
        clock: The local time that it waits for, with its days and its zone.
        times: Of a repeat that pauses: how often it has begun, and how often it may.
        next_at: When it is looked at again, whatever comes of it; "" for not by time alone.
        exit_events: Events that end it.
        exit_when: The condition that ends it.
        is_held: Whether it stands while its campaign's status holds it: no deadline fires.
    """

    enrollment: str
    entered_at: str
    per: str = ""
    event: str = ""
    variants: dict[str, str] = {}
    held_out: bool = False
    goal_events: tuple[str, ...] = ()
    goal_until: str = ""
    step: str = ""
    since: str = ""
    deferred: bool = False
    until: str = ""
    next_at: str = ""
    waits_for: Part | None = None
    awaits: tuple[str, ...] = ()
    awaits_when: str = ""
    clock: str = ""
    times: tuple[int, int] | None = None
    by_hand: bool = False
    exit_events: tuple[str, ...] = ()
    exit_when: Part | None = None
    is_held: bool = False


class Came(msgspec.Struct, omit_defaults=True):
    """The newest event that could have brought the user in.

    Attributes:
        at: When it was taken.
        timestamp: When it happened.
        when: What `enter.when` said of it, once it had been applied; None where there is none.
        lost: Why that is not known any more.
    """

    event: str
    at: str
    timestamp: str
    when: Part | None = None
    lost: str = ""


class Refusal(msgspec.Struct, frozen=True):
    """An entry that was not granted."""

    at: str
    reason: str


class Undelivered(msgspec.Struct, frozen=True):
    """A message that was sent, and of whose delivery nothing is known yet.

    Attributes:
        message: The effect id, by which the log tells of each attempt.
    """

    message: str
    step: str
    channel: str
    template: str


class Awaiting(msgspec.Struct, frozen=True):
    """An enrollment that came to its end, and may still reach its goal.

    Attributes:
        events: Those that may be it.
        until: The end of the window, in ISO 8601.
    """

    enrollment: str
    entered_at: str
    events: tuple[str, ...]
    until: str


class Ahead(msgspec.Struct, frozen=True):
    """What a user comes to if nothing happens.

    Attributes:
        kind: `entered`, `refused`, or "" where neither comes.
        at_ms: When.
        reason: Why he would be refused.
        is_cut: Whether the search came to its end before the deadlines did.
    """

    kind: str = ""
    at_ms: int = 0
    reason: str = ""
    is_cut: bool = False


class Preference(msgspec.Struct, omit_defaults=True):
    """One channel of a step with `send: preferred`, the one that he answers to most first.

    Attributes:
        sent: Messages of the channel that count (`preferring`).
        answered: Those of them that he opened or clicked.
        barred: Why nothing can be sent by it now, or "".
    """

    step: str
    channel: str
    sent: int
    answered: int
    barred: str = ""


def preferences(turn: Turn, campaign: Campaign) -> Iterator[Preference]:
    """How each channel stands that a step may prefer. O(steps * channels)."""
    user, policy, marketing = turn.user, turn.plan.policy, campaign.is_marketing
    for step in campaign.steps:
        if not isinstance(step, Send) or not step.preferred:
            continue
        for one in standings(user, step.preferred, turn.now_ms):
            topic = campaign.topic
            barred = barrier(policy, user, one.channel, marketing, topic)
            yield Preference(step.id, one.channel, one.sent, one.answered, barred)


class Account(msgspec.Struct, omit_defaults=True):
    """Everything that speaks for or against one user's being in one campaign, at one instant.

    Attributes:
        status: The campaign's, where it is not live.
        enter_events: Events that bring users in.
        enter_when: The condition that does without an event, as it is now.
        audience: The campaign's, as it is now.
        came: The newest event that could have brought him in.
        places: His enrollments in it.
        refusals: The last that are kept, newest first.
        records: What happened, newest first.
        undelivered: Messages whose delivery has not come to its end.
        awaiting: Enrollments that ended and may still reach their goal.
        preferences: Of its `send: preferred` steps, the channels as they would be tried now.
    """

    status: str = ""
    enter_events: tuple[str, ...] = ()
    enter_when: Part | None = None
    audience: Part | None = None
    came: Came | None = None
    places: list[Place] = []
    refusals: list[Refusal] = []
    records: list[RecordLine] = []
    undelivered: list[Undelivered] = []
    awaiting: list[Awaiting] = []
    preferences: list[Preference] = []


def account(
    plan: Plan, user: User, campaign: Campaign, at_ms: int, came: Came | None, records: list[Record]
) -> Account:
    """What is so at an instant, which the user has come to. `records` are his, oldest first."""
    turn = Turn(plan, user, at_ms, at_ms, [])
    entry = campaign.entry
    return Account(
        status="" if campaign.status == "live" else campaign.status,
        enter_events=entry.events,
        enter_when=None if entry.edge is None else explain(turn, entry.edge),
        audience=None if campaign.audience is None else explain(turn, campaign.audience),
        came=came,
        places=[
            _place(turn, campaign, enrollment)
            for enrollment in user.enrollments
            if enrollment.campaign == campaign.id
        ],
        refusals=[
            Refusal(told_instant(refused_at_ms), reason)
            for refused_at_ms, refused, reason in reversed(user.refusals)
            if refused == campaign.id
        ],
        records=[
            told(record)
            for record in reversed(records)
            if record.campaign == campaign.id and max(record.at_ms, record.judged_at_ms) <= at_ms
        ][:RECORDS_TOLD],
        undelivered=[
            Undelivered(message, one.step, one.channel, one.template)
            for message, one in by_id(user.pending).items()
            if one.campaign == campaign.id
        ],
        awaiting=_awaiting(campaign, user, at_ms),
        preferences=list(preferences(turn, campaign)),
    )


def _awaiting(campaign: Campaign, user: User, at_ms: int) -> list[Awaiting]:
    goal = campaign.goal
    if goal is None:
        return []
    windows = [(one, one.entered_at_ms + goal.within_ms) for one in user.ended]
    return [
        Awaiting(
            one.enrollment, told_instant(one.entered_at_ms), goal.events, told_instant(until_ms)
        )
        for one, until_ms in windows
        if one.campaign == campaign.id and at_ms < until_ms
    ]


def came_by(plan: Plan, user: User | None, campaign: Campaign, event: EventReceived) -> Came:
    """The event, and what `enter.when` says of it to a user to whom it was just applied."""
    came = Came(event.name, told_instant(event.at_ms), told_instant(event.occurred_at_ms))
    when = campaign.entry.when
    if when is not None and user is not None:
        at_ms = event.at_ms
        came.when = explain(Turn(plan, user, at_ms, at_ms, [], event.name, event.properties), when)
    return came


def look_ahead(plan: Plan, user: User, campaign: Campaign, at_ms: int) -> Ahead:
    """Whether and when the user comes into the campaign if nothing happens from an instant on.

    O(deadlines until then), `AHEAD_DEADLINES_MAX` of them within `AHEAD_MS_MAX` at the most.
    """
    user = decode_user(encode_user(user))
    for _ in range(AHEAD_DEADLINES_MAX):
        due_at_ms = user.due_at_ms
        if due_at_ms == NEVER:
            return Ahead()
        if due_at_ms > at_ms + AHEAD_MS_MAX:
            return Ahead(is_cut=True)
        effects: list[Effect] = []
        fire(plan, user, due_at_ms, effects)
        for effect in effects:
            if type(effect) is not Record or effect.campaign != campaign.id:
                continue
            if effect.kind in {"entered", "refused"}:
                return Ahead(effect.kind, effect.at_ms, effect.reason)
    return Ahead(is_cut=True)


def _place(turn: Turn, campaign: Campaign, enrollment: Enrollment) -> Place:
    own = own_turn(turn, enrollment)
    place = Place(
        enrollment.enrollment,
        told_instant(enrollment.entered_at_ms),
        enrollment.per,
        enrollment.event_name,
        dict(enrollment.variants),
        enrollment.held_out,
        by_hand=bool(enrollment.content),
        next_at=told_instant(max(enrollment.due_at_ms, turn.user.held_until_ms)),
        exit_events=campaign.exit_events,
        exit_when=None if campaign.exit_when is None else explain(own, campaign.exit_when),
    )
    if campaign.goal is not None:
        place.goal_events = campaign.goal.events
        place.goal_until = told_instant(enrollment.entered_at_ms + campaign.goal.within_ms)
    step = campaign.steps[enrollment.position]
    place.step = step.id
    place.is_held = holds(turn.plan, campaign, turn.user.user_id)
    place.since = told_instant(enrollment.clock_at_ms)
    if enrollment.is_deferred:
        place.deferred = True
        place.until = told_instant(ends_at_ms(enrollment))
    elif isinstance(step, WAITS):
        place.until = told_instant(lasts_until_ms(own, enrollment, step))
        _tell_wait(place, own, enrollment, step)
    return place


def _tell_wait(place: Place, own: Turn, enrollment: Enrollment, step: Waiting) -> None:
    """What a step waits for, besides the time."""
    match step:
        case WaitWhen():
            place.waits_for = explain(own, step.condition)
        case WaitEvent():
            place.awaits = step.events
            place.awaits_when = "" if step.when is None else step.when.text
        case WaitUntil():
            place.clock = clock_told(own, step, enrollment.campaign)
        case Repeat():
            begun = [one[1] for one in enrollment.iterations if one[0] == step.id]
            place.times = (sum(begun), step.times)
        case Wait():
            pass
        case _:
            assert_never(step)
