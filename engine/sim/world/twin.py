"""The processor that never crashed: given the journal, and what the one under test must be like."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.adoption import take_on
from engine.core.state import decode_user, encode_user
from engine.runtime.processor import Processor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine.core.effects import Record
    from engine.core.inputs import Input
    from engine.core.plan import Plan
    from engine.core.state import User


def replayed(journal: Sequence[Input], plans: Mapping[str, Plan]) -> Processor:
    """One that was given every durable input. O(journal)."""
    first = next(iter(plans.values()))
    processor = Processor(first, next_input=len(journal) + 1, max_replay=1 << 40, plans=plans)
    processor.replay(enumerate(journal, start=1))
    return processor


def difference(expected: Processor, found: Processor) -> str:
    """Where one is not like the other, to the byte; "" where it is."""
    if expected.users.keys() != found.users.keys():
        return f"users {expected.users.keys() ^ found.users.keys()}"
    if (expected.plan.id, expected.plans.number) != (found.plan.id, found.plans.number):
        return f"plan {expected.plan.id}, found {found.plan.id}"
    if expected.plan.weights != found.plan.weights:
        return f"weights {expected.plan.weights}, found {found.plan.weights}"
    for user_id, user in expected.users.items():
        other = found.users[user_id]
        if _caught_up(expected, user) != _caught_up(found, other):
            return f"\n  expected {user}\n  found    {other}"
    return ""


def other_records(expected: Processor, found: Sequence[Record]) -> str:
    """Records that are in one alone, `expected` having sealed none yet; "" where none is."""
    batch = expected.begin(expected.now_ms)
    made = [] if batch is None else [one for one in batch.records if one.kind != "refused"]
    both = [sorted(map(repr, one)) for one in (found, made)]
    if both[0] == both[1]:
        return ""
    return str(sorted(set(both[0]) ^ set(both[1]))[:4] or "some twice")


def _caught_up(processor: Processor, user: User) -> bytes:
    """A user as he is once he has taken on what he lacks, which may be at any time."""
    copy = decode_user(encode_user(user))
    take_on(copy, processor.plans.changes, [])
    return encode_user(copy)
