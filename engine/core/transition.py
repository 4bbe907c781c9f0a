"""The one door into the core: `step` applies an input, `fire` lets time pass.

Within one input, in this order: traits, history and collections; goals; exits; waiting steps;
entries (each in order of priority, then campaign id). Whoever calls lets time pass up to its
instant first.
Both functions are total: whatever the data, they leave a user who can go on.

Where no campaign of the plan has a condition that time can change, most events take a short way,
on which nothing is asked but what the event names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from engine.core.collections import collect
from engine.core.conditions.edges import alarmed, recall, refresh, ring, risen
from engine.core.conditions.waking import wakes_of
from engine.core.conditions.watching import earliest, is_over, own_turn, rearm, touched
from engine.core.effects import have_effect
from engine.core.entry import enter_all, enter_risen, start_by_hand
from engine.core.exits import Leaving, ended_by, exit_all, leave_all
from engine.core.following import announce
from engine.core.grace import comes_about, waiting
from engine.core.inputs import (
    ConsentStated,
    DeliveryReported,
    EnrollmentForwarded,
    EventImported,
    EventNoticed,
    EventReceived,
    HistoryFound,
    LetterRevived,
    MessageAnswered,
    TraitsImported,
    TriggerReceived,
    UserIdentified,
    UserScored,
    UsersJoined,
    UsersMerged,
)
from engine.core.messages.answers import take_answer
from engine.core.messages.clicks import note_click, note_visit
from engine.core.messages.sending import conclude, revive
from engine.core.past import sessions
from engine.core.past.found import put
from engine.core.past.keeping import keep, note
from engine.core.people import scores
from engine.core.people.consents import state_consent
from engine.core.people.identifying import identify
from engine.core.state import reckon
from engine.core.steps.overruling import overrule
from engine.core.turn import Queue, Turn
from engine.core.walk import go_on, meet, pass_on

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.core.effects import Effect
    from engine.core.grace import Held
    from engine.core.inputs import UserInput
    from engine.core.people.meeting import Awaited
    from engine.core.plan import Campaign, Plan
    from engine.core.state import Enrollment, Session, User


def step(plan: Plan, user: User, happened: UserInput, effects: list[Effect]) -> None:
    """Apply one input to its user, in place, and append what follows to `effects`.

    `happened.at_ms` is its stamp; stamps never decrease, and deadlines up to it have fired
    (`fire`). O(1) for an event that no campaign names.
    """
    if type(happened) is EventReceived:
        step_event(plan, user, happened, effects)
    elif type(happened) is MessageAnswered:
        _step_answer(plan, user, happened, effects)
    elif type(happened) is EventNoticed:
        step_event(plan, user, happened, effects, made=True)
    elif plan.is_timed:
        _step_timed(plan, user, happened, effects)
    else:
        turn = _turn(plan, user, happened, effects)
        _apply_other(turn, happened)
        if type(happened) is TriggerReceived:
            start_by_hand(turn, happened)


def step_event(
    plan: Plan, user: User, event: EventReceived, effects: list[Effect], *, made: bool = False
) -> bool:
    """As `step`, for an event and no history: whether a deadline of the user may be earlier now.

    One that was `made` by others than the user is nothing that he did.
    """
    if plan.utm and not made and (user.enrollments or user.ended):
        note_visit(plan, user, event)
    if plan.is_timed:
        _step_timed(plan, user, event, effects)
        return True
    occurred_at_ms = event.occurred_at_ms
    if occurred_at_ms > user.last_seen_at_ms and not made:
        user.last_seen_at_ms = occurred_at_ms
    reactions_to = plan.reactions
    reactions = reactions_to(event.name)
    if reactions is None:
        return False
    if not reactions.enters_alone:
        if reactions.gathers:
            collect(user, event, reactions.gathers)
        if reactions.kept is not None:
            note(user, event, reactions)
        if reactions.ends and (user.enrollments or user.pending or user.ended):
            exit_all(_turn(plan, user, event, effects), reactions, occurred_at_ms)
    return enter_all(plan, user, event, reactions, effects)


def _step_answer(plan: Plan, user: User, happened: MessageAnswered, effects: list[Effect]) -> None:
    """Remember what was done with a message, and apply the event that it is, if it is one."""
    if happened.answer == "clicked" and not happened.machine and plan.has_goals:
        note_click(user, happened)
    if (event := take_answer(user, happened, effects)) is not None:
        step(plan, user, event, effects)


def _step_timed(plan: Plan, user: User, happened: UserInput, effects: list[Effect]) -> None:
    """Apply one input where time can do more than end a wait, and all that follows from it."""
    queue = Queue()
    turn = _turn(plan, user, happened, effects, queue)
    held = _before(turn)
    made: tuple[tuple[EventReceived, Session | None], ...] = ()
    if plan.keeps_sessions and type(happened) is EventReceived:
        made = sessions.follow(user, happened, plan.policy.session_gap_ms)
    if isinstance(happened, EventReceived):
        _apply_event(turn, happened, held, made=happened.passive)
    else:
        _apply_said(turn, happened, held)
    for event, session in made:
        if not announce(turn, event, "", session) and session is not None:
            user.session = session  # nothing asks for its start
    settle(turn)
    reckon(user)


def settle(turn: Turn) -> None:
    """Do what follows at the same instant, first in, first out, until nothing more does."""
    plan, user, effects, queue = turn.plan, turn.user, turn.effects, turn.queue
    assert queue is not None, "whoever keeps a queue settles it"
    while queue.changes:
        change = queue.changes.popleft()
        queue.chain, event = change.chain, change.event
        if event is not None:
            own = _turn(plan, user, event, effects, queue)
            own.now_ms = change.now_ms
            held = _before(own)
            user.session = change.session or user.session
            _apply_event(own, event, held, made=True)
            continue
        after = Turn(plan, user, change.at_ms, change.now_ms, effects, queue=queue)
        _look_again(after, change.inside, {})
        enter_risen(after, change.came)
    queue.chain = ()


def _apply_event(turn: Turn, event: EventReceived, held: Held, *, made: bool = False) -> None:
    """Apply an event where conditions may become true by it, or cease to be.

    One that was `made`, by the engine or by others than the user, is nothing that he did.
    """
    plan, user = turn.plan, turn.user
    is_first = user.last_seen_at_ms == 0 and not made
    reactions = plan.reactions(event.name) or plan.unnamed
    wakes = reactions.wakes
    was_true = recall(turn, wakes) if wakes.has_edges else None
    keep(user, event, reactions, made=made)
    came: Sequence[Campaign] = ()
    if wakes.has_edges or user.watch is None:
        came = risen(turn, wakes, is_first=is_first, before=was_true)
    leaving = ended_by(turn, reactions, event.occurred_at_ms) if reactions.ends else None
    _look_again(turn, None if is_first else wakes.inside, held, leaving, event, reactions.awaits)
    # History brings nobody in.
    if type(event) is not EventImported and (reactions.entries or came):
        enter_all(plan, user, event, reactions, turn.effects, came, turn.queue, turn.now_ms)


def _apply_said(turn: Turn, happened: UserInput, held: Held) -> None:
    """As `_apply_event`, for what is no event."""
    plan, user = turn.plan, turn.user
    _apply_other(turn, happened)
    wakes = wakes_of(plan, happened)
    came = risen(turn, wakes) if wakes.has_edges or user.watch is None else []
    met = happened.awaited if type(happened) is UsersJoined else None
    _look_again(turn, wakes.inside, held, met=met)
    if type(happened) is TriggerReceived:
        start_by_hand(turn, happened, came)
    elif not _is_history(happened):  # which brings nobody in
        enter_risen(turn, came)


def _before(turn: Turn) -> Held:
    """Ask what is true before a change is made, and who is held back by then."""
    user = turn.user
    held = waiting(turn.plan, user, turn.at_ms) if user.held_until_ms > turn.now_ms else {}
    if user.watch is not None and user.watch.truths:
        refresh(turn)
        turn.bound = None
    return held


def _is_history(happened: UserInput) -> bool:
    if isinstance(happened, UsersMerged):
        return happened.is_history
    return isinstance(happened, TraitsImported)


def _look_again(
    turn: Turn,
    inside: frozenset[str] | None,
    held: Held,
    leaving: Leaving | None = None,
    event: EventReceived | None = None,
    awaits: frozenset[str] = frozenset(),
    met: Awaited | None = None,
) -> None:
    """Ask what those in these campaigns leave by, then what they wait for; None: in all.

    Those who are `leaving` already leave with them. Waited for may be the `event` at hand, in the
    campaigns of `awaits`, or what another user had done (`met`, by enrollment); history ends no
    wait. Those who are `held` back go ahead only where the input makes them.
    """
    leaving = Leaving() if leaving is None else leaving
    if event is None or type(event) is EventImported:
        awaits = frozenset(e.campaign for e in turn.user.enrollments if e.enrollment in (met or ()))
    stay: list[tuple[Campaign, Enrollment, Turn, bool]] = []
    if turn.user.enrollments and (inside is None or inside or awaits):
        stay = _ask_all(turn, touched(turn, inside, awaits), held, leaving)
    leave_all(turn, leaving)
    for campaign, enrollment, own, goes_on in stay:
        if event is not None and campaign.id in awaits and meet(own, enrollment, event):
            continue
        if met and any(meet(own, enrollment, one) for one in met.get(enrollment.enrollment, ())):
            continue
        if goes_on and enrollment.alarms is not None and not pass_on(own, campaign, enrollment):
            rearm(enrollment)


def _ask_all(
    turn: Turn, asked: list[tuple[Campaign, Enrollment]], held: Held, leaving: Leaving
) -> list[tuple[Campaign, Enrollment, Turn, bool]]:
    """Ask `exit.when` of all who are not leaving yet, and add those who leave by it.

    The others are given back: each with a turn of its own, and whether it may go ahead.
    """
    stay = []
    ending = {enrollment.enrollment for enrollment, _ in leaving.leavers}
    for campaign, enrollment in asked:
        if enrollment.enrollment in ending:
            continue
        own = own_turn(turn, enrollment)
        if held and enrollment.enrollment in held:
            leaves, goes_on = comes_about(turn, enrollment, held)
        else:
            leaves, goes_on = is_over(own, campaign, enrollment), True
        if leaves:
            leaving.leavers.append((enrollment, "when"))
        else:
            stay.append((campaign, enrollment, own, goes_on))
    return stay


def fire(plan: Plan, user: User, now_ms: int, effects: list[Effect]) -> None:
    """Fire the user's deadlines that are due at `now_ms`, in order.

    A deadline is judged at its own instant; one that a downtime held back, at the instant until
    which it was held. Order: due instant, priority (higher first), campaign id, entry.
    O(enrollments) a deadline.
    """
    # A session may be left of a plan that was to come into force, and cannot be read any more.
    rings = plan.is_timed or user.session is not None
    queue = Queue() if rings else None
    while user.due_at_ms <= now_ms:
        if queue is not None and _ring_first(plan, user, effects, queue):
            continue
        enrollments = user.enrollments
        enrollment = enrollments[0] if len(enrollments) == 1 else earliest(plan, enrollments)
        judged_at_ms = due_at_ms = enrollment.due_at_ms
        if judged_at_ms < user.held_until_ms:
            judged_at_ms = user.held_until_ms
        name, raw = enrollment.event_name, enrollment.event
        turn = Turn(plan, user, due_at_ms, judged_at_ms, effects, name, raw, enrollment)
        if queue is not None:
            queue.go_to(due_at_ms)
            turn.queue = queue
            _go_on_timed(turn, enrollment)
        else:
            if due_at_ms > user.fired_at_ms:
                user.fired_at_ms = due_at_ms
            go_on(turn, plan.campaigns[enrollment.campaign], enrollment)
        reckon(user)


def _ring_first(plan: Plan, user: User, effects: list[Effect], queue: Queue) -> bool:
    """Do what is due before any enrollment: a session's end, a condition; whether anything is.

    The end of a session is an event, and what is due at its very instant fires before it.
    """
    if (ends_at_ms := sessions.ends_next(user)) is not None:
        queue.go_to(ends_at_ms)
        _end_session(plan, user, effects, queue)
        return True
    campaign = alarmed(plan, user) if user.watch is not None else None
    if campaign is not None:
        _ring(plan, user, campaign, effects, queue)
    return campaign is not None


def _go_on_timed(turn: Turn, enrollment: Enrollment) -> None:
    """Go on with an enrollment, or ask what it waits for: that nothing came of it is not seen."""
    plan, user, effects, due_at_ms = turn.plan, turn.user, turn.effects, turn.at_ms
    start = len(effects)
    if plan.may_follow:  # what a step does may make true what time has just made false
        refresh(Turn(plan, user, due_at_ms, turn.now_ms, effects))
    waited = (enrollment.clock_at_ms, enrollment.position)
    go_on(turn, plan.campaigns[enrollment.campaign], enrollment)
    is_asked_alone = (enrollment.clock_at_ms, enrollment.position) == waited
    if due_at_ms > user.fired_at_ms and (have_effect(effects, start) or not is_asked_alone):
        user.fired_at_ms = due_at_ms
    settle(turn)


def _ring(plan: Plan, user: User, campaign: Campaign, effects: list[Effect], queue: Queue) -> None:
    """Ask the condition of a campaign at the instant of its alarm.

    That nothing came of it must not be seen anywhere: who asks when is nobody's business.
    """
    assert user.watch is not None, "it has the alarm"
    due_at_ms = user.watch.alarms[campaign.id]
    queue.go_to(due_at_ms)
    judged_at_ms = max(due_at_ms, user.held_until_ms)
    turn = Turn(plan, user, due_at_ms, judged_at_ms, effects, queue=queue)
    if plan.may_follow:
        refresh(turn)
    if ring(turn, campaign):
        user.fired_at_ms = max(user.fired_at_ms, due_at_ms)
        enter_risen(turn, (campaign,))
        settle(turn)
    reckon(user)


def _end_session(plan: Plan, user: User, effects: list[Effect], queue: Queue) -> None:
    """End a user's session at the instant at which its gap has passed."""
    event = sessions.end(user)
    turn = _turn(plan, user, event, effects, queue)
    turn.now_ms = max(turn.at_ms, user.held_until_ms)
    announce(turn, event, "")
    settle(turn)
    user.fired_at_ms = max(user.fired_at_ms, event.occurred_at_ms)
    reckon(user)


