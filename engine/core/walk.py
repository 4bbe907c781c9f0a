"""Go from step to step until one waits.

A walk runs at one instant of the enrollment's clock. Where an enrollment starts late, so that some
of its waits are over already, its clock catches up: of the sends it passes, those of the latest due
instant go, those of earlier instants are skipped as `expired`.

Quiet hours hold an enrollment at its send, which is asked again as they end. Until it is decided,
the clock stays where the send was due, by which it expires; what follows counts from that end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.conditions.watching import (
    await_until,
    ends_at_ms,
    give_up,
    is_met,
    leaves,
    own_turn,
    rearm,
)
from engine.core.exits import end, leave
from engine.core.guardrails import quiet_until_ms
from engine.core.holding import stand
from engine.core.messages.sending import send, skip
from engine.core.state import NEVER, decode_user, encode_user
from engine.core.steps.kinds import END, WAITS, Exit, Repeat, Send, Wait, WaitEvent, WaitWhen
from engine.core.steps.passing import come_by
from engine.core.steps.repeats import come_to, has_passed, iteration_of, note_passed, put_off
from engine.core.steps.waits import lasts_until_ms
from engine.core.turn import Queue, Turn

if TYPE_CHECKING:
    from engine.core.inputs import EventReceived
    from engine.core.plan import Campaign
    from engine.core.state import Enrollment
    from engine.core.steps.kinds import Waiting


def set_out(turn: Turn, campaign: Campaign, enrollment: Enrollment) -> None:
    """Walk a new enrollment from its first step, catching up with now where it starts late."""
    if not campaign.steps:
        enrollment.position = END
    if enrollment.clock_at_ms >= turn.at_ms:
        walk(turn, campaign, enrollment, None)
        return
    _start_late(turn, campaign, enrollment)


def _start_late(turn: Turn, campaign: Campaign, enrollment: Enrollment) -> None:
    """Walk from a step at which the enrollment's clock is behind now."""
    position, over_at_ms = enrollment.position, enrollment.clock_at_ms
    step = campaign.steps[position] if position != END else None
    if type(step) is Wait:
        over_at_ms += step.duration_ms
    if over_at_ms > turn.at_ms:  # most events come a little late, and most campaigns wait first
        walk(turn, campaign, enrollment, None)
        return
    held_from_ms = NEVER
    if campaign.is_marketing and quiet_until_ms(turn.plan.policy, turn.user, turn.now_ms):
        held_from_ms = _rehearse(turn, campaign, enrollment)
    catch_up = _CatchUp(held_from_ms)
    _catch_up(turn, campaign, enrollment, catch_up)
    catch_up.release(turn, campaign, enrollment)


def _catch_up(turn: Turn, campaign: Campaign, enrollment: Enrollment, catch_up: _CatchUp) -> None:
    walk(turn, campaign, enrollment, catch_up)
    while (over_at_ms := ends_at_ms(enrollment)) <= turn.at_ms:
        _leave_step(enrollment, _behind(campaign, enrollment), over_at_ms)
        walk(turn, campaign, enrollment, catch_up)


def _rehearse(turn: Turn, campaign: Campaign, enrollment: Enrollment) -> int:
    """When the latest sends are due that a late start passes; `NEVER` where it passes none.

    Which are the latest is known once all was walked through, and quiet hours may hold the
    enrollment at the first of them: so it is a copy of the user who walks. O(user).
    """
    user = decode_user(encode_user(turn.user))
    copy = user.enrollments[turn.user.enrollments.index(enrollment)]
    own = Turn(turn.plan, user, turn.at_ms, turn.now_ms, [], turn.event_name, turn.raw)
    own.queue = None if turn.queue is None else Queue()
    own.enrollment = None if turn.enrollment is None else copy
    catch_up = _CatchUp(NEVER)
    _catch_up(own, campaign, copy, catch_up)
    return catch_up.due_at_ms


def go_on(turn: Turn, campaign: Campaign, enrollment: Enrollment) -> None:
    """The wait that the enrollment is in is over, or an alarm is due: walk on from that instant.

    An alarm asks what the campaign leaves by, then what the step waits for; neither may be so.
    """
    alarms = enrollment.alarms
    over_at_ms = enrollment.due_at_ms
    if alarms is not None:
        due_at_ms, over_at_ms = turn.at_ms, alarms.ends_at_ms
        if alarms.exit_at_ms <= due_at_ms and leaves(turn, campaign, enrollment):
            return
        if alarms.ask_at_ms <= due_at_ms and pass_on(turn, campaign, enrollment):
            return
        if over_at_ms > due_at_ms:
            rearm(enrollment)
            return
    if enrollment.hold is not None and enrollment.hold.deferred:
        _ask_again(turn, campaign, enrollment, over_at_ms)
        return
    _leave_step(enrollment, _behind(campaign, enrollment), over_at_ms)
    _walk_on(turn, campaign, enrollment)


