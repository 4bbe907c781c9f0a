"""A process that may die after any commit: what is on disk is all that the next one gets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from engine.core.inputs import (
    DeliveryReported,
    EnrollmentCancelled,
    EnrollmentForwarded,
    EventReceived,
    Input,
    PlanChanged,
    UserIdentified,
    decode_inputs,
)
from engine.core.messages.waiting import by_id
from engine.core.state import User, decode_user
from engine.runtime.dedupe import Dedupe
from engine.runtime.processor import Processor
from engine.store.batch import UserLog
from tests.core.world import START
from tests.model.scripts import UNIT, Script

if TYPE_CHECKING:
    from engine.core.plan import Plan
    from engine.runtime.processor import Released
    from engine.store.batch import Batch, KeptChange

DEDUPE_WINDOW_MS = 10**9


class Disk:
    """What a store keeps of batches, in memory: rows, not objects."""

    def __init__(self) -> None:
        self.users: dict[str, tuple[int, bytes]] = {}
        self.log: dict[int, list[bytes]] = {}
        self.journal: list[tuple[int, int, bytes, bytes]] = []
        self.next_input = 1
        self.next_message = 1
        self.next_batch = 1
        self.replay_from = 1
        self.at_ms = START
        self.changes: dict[int, KeptChange] = {}
        self.settled = 0

    def commit(self, batch: Batch) -> None:
        self.users.update((name, (batch.number, state)) for name, state in batch.users)
        self.log[batch.number] = batch.states
        self.log = {number: row for number, row in self.log.items() if number >= batch.log_from}
        assert batch.first_input == self.next_input
        self.journal.append((batch.first_input, batch.at_ms, batch.hashes, batch.inputs))
        self.next_input = batch.first_input + batch.inputs_count
        self.next_message = batch.first_message + len(batch.messages)
        self.next_batch = batch.number + 1
        self.replay_from = batch.replay_from
        self.at_ms = batch.at_ms
        self.changes.update((change.number, change) for change in batch.changes)
        self.settled = max(self.settled, batch.settled)

    def earlier(self) -> list[tuple[int, Input]]:
        """Changes before the tail that users may lack."""
        before = [number for number in self.changes if number < self.replay_from]
        settled = [n for n in before if n <= self.settled and self.changes[n].plan_id]
        base = max(settled, default=0)
        changes = [(n, decode_inputs(self.changes[n].input)[0]) for n in before if n >= base]
        return changes if base or not changes else [(0, PlanChanged("")), *changes]

    def start(self, plan: Plan, *others: Plan) -> Processor:
        """A new process on what was committed, under `plan` or what of them was in force."""
        dedupe = Dedupe(DEDUPE_WINDOW_MS, 1_000)
        tail: list[tuple[int, Input]] = []
        for first, at_ms, hashes, inputs in self.journal:
            dedupe.restore(at_ms, hashes)
            numbered = enumerate(decode_inputs(inputs), start=first)
            tail += [(number, one) for number, one in numbered if number >= self.replay_from]
        rows = {name: (number, decode_user(row)) for name, (number, row) in self.users.items()}
        logged: dict[str, int] = {}
        for number, states in self.log.items():
            for user in map(decode_user, states):
                if rows.get(user.user_id, (0, user))[0] < number:
                    rows[user.user_id] = (number, user)
                    logged.pop(user.user_id, None)
                    logged[user.user_id] = number
        users: dict[str, User] = {name: user for name, (_, user) in rows.items()}
        sizes = [(number, sum(map(len, states))) for number, states in self.log.items()]
        processor = Processor(
            plan,
            users,
            now_ms=self.at_ms,
            next_input=self.next_input,
            next_message=self.next_message,
            next_batch=self.next_batch,
            log=UserLog(logged, sizes),
            dedupe=dedupe,
            changes=self.earlier(),
            plans={one.id: one for one in (plan, *others)},
        )
        processor.replay(tail)
        return processor


class Effects:
    """Everything that ever left: each id once."""

    def __init__(self) -> None:
        self.messages: dict[str, Any] = {}
        self.records: list[Any] = []
        self.closed: list[Any] = []
        self.cancelled: list[Any] = []

    def take(self, released: Released) -> None:
        for _, message in released.messages:
            assert message.id not in self.messages, "a message was sent twice"
            self.messages[message.id] = _plain(message)
        # A refusal is not stored; the user keeps the last few, and they are compared with him.
        self.records += [_plain(record) for record in released.records if record.kind != "refused"]
        self.closed += [_plain(one) for one in released.closed]
        self.cancelled += [_plain(one) for one in released.cancelled]

    def all(self) -> list[Any]:
        """Comparable whatever the order between users was."""
        kinds = (list(self.messages.items()), self.records, self.closed, self.cancelled)
        return [sorted(kind, key=repr) for kind in kinds]


def _plain(effect: Any) -> dict[str, Any]:
    return {
        key: bytes(value) if isinstance(value, msgspec.Raw) else value
        for key, value in msgspec.structs.asdict(effect).items()
    }


def apply(processor: Processor, one: tuple[Any, ...], before: int, now: int) -> None:
    """Let one happening of a script happen, as the engine alone sees it."""
    kind, _, *rest = one
    if kind == "event":
        user, name, age, properties, message = rest
        raw = msgspec.Raw(msgspec.json.encode(properties))
        processor.take(EventReceived(user, name, now - age * UNIT, now, raw, message), now)
    elif kind == "identify":
        user, traits = rest
        raw = msgspec.Raw(msgspec.json.encode(traits))
        processor.take(UserIdentified(user, now, now, raw), now)
    elif kind == "report":
        user, which, outcome, invalid = rest
        known = processor.users.get(user)
        under_way = sorted(by_id(known.pending)) if known else []
        effect_id = under_way[which % len(under_way)] if under_way else "nobody"
        invalid = invalid and outcome == "failed"
        address = str(known.traits.get("email", "")) if known and invalid else ""
        report = DeliveryReported(user, effect_id, outcome, "said", bad_address=address)
        processor.take(report, now)
    elif kind == "overrule":
        user, which, ends = rest
        known = processor.users.get(user)
        if known is not None and known.enrollments:
            inside = known.enrollments[which % len(known.enrollments)]
            said = EnrollmentCancelled if ends else EnrollmentForwarded
            processor.take(said(user, inside.enrollment, inside.clock_at_ms), now)
    elif kind == "resume":
        if rest[0]:
            processor.resume(before, rest[0] * UNIT, now)
        else:
            processor.adjust(before, now)
    else:
        processor.advance(now)


def instants(script: Script) -> list[tuple[int, int]]:
    """For each happening: the instant before it, and its own."""
    now, result = START, []
    for _, later, *_ in script:
        before, now = now, now + later * UNIT
        result.append((before, now))
    return result