def _turn(
    plan: Plan,
    user: User,
    happened: UserInput,
    effects: list[Effect],
    queue: Queue | None = None,
) -> Turn:
    at_ms = happened.at_ms
    turn = Turn(plan, user, at_ms, at_ms, effects, queue=queue)
    if isinstance(happened, EventReceived):
        turn.event_name, turn.raw = happened.name, happened.properties
    return turn


def _apply_other(turn: Turn, happened: UserInput) -> None:  # noqa: C901 - a case each
    plan, user, effects = turn.plan, turn.user, turn.effects
    match happened:
        case EventReceived():  # history: it is noted as any event, and nobody enters by it
            reactions = plan.reactions(happened.name) or plan.unnamed
            keep(user, happened, reactions, made=happened.passive)
            if reactions.ends:
                exit_all(turn, reactions, happened.occurred_at_ms)
        case UserIdentified():
            identify(user, happened, effects)
        case TriggerReceived():
            pass  # it is told of nothing that is kept
        case UserScored():
            scores.note(user, happened, plan.models)
        case ConsentStated():
            state_consent(user, happened)
        case HistoryFound():
            put(plan, user, happened.found)
        case DeliveryReported():
            conclude(turn, happened)
        case LetterRevived():
            revive(turn, happened)
        case EnrollmentForwarded():
            overrule(turn, happened)
        case _:
            assert_never(happened)