def go_on_now(turn: Turn, campaign: Campaign, enrollment: Enrollment) -> None:
    """As if the time of the wait that the enrollment is in were up at this instant."""
    _leave_step(enrollment, _behind(campaign, enrollment), turn.at_ms)
    _walk_on(turn, campaign, enrollment)


def _ask_again(turn: Turn, campaign: Campaign, enrollment: Enrollment, over_at_ms: int) -> None:
    """The quiet hours that held a send are over: decide on it, and walk on from their end."""
    step = campaign.steps[enrollment.position]
    assert isinstance(step, Send), "only sends are deferred"
    until_ms = _send(turn, campaign, enrollment, step, None)
    if until_ms:  # it is quiet where he is now, or at the end of a downtime
        _hold(campaign, enrollment, until_ms)
        return
    enrollment.hold_on().deferred = False
    put_off(enrollment, over_at_ms - enrollment.clock_at_ms)
    _leave_step(enrollment, step.next, over_at_ms)
    _walk_on(turn, campaign, enrollment)


def pass_on(turn: Turn, campaign: Campaign, enrollment: Enrollment) -> bool:
    """Ask what the enrollment waits for, if it does; where that has come true, walk on from now."""
    step = campaign.steps[enrollment.position]
    if not isinstance(step, WaitWhen):
        return False
    was_held = (
        enrollment.hold is not None and enrollment.hold.resumed_at_ms
    ) or not campaign.is_live
    if was_held and turn.at_ms > lasts_until_ms(turn, enrollment, step):
        give_up(enrollment)  # the time was up before
        return False
    if not is_met(turn, step, enrollment):
        return False
    _leave_step(enrollment, step.then, turn.at_ms)
    _walk_on(turn, campaign, enrollment)
    return True


def meet(turn: Turn, enrollment: Enrollment, event: EventReceived) -> bool:
    """An event comes: where it is what the enrollment waits for, walk on from its own instant.

    One from before the enrollment's start does not count, nor one from when the time was up.
    """
    campaign = turn.plan.campaigns[enrollment.campaign]
    step, at_ms = campaign.steps[enrollment.position], event.occurred_at_ms
    if not isinstance(step, WaitEvent) or event.name not in step.events:
        return False
    if not enrollment.entered_at_ms <= at_ms < lasts_until_ms(turn, enrollment, step):
        return False
    if step.when is not None:
        asked = own_turn(turn, enrollment)
        asked.event_name, asked.raw = event.name, event.properties
        if not asked.holds(step.when, campaign.id):
            return False
    _leave_step(enrollment, step.then, max(enrollment.clock_at_ms, at_ms))
    if enrollment.clock_at_ms >= turn.at_ms:
        _walk_on(turn, campaign, enrollment)
    elif campaign.is_live or not stand(turn, campaign, enrollment):
        _start_late(turn, campaign, enrollment)
    return True


def _walk_on(turn: Turn, campaign: Campaign, enrollment: Enrollment) -> None:
    """Walk on from a step that is done, unless the campaign's status holds whoever is in it."""
    if campaign.is_live or not stand(turn, campaign, enrollment):
        walk(turn, campaign, enrollment, None)


def walk(turn: Turn, campaign: Campaign, enrollment: Enrollment, catch_up: _CatchUp | None) -> None:
    """Run steps until one waits or the last is done. O(steps, each as often as repeats have it)."""
    steps = campaign.steps
    position = enrollment.position
    while position != END:
        step = steps[position]
        # `isinstance` of a Struct that is none takes five times as long as this.
        if type(step) is Wait:
            _rest(campaign, enrollment, position)
            _wait_until(campaign, enrollment, enrollment.clock_at_ms + step.duration_ms)
            return
        if isinstance(step, Send):
            until_ms = _send(turn, campaign, enrollment, step, catch_up)
            if until_ms:
                _rest(campaign, enrollment, position)
                _hold(campaign, enrollment, until_ms)
                return
            position = step.next
        elif isinstance(step, WAITS):
            goes_on = _wait(turn, campaign, enrollment, step, position)
            if goes_on is None:
                _rest(campaign, enrollment, position)
                return
            position = goes_on
        elif not isinstance(step, Exit):
            position = come_by(turn, enrollment, step)
        else:
            if catch_up is not None:
                catch_up.release(turn, campaign, enrollment)
            leave(turn, enrollment, step.reason, step=step.id)
            return
    if catch_up is not None:
        catch_up.release(turn, campaign, enrollment)
    end(turn, enrollment)
    turn.record("finished", enrollment)


