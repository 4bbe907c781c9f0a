"""One user as he was at an instant of the past: a saved state, and all that followed, once more.

The means are those of recovery: a processor that holds him alone is given the inputs since, under
the plans of then, and time passes as far as it is asked. Nothing that comes of it goes anywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from config import Shop
from engine.core.inputs import ClockAdjusted, OfPlan, PlanChanged, TimeResumed
from engine.core.plan import Plan
from engine.core.state import User, decode_user
from engine.errors import HairspringError
from engine.runtime import stored
from engine.runtime.processor import Processor
from engine.store.past import Numbered, Start

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FREED_MAX: Final = 500
"""Inputs that are freed in one go: some tenths of a millisecond."""

OPEN_MAX: Final = 64
"""What may gather before it is let go of: a replay looks at all of it with each input."""


class PlanUnreadable(HairspringError):  # noqa: N818 - the plan is; nothing else failed
    """A plan of then that this version cannot read."""

    code = "past.plan"


class Past(msgspec.Struct, frozen=True, eq=False):
    """What a user is lived through again from.

    Attributes:
        inputs: Numbered, in order: his own, and those that concern everybody.
        plans: All that the start and the inputs name.
    """

    start: Start
    inputs: Numbered
    plans: dict[str, Plan]


class Lived(msgspec.Struct, frozen=True, eq=False):
    """A user at an instant, and the plan that was in force; None where he was not known."""

    user: User | None
    plan: Plan


def plans_named(start: Start, inputs: Numbered) -> list[str]:
    """Ids of the plans that are needed, each once, in order."""
    named = [one.plan_id for _, one in (*start.changes, *inputs) if isinstance(one, OfPlan)]
    return list(dict.fromkeys(filter(None, named)))


def read_plans(
    ids: Iterable[str], contents: Mapping[str, bytes], known: Mapping[str, Plan]
) -> dict[str, Plan]:
    """Compile plans from their contents, but those that are known. O(size of the contents).

    Raises PlanUnreadable.
    """
    return {
        plan_id: known.get(plan_id) or read_shop(plan_id, contents.get(plan_id)).plan
        for plan_id in ids
    }


def read_shop(plan_id: str, content: bytes | None) -> Shop:
    """A shop of then, from what is stored of its plan. Raises PlanUnreadable."""
    read = stored.read_shop(content)
    if isinstance(read, Shop):
        return read
    raise PlanUnreadable(
        f"the plan {plan_id} that was in force then cannot be read by this version: {read}",
        hint="ask about a later instant, or with the version that ran it",
    )


def live_again(past: Past, user_id: str, at_ms: int, *, last_input: int = 0) -> Lived:
    """Live through what happened, up to an instant, or until an input has just been applied.

    O(inputs + deadlines). Without `last_input`: all inputs, and what was due by `at_ms` itself.
    Inputs are taken out of `past` as they are applied: to free all at once would be a pause.
    """
    start = past.start
    saved = map(decode_user, start.states)
    users = {user.user_id: user for user in saved}
    # Before the first plan that is named nobody was in anything.
    processor = Processor(Plan(""), users, changes=start.changes, plans=past.plans, keeps=False)
    inputs = past.inputs
    inputs.reverse()
    while inputs and not 0 < last_input < inputs[-1][0]:
        number, happened = inputs.pop()
        if not isinstance(happened, TimeResumed | ClockAdjusted):
            # Nobody lived through what was skipped; in all else, time passes up to the input.
            processor.advance(happened.at_ms)
        processor.replay([(number, happened)])
        while isinstance(happened, PlanChanged) and processor.sweep():
            pass  # it may make deadlines due sooner, before the next input
        if processor.open_size >= OPEN_MAX:
            _let_go(processor)
    if not last_input:
        while processor.sweep():
            pass
        processor.advance(at_ms)
    return Lived(processor.find(user_id), processor.plan)


def let_go_behind(inputs: Numbered, place: int) -> None:
    """Free the inputs from a place on, some at a time: between them other threads run. O(them)."""
    while len(inputs) > place:
        del inputs[max(place, len(inputs) - FREED_MAX) :]


def _let_go(processor: Processor) -> None:
    batch = processor.begin(processor.now_ms)
    if batch is not None:
        processor.finish(batch)
