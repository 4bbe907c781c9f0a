"""The one door into the core: `step` applies an input, `fire` lets time pass.

Within one input, in this order: traits, history and collections; exits; waiting steps; entries
(each in order of priority, then campaign id). Whoever calls lets time pass up to its instant first.
Both functions are total: whatever the data, they leave a user who can go on.

Where no campaign of the plan has a condition that time can change, most events take a short way,
on which nothing is asked but what the event names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from engine.core import history, scores, sessions
from engine.core.collections import collect
from engine.core.edges import alarmed, refresh, ring, risen
from engine.core.effects import QuarantineInput, SendMessage, have_effect
from engine.core.entry import enter_all, enter_risen, refuse
from engine.core.exits import exit_all
from engine.core.found import put
from engine.core.inputs import (
    DeliveryReported,
    EventReceived,
    HistoryFound,
    TraitsImported,
    UserIdentified,
    UserScored,
)
from engine.core.plan import NO_REACTIONS, NOTHING
from engine.core.sending import conclude
from engine.core.state import NEVER, first_due_at_ms, reckon
from engine.core.traits import recall, tell
from engine.core.turn import Turn
from engine.core.walk import go_on, pass_on
from engine.core.watching import leaves, own_turn, rearm, touched

if TYPE_CHECKING:
    from engine.core.effects import Effect
    from engine.core.inputs import TimeSkipped, UserInput
    from engine.core.plan import Campaign, Plan, Reactions
    from engine.core.state import Enrollment, User

LOOP_MAX = 100
"""Changes that one input may make after another, each by what the one before brought about."""


def step(plan: Plan, user: User, happened: UserInput, effects: list[Effect]) -> None:
    """Apply one input to its user, in place, and append what follows to `effects`.

    `happened.at_ms` is its stamp; stamps never decrease, and deadlines up to it have fired
    (`fire`). O(1) for an event that no campaign names.
    """
    if plan.is_timed:
        _step_timed(plan, user, happened, effects)
        return
    if type(happened) is not EventReceived:
        _apply_other(plan, user, happened, effects)
        return
    if happened.occurred_at_ms > user.last_seen_at_ms:
        user.last_seen_at_ms = happened.occurred_at_ms
    reactions = plan.reactions(happened.name)
    if reactions is None:
        return
    if reactions.gathers:
        collect(user, happened, reactions.gathers)
    if reactions.kept is not None:
        _note(user, happened, reactions)
        if reactions.exits and (user.enrollments or user.pending):
            exit_all(_turn(plan, user, happened, effects), reactions, happened.occurred_at_ms)
    if reactions.entries:
        enter_all(plan, user, happened, reactions, effects)


def _step_timed(plan: Plan, user: User, happened: UserInput, effects: list[Effect]) -> None:
    """Apply one input where time can do more than end a wait, and what the engine makes of it."""
    made: tuple[EventReceived, ...] = ()
    if plan.keeps_sessions and type(happened) is EventReceived:
        made = sessions.follow(user, happened, plan.policy.session_gap_ms)
    _apply_timed(plan, user, happened, effects)
    for event in made:
        _apply_made(plan, user, event, effects)
    reckon(user)


def _apply_made(plan: Plan, user: User, event: EventReceived, effects: list[Effect]) -> None:
    """Apply an event that the engine has made, where anything asks for it."""
    if plan.reactions(event.name) is not None:
        _apply_timed(plan, user, event, effects, made=True)


def _apply_timed(
    plan: Plan, user: User, happened: UserInput, effects: list[Effect], *, made: bool = False
) -> None:
    """Apply one input where conditions may become true by it, or cease to be.

    An event that the engine has `made` is nothing that the user did.
    """
    if user.watch is not None and user.watch.truths:
        refresh(_turn(plan, user, happened, effects))
    start = len(effects)
    reactions: Reactions | None = None
    wakes = plan.on_traits
    is_first = user.last_seen_at_ms == 0 and isinstance(happened, EventReceived)
    if isinstance(happened, EventReceived):
        reactions = plan.reactions(happened.name)
        wakes = plan.on_activity if reactions is None else reactions.wakes
        _keep(user, happened, reactions, made=made)
    else:
        _apply_other(plan, user, happened, effects)
        if isinstance(happened, DeliveryReported | HistoryFound):
            wakes = NOTHING  # what is found, nothing that is in force asks for yet
        elif isinstance(happened, UserScored):
            wakes = plan.on_scores
    turn = _turn(plan, user, happened, effects)
    came = risen(turn, wakes, is_first=is_first) if wakes.has_edges or user.watch is None else ()
    if isinstance(happened, EventReceived) and reactions is not None and reactions.exits:
        exit_all(turn, reactions, happened.occurred_at_ms)
    _look_again(turn, None if is_first else wakes.inside)
    if type(happened) is EventReceived:
        reacts = reactions or NO_REACTIONS
        if reacts.entries or came:
            enter_all(plan, user, happened, reacts, effects, came)
    elif not isinstance(happened, EventReceived | TraitsImported):  # history brings nobody in
        enter_risen(turn, came)
    _follow_sends(turn, start)


def _look_again(turn: Turn, inside: frozenset[str] | None) -> None:
    """Ask what those in these campaigns leave by, then what they wait for; None: in all."""
    if not turn.user.enrollments or (inside is not None and not inside):
        return
    stay: list[tuple[Campaign, Enrollment, Turn]] = []
    for campaign, enrollment in touched(turn, inside):
        own = own_turn(turn, enrollment)
        if not leaves(own, campaign, enrollment):
            stay.append((campaign, enrollment, own))
    for campaign, enrollment, own in stay:
        if not pass_on(own, campaign, enrollment):
            rearm(enrollment)


def _follow_sends(turn: Turn, start: int) -> None:
    """Ask again what messages that went out may have made true, and what that sends in turn."""
    wakes, effects = turn.plan.on_sends, turn.effects
    if not wakes.has_edges and not wakes.inside:
        return
    for _ in range(LOOP_MAX):
        if not any(type(effect) is SendMessage for effect in effects[start:]):
            return
        start = len(effects)
        after = Turn(turn.plan, turn.user, turn.at_ms, turn.now_ms, effects)
        came = risen(after, wakes)
        _look_again(after, wakes.inside)
        enter_risen(after, came)
    for campaign in wakes.edges():
        refuse(turn, campaign.id, "loop")


def fire(plan: Plan, user: User, now_ms: int, effects: list[Effect]) -> None:
    """Fire the user's deadlines that are due at `now_ms`, in order.

    A deadline is judged at its own instant; one that a downtime held back, at the instant until
    which it was held. Order: due instant, priority (higher first), campaign id, entry.
    O(enrollments) a deadline.
    """
    # A session may be left of a plan that was to come into force, and cannot be read any more.
    rings = plan.is_timed or user.session is not None
    while user.due_at_ms <= now_ms:
        if rings and _ring_first(plan, user, effects):
            continue
        enrollments = user.enrollments
        enrollment = enrollments[0] if len(enrollments) == 1 else _earliest(plan, enrollments)
        judged_at_ms = due_at_ms = enrollment.due_at_ms
        if judged_at_ms < user.held_until_ms:
            judged_at_ms = user.held_until_ms
        name, raw = enrollment.event_name, enrollment.event
        turn = Turn(plan, user, due_at_ms, judged_at_ms, effects, name, raw)
        if plan.is_timed:
            _go_on_timed(turn, enrollment)
        else:
            if due_at_ms > user.fired_at_ms:
                user.fired_at_ms = due_at_ms
            go_on(turn, plan.campaigns[enrollment.campaign], enrollment)
        reckon(user)


def _ring_first(plan: Plan, user: User, effects: list[Effect]) -> bool:
    """Do what is due before any enrollment: a session's end, a condition; whether anything is."""
    session = user.session
    ends_at_ms = NEVER if session is None or session.ended else session.ends_at_ms
    if ends_at_ms != NEVER and ends_at_ms == first_due_at_ms(user):
        _end_session(plan, user, effects)
        return True
    campaign = alarmed(plan, user) if user.watch is not None else None
    if campaign is not None:
        _ring(plan, user, campaign, effects)
    return campaign is not None


