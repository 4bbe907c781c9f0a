"""Until when a step is waited in, by the enrollment's clock."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Final

from engine.core.calendar import DAYS, EVERY_DAY, next_local_ms
from engine.core.cel import zone_of
from engine.core.effects import ConditionFailed
from engine.core.state import NEVER
from engine.core.steps.kinds import Repeat, Wait, WaitEvent, WaitUntil, WaitWhen
from engine.core.steps.repeats import next_time_at_ms

if TYPE_CHECKING:
    from datetime import tzinfo

    from engine.core.state import Enrollment
    from engine.core.steps.kinds import Step
    from engine.core.turn import Turn

_ZONE_LENGTH_MAX: Final = 40
"""Of a trait that is no time zone, so much is told."""


def lasts_until_ms(turn: Turn, enrollment: Enrollment, step: Step) -> int:
    """When a step in which somebody waits since his clock began it is over at the latest.

    `NEVER` for one that may take for ever; at once for one that is no wait. O(repeats around it).
    """
    clock_at_ms = enrollment.clock_at_ms
    if isinstance(step, Wait):
        return clock_at_ms + step.duration_ms
    if isinstance(step, WaitWhen | WaitEvent):
        return NEVER if step.at_most_ms is None else clock_at_ms + step.at_most_ms
    if isinstance(step, WaitUntil):
        zone = local_zone(turn, step, enrollment.campaign)
        at_ms = next_local_ms(zone, step.minute, step.days, clock_at_ms)
        return NEVER if at_ms is None else at_ms
    if isinstance(step, Repeat):
        return next_time_at_ms(enrollment, step)
    return clock_at_ms


def local_zone(turn: Turn, step: WaitUntil, campaign_id: str) -> tzinfo:
    """Whose clock a wait goes by: that of its own zone, else the user's, else the shop's.

    A zone of the user's that nobody knows is counted as a condition that failed.
    """
    own = turn.user.traits.get("timezone")
    if not step.timezone and own:
        zone = _zone_of(own)
        if zone is not None:
            return zone
        turn.effects.append(ConditionFailed(campaign_id))
    return zone_of(step.timezone or turn.plan.policy.timezone) or UTC


def _zone_of(trait: object) -> tzinfo | None:
    return zone_of(trait) if isinstance(trait, str) else None


def clock_told(turn: Turn, step: WaitUntil, campaign_id: str) -> str:
    """The local time that a wait is for, in words: `18:30 on mon, fri (Europe/Paris)`."""
    days = ", ".join(DAYS[day] for day in sorted(step.days))
    on_days = "" if step.days == EVERY_DAY else f" on {days}"
    zone = str(local_zone(turn, step, campaign_id))
    own = turn.user.traits.get("timezone")
    if not step.timezone and own and _zone_of(own) is None:
        zone += f", since the user's {str(own)[:_ZONE_LENGTH_MAX]!r} is no time zone"
    return f"{step.minute // 60:02d}:{step.minute % 60:02d}{on_days} ({zone})"