def _send(
    turn: Turn,
    campaign: Campaign,
    enrollment: Enrollment,
    step: Send,
    catch_up: _CatchUp | None,
) -> int:
    """Come by a send; until when the enrollment is held at it, or 0."""
    iteration = iteration_of(enrollment) if enrollment.iterations else 0
    if enrollment.passed and has_passed(enrollment, step.id, iteration):
        skip(turn, enrollment, step, "passed")
        return 0
    until_ms = 0
    if catch_up is None or not catch_up.meet(turn, enrollment, step, iteration):
        until_ms = send(turn, campaign, enrollment, step, enrollment.clock_at_ms, iteration)
    if not until_ms:
        note_passed(enrollment, step.id, iteration)
    return until_ms


def _wait(
    turn: Turn, campaign: Campaign, enrollment: Enrollment, step: Waiting, position: int
) -> int | None:
    """Begin a wait; where it goes on from, if what it waits for is so already."""
    if isinstance(step, WaitWhen) and is_met(turn, step, enrollment):
        enrollment.clock_at_ms = max(enrollment.clock_at_ms, turn.at_ms)
        return step.then
    if isinstance(step, Repeat):
        goes_on = come_to(turn, enrollment, step, position)
        if goes_on is not None:
            return goes_on
    _wait_until(campaign, enrollment, lasts_until_ms(turn, enrollment, step))
    return None


def _rest(campaign: Campaign, enrollment: Enrollment, position: int) -> None:
    """Stay at a step, where another plan finds it."""
    enrollment.position = position
    enrollment.signature = campaign.signatures[position]


def _hold(campaign: Campaign, enrollment: Enrollment, until_ms: int) -> None:
    enrollment.hold_on().deferred = True
    _wait_until(campaign, enrollment, until_ms)


def _wait_until(campaign: Campaign, enrollment: Enrollment, until_ms: int) -> None:
    if campaign.raised_by is None:
        enrollment.due_at_ms = until_ms
    else:
        await_until(enrollment, until_ms)


def _behind(campaign: Campaign, enrollment: Enrollment) -> int:
    """Where somebody goes on who is due: behind the wait that he is in.

    A repeat decides itself; and who was held as he came to a step that is no wait, goes on with it.
    """
    step = campaign.steps[enrollment.position]
    if type(step) is Wait:
        return step.next
    if isinstance(step, WAITS) and not isinstance(step, Repeat):
        return step.next
    return enrollment.position


def _leave_step(enrollment: Enrollment, position: int, clock_at_ms: int) -> None:
    """Go on at another step, from that instant of the enrollment's clock."""
    enrollment.position = position
    enrollment.clock_at_ms = clock_at_ms
    enrollment.due_at_ms = NEVER
    alarms = enrollment.alarms
    if alarms is not None:
        alarms.ask_at_ms = alarms.ends_at_ms = NEVER


class _CatchUp:
    """Sends met by an enrollment that started late, until it is known which of them go.

    Those due at `held_from_ms` are known to be the latest: they are asked as they are met.
    """

    __slots__ = ("due_at_ms", "held_from_ms", "met")

    def __init__(self, held_from_ms: int) -> None:
        self.met: list[tuple[Send, int]] = []
        self.due_at_ms = NEVER
        self.held_from_ms = held_from_ms

    def meet(self, turn: Turn, enrollment: Enrollment, step: Send, iteration: int) -> bool:
        """Whether the send is put aside here."""
        if enrollment.clock_at_ms != self.due_at_ms:
            for earlier, _ in self.met:
                skip(turn, enrollment, earlier, "expired")
            self.met.clear()
            self.due_at_ms = enrollment.clock_at_ms
        is_held = self.due_at_ms == self.held_from_ms
        if not is_held:
            self.met.append((step, iteration))
        return not is_held

    def release(self, turn: Turn, campaign: Campaign, enrollment: Enrollment) -> None:
        for step, iteration in self.met:
            send(turn, campaign, enrollment, step, self.due_at_ms, iteration)
        self.met.clear()