def _go_on_timed(turn: Turn, enrollment: Enrollment) -> None:
    """Go on with an enrollment, or ask what it waits for: that nothing came of it is not seen."""
    plan, user, effects, due_at_ms = turn.plan, turn.user, turn.effects, turn.at_ms
    start = len(effects)
    if plan.on_sends.has_edges:  # a message that goes may make true what time has just made false
        refresh(Turn(plan, user, due_at_ms, turn.now_ms, effects))
    waited = (enrollment.clock_at_ms, enrollment.position)
    go_on(turn, plan.campaigns[enrollment.campaign], enrollment)
    is_asked_alone = (enrollment.clock_at_ms, enrollment.position) == waited
    if due_at_ms > user.fired_at_ms and (have_effect(effects, start) or not is_asked_alone):
        user.fired_at_ms = due_at_ms
    _follow_sends(turn, start)


def _ring(plan: Plan, user: User, campaign: Campaign, effects: list[Effect]) -> None:
    """Ask the condition of a campaign at the instant of its alarm.

    That nothing came of it must not be seen anywhere: who asks when is nobody's business.
    """
    assert user.watch is not None, "it has the alarm"
    due_at_ms = user.watch.alarms[campaign.id]
    start = len(effects)
    turn = Turn(plan, user, due_at_ms, max(due_at_ms, user.held_until_ms), effects)
    if plan.on_sends.has_edges:
        refresh(turn)
    if ring(turn, campaign):
        user.fired_at_ms = max(user.fired_at_ms, due_at_ms)
        enter_risen(turn, (campaign,))
        _follow_sends(turn, start)
    reckon(user)


