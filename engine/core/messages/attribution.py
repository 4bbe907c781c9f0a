"""Which message a goal is put down to: the step and the channel of its last touch.

A goal's record names its last touch by the effect id alone (`goals`), and that id follows from the
enrollment, the step, the time of its repeats and the channel (`ids`): so the one of them that makes
it is the one that it is, also for records of long ago, and nothing more need be kept with users.
"""

from __future__ import annotations

from itertools import islice, product
from typing import TYPE_CHECKING, Final

from engine.core.ids import effect_id
from engine.core.steps.kinds import Send
from engine.core.steps.repeats import TIMES_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.core.effects import Record
    from engine.core.plan import Campaign

TRIED_MAX: Final = 512
"""Ids that are made for one goal: beyond, and where the step is gone, it is `UNKNOWN`."""

UNKNOWN: Final = "other"


def touch_of(campaign: Campaign | None, goal: Record) -> tuple[str, str]:
    """Step and channel of a goal's last touch; ("", "") where it had none.

    O(sends * channels * times of repeats), `TRIED_MAX` at most.
    """
    if not goal.message:
        return "", ""
    return send_of(campaign, goal.enrollment, goal.message)


def send_of(campaign: Campaign | None, enrollment: str, message: str) -> tuple[str, str]:
    """Step and channel of a message, by its id; `UNKNOWN` where no step of now makes that id.

    O(sends * channels * times of repeats), `TRIED_MAX` at most.
    """
    if campaign is not None:
        for step, channel, iteration in islice(_could_be(campaign), TRIED_MAX):
            if effect_id(enrollment, step, iteration, channel) == message:
                return step, channel
    return UNKNOWN, UNKNOWN


def _could_be(campaign: Campaign) -> Iterator[tuple[str, str, int]]:
    """Messages that an enrollment may have been sent, those outside of repeats first."""
    sends = [
        (position, step.id, channel)
        for position, step in enumerate(campaign.steps)
        if isinstance(step, Send)
        for channel in dict.fromkeys((*step.channels, *step.preferred, *step.others))
    ]
    for _, step, channel in sends:
        yield step, channel, 0
    for position, step, channel in sends:
        around = [one.times for at, one in campaign.repeats if at < position < _end(one.end)]
        for begun in product(*map(range, around)):
            iteration = 0
            for number in begun:
                iteration = iteration * TIMES_MAX + number
            if iteration:
                yield step, channel, iteration


def _end(position: int) -> int:
    """Where a repeat's steps end; `END` is behind the last."""
    return position if position >= 0 else 1 << 30
