"""What a batch is made of as it is sealed, and what it lets out once it is durable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, get_args

import msgspec

from engine.core.effects import (
    CancelMessage,
    CloseMessage,
    ConditionFailed,
    CountArm,
    CountTime,
    Effect,
    QuarantineInput,
    Record,
    ReviveMessage,
    SendMessage,
)
from engine.store.batch import Batch, QuarantineChange, kept_of

if TYPE_CHECKING:
    from collections import Counter

    from engine.runtime.bandits import Bandits
    from engine.runtime.plans import Plans
    from engine.runtime.saving import Saves
    from engine.runtime.taking import Taken

_KINDS: Final[tuple[type, ...]] = get_args(Effect)


class Released(msgspec.Struct):
    """What may leave the process: its cause is durable.

    Attributes:
        number: Of the batch that made it so.
        messages: (outbox row number, message), in order.
        cancelled: Messages to take back.
        closed: Deliveries that are over.
        revived: Dead letters that are to be delivered after all.
        records: Everything that happened, refusals too, in order.
        times: Of repeats that began, each with how many of the records came before it.
        is_changed: Whether another plan has come, so that what was held may go.
    """

    number: int
    messages: list[tuple[int, SendMessage]]
    cancelled: list[CancelMessage]
    closed: list[CloseMessage]
    records: list[Record]
    is_changed: bool = False
    revived: list[ReviveMessage] = []
    times: list[tuple[int, CountTime]] = []


def seal(
    number: int,
    at_ms: int,
    *,
    next_input: int,
    next_message: int,
    taken: Taken,
    effects: list[Effect],
    quarantined: list[QuarantineChange],
    saves: Saves,
    plans: Plans,
    errors: Counter[str],
    bandits: Bandits,
) -> Batch:
    """A batch of what happened since the last; `next_input` is behind its inputs. O(all of it).

    Conditions that failed are added to `errors`: nothing of them is kept. What `bandits` count is
    saved with what it follows from.
    """
    # In one go: most batches hold a few messages and records, and nothing else.
    by_type: dict[type, list[Any]] = {kind: [] for kind in _KINDS}
    for effect in effects:
        by_type[type(effect)].append(effect)
    messages: list[SendMessage] = by_type[SendMessage]
    if failed := by_type[ConditionFailed]:
        errors.update([effect.campaign for effect in failed])
    if counted := by_type[CountArm]:
        bandits.count(counted, plans.plan, at_ms)
    inputs = taken.seal()
    return Batch(
        number=number,
        at_ms=at_ms,
        first_input=next_input - len(taken),
        inputs_count=len(taken),
        inputs=inputs,
        hashes=taken.hashes.tobytes(),
        user_ids=taken.user_ids,
        users=saves.rows,
        states=saves.states + saves.marks,
        messages=messages,
        first_message=next_message,
        closed=by_type[CloseMessage],
        records=by_type[Record],
        cancelled=by_type[CancelMessage],
        quarantined=[*quarantined, *kept_of(by_type[QuarantineInput])],
        replay_from=saves.replay_from,
        log_from=saves.log_from,
        changes=plans.to_keep(),
        settled=plans.settle(),
        bandits=bandits.to_save(),
        revived=by_type[ReviveMessage],
        times=_times(effects) if by_type[CountTime] else [],
    )


def _times(effects: list[Effect]) -> list[tuple[int, CountTime]]:
    """The times of repeats among effects, each with how many records came before it."""
    times, records = list[tuple[int, CountTime]](), 0
    for effect in effects:
        if type(effect) is CountTime:
            times.append((records, effect))
        records += type(effect) is Record
    return times


def release(batch: Batch) -> Released:
    """What a batch lets out. O(messages)."""
    return Released(
        batch.number,
        list(enumerate(batch.messages, start=batch.first_message)),
        batch.cancelled,
        batch.closed,
        batch.records,
        bool(batch.changes),
        batch.revived,
        batch.times,
    )