def _end_session(plan: Plan, user: User, effects: list[Effect]) -> None:
    """End a user's session at the instant at which its gap has passed."""
    event = sessions.end(user)
    _apply_made(plan, user, event, effects)
    user.fired_at_ms = max(user.fired_at_ms, event.occurred_at_ms)
    reckon(user)


def hold(user: User, skipped: TimeSkipped) -> None:
    """Hold back what fell due in the time that was skipped, until the grace is over.

    What an earlier grace holds back waits for this one too. O(enrollments).
    """
    held_until_ms = skipped.at_ms + skipped.grace_ms
    if first_due_at_ms(user) < skipped.at_ms and user.held_until_ms < held_until_ms:
        user.held_until_ms = held_until_ms
        reckon(user)


def _turn(plan: Plan, user: User, happened: UserInput, effects: list[Effect]) -> Turn:
    at_ms = happened.at_ms
    if isinstance(happened, EventReceived):
        return Turn(plan, user, at_ms, at_ms, effects, happened.name, happened.properties)
    return Turn(plan, user, at_ms, at_ms, effects)


def _keep(
    user: User, event: EventReceived, reactions: Reactions | None, *, made: bool = False
) -> None:
    """Have an event in all that is kept of its user."""
    if not made:
        user.last_seen_at_ms = max(user.last_seen_at_ms, event.occurred_at_ms)
    if reactions is not None:
        if reactions.gathers:
            collect(user, event, reactions.gathers)
        if reactions.kept is not None:
            _note(user, event, reactions)


def _note(user: User, event: EventReceived, reactions: Reactions) -> None:
    """Have an event in its user's history."""
    kept = reactions.kept
    assert kept is not None, "asked for by whoever calls"
    history.insert(user, reactions.name, event.occurred_at_ms, kept, event.at_ms, event.properties)


def _apply_other(plan: Plan, user: User, happened: UserInput, effects: list[Effect]) -> None:
    match happened:
        case EventReceived():  # history: it is noted as any event, and nobody enters by it
            reactions = plan.reactions(happened.name)
            _keep(user, happened, reactions)
            if reactions is not None and reactions.exits:
                exit_all(_turn(plan, user, happened, effects), reactions, happened.occurred_at_ms)
        case TraitsImported():
            refused = recall(user, happened.traits, happened.occurred_at_ms)
            if refused:
                effects.append(QuarantineInput(happened, "$.traits", refused))
        case UserIdentified():
            refused = tell(user, happened.traits)
            user.identified_at_ms = max(user.identified_at_ms, happened.occurred_at_ms)
            if refused:
                effects.append(QuarantineInput(happened, "$.traits", refused))
        case UserScored():
            scores.note(user, happened, plan.models)
        case HistoryFound():
            put(plan, user, happened.found)
        case DeliveryReported():
            conclude(Turn(plan, user, happened.at_ms, happened.at_ms, effects), happened)
        case _:
            assert_never(happened)


def _earliest(plan: Plan, enrollments: tuple[Enrollment, ...]) -> Enrollment:
    campaigns = plan.campaigns
    return min(enrollments, key=lambda e: (e.due_at_ms, campaigns[e.campaign].rank))
