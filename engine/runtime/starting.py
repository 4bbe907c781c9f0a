"""Manual starts: what came of each, told to whoever asked once that is durable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

from engine.core.effects import AnswerStart
from engine.core.inputs import TriggerReceived

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.core.effects import Effect
    from engine.core.inputs import UserInput
    from engine.runtime.processor import Processor

    Take: TypeAlias = Callable[[UserInput, int], bool]
    Fate: TypeAlias = Literal["taken", "known", "erased"]
    """What the processor did with an input: of a known message id, or of somebody whose erasure
    came after it or is under way, nothing is taken."""

    Told: TypeAlias = Callable[[UserInput, Fate, Sequence[Effect]], None]
    """Told of an input its fate, and what it made."""

ERASED: Final = "erased"


class Started(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of one manual start.

    Attributes:
        outcome: `entered`; `refused`, with the reason; `known`: it was taken before under the same
            message id, and nothing came of it now.
        reason: As in the record of the refusal; or `erased`: the user's erasure came after the
            start was received, or is under way.
        enrollment: The id of the one that began.
    """

    user_id: str
    outcome: Literal["entered", "refused", "known"]
    reason: str = ""
    enrollment: str = ""


class Outcomes:
    """What came of the manual starts of one submission.

    Attributes:
        started: One each, in the order in which they were taken.
    """

    def __init__(self) -> None:
        self.started: list[Started] = []

    def tell(self, happened: UserInput, fate: Fate, effects: Sequence[Effect]) -> None:
        """Note what came of one input, if it is a manual start."""
        if isinstance(happened, TriggerReceived):
            self.started.append(_started(happened.user_id, fate, effects))


def _started(user_id: str, fate: Fate, effects: Sequence[Effect]) -> Started:
    if fate == "known":
        return Started(user_id, "known")
    if fate == "erased":
        return Started(user_id, "refused", ERASED)
    return outcome_of(user_id, effects)


def outcome_of(user_id: str, effects: Sequence[Effect]) -> Started:
    """What came of a start that was taken, by all that it made."""
    answer = next(effect for effect in effects if type(effect) is AnswerStart)
    if answer.reason:
        return Started(user_id, "refused", answer.reason)
    return Started(user_id, "entered", enrollment=answer.enrollment)


def telling(processor: Processor, take: Take, told: Told) -> Take:
    """`take`, which tells of each input what came of it."""

    def take_and_tell(happened: UserInput, now_ms: int) -> bool:
        before, barred = len(processor.made), processor.tombstones.barred
        is_new = take(happened, now_ms)
        barred = processor.tombstones.barred - barred
        fate: Fate = "taken" if is_new else "erased" if barred else "known"
        told(happened, fate, processor.made[before:])
        return is_new

    return take_and_tell
