"""Plans that change: users come to them one by one, and it is as if all had done so at once.

The twin has neither wheel nor journal, batches nor sweep: at each change it has everybody fire what
is due and go on under the other plan, there and then.
"""

from __future__ import annotations

from random import Random  # noqa: TID251 - seeded, and the seed is in the name of the test
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.core.adoption import adopt
from engine.core.grace import hold
from engine.core.inputs import (
    ClockAdjusted,
    DeliveryReported,
    EventReceived,
    TimeResumed,
    UserIdentified,
)
from engine.core.messages.waiting import by_id
from engine.core.plan import Plan
from engine.core.state import User, encode_user, new_user
from engine.core.transition import fire, step
from engine.runtime import population
from engine.runtime import roster as roster_module
from engine.runtime.dedupe import Dedupe
from engine.runtime.processor import Processor, Released
from tests.core.world import START
from tests.model.scripts import UNIT, compiled, make_happening, make_rules, make_shop, policy
from tests.runtime.crashing import DEDUPE_WINDOW_MS, Disk, Effects, instants

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.core.effects import Effect
    from engine.core.inputs import UserInput
    from engine.store.batch import Batch

END = 1_000 * UNIT


class AtOnce:
    """Everybody takes every change on at its instant."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.users: dict[str, User] = {}
        self.effects: list[Effect] = []
        self._number = 0
        self._known: set[str] = set()

    def take(self, happened: UserInput, now: int) -> None:
        if happened.message_id in self._known:
            return
        self._known |= {happened.message_id} - {""}
        self._number += 1
        happened.at_ms = now
        user = self.users.setdefault(happened.user_id, new_user(happened.user_id))
        fire(self.plan, user, now, self.effects)
        step(self.plan, user, happened, self.effects)
        user.seen = self._number

    def adopt(self, plan: Plan, now: int) -> None:
        self._number += 1
        before, self.plan = self.plan, plan
        for user in self.users.values():
            fire(before, user, now, self.effects)
            if user.enrollments or user.pending:
                adopt(before, plan, user, now, self.effects)
                user.seen = self._number

    def skip(self, happened: TimeResumed | ClockAdjusted, now: int) -> None:
        self._number += 1
        happened.at_ms = now
        self.advance(happened.stopped_at_ms)
        for user in self.users.values():
            hold(self.plan, user, happened)

    def advance(self, now: int) -> None:
        for user in self.users.values():
            fire(self.plan, user, now, self.effects)


def run(machine: AtOnce | Processor, plans: list[Plan], one: Any, before: int, now: int) -> None:
    """Let one happening happen."""
    kind, _, *rest = one
    match kind:
        case "event" | "identify" | "report":
            machine.take(made(one, now), now)
        case "plan":
            machine.adopt(plans[rest[0] % len(plans)], now)
        case "resume" if isinstance(machine, Processor):
            if rest[0]:
                machine.resume(before, rest[0] * UNIT, now)
            else:
                machine.adjust(before, now)
        case "resume":
            grace_ms = rest[0] * UNIT
            machine.skip(TimeResumed(before, grace_ms) if grace_ms else ClockAdjusted(before), now)
        case _:
            machine.advance(now)


def made(one: Any, now: int) -> UserInput:
    kind, _, user, *rest = one
    if kind == "event":
        name, age, properties, message = rest
        raw = msgspec.Raw(msgspec.json.encode(properties))
        return EventReceived(user, name, now - age * UNIT, now, raw, message)
    if kind == "identify":
        return UserIdentified(user, now, now, msgspec.Raw(msgspec.json.encode(rest[0])))
    effect_id, outcome, address = rest
    return DeliveryReported(user, effect_id, outcome, "said", bad_address=address)


def at_once(plans: list[Plan], script: list[Any]) -> tuple[dict[str, bytes], list[Any], list[Any]]:
    """States and effects of the twin, and the script with the messages named that it reports on."""
    twin = AtOnce(plans[0])
    named: list[Any] = []
    now = START
    for happening, (before, now) in zip(script, instants(script), strict=True):
        one = happening
        if one[0] == "report":
            kind, later, user, which, outcome, invalid = one
            known = twin.users.get(user)
            under_way = sorted(by_id(known.pending)) if known else []
            effect_id = under_way[which % len(under_way)] if under_way else "nobody"
            bad = invalid and outcome == "failed" and known is not None
            address = str(known.traits.get("email", "")) if known and bad else ""
            one = (kind, later, user, effect_id, outcome, address)
        named.append(one)
        run(twin, plans, one, before, now)
    twin.advance(now + END)
    effects = Effects()
    kinds: dict[str, list[Any]] = {}
    for effect in twin.effects:
        kinds.setdefault(type(effect).__name__, []).append(effect)
    messages = list(enumerate(kinds.get("SendMessage", ())))
    rest = (kinds.get(name, []) for name in ("CancelMessage", "CloseMessage", "Record"))
    effects.take(Released(1, messages, *rest))
    return states_of(twin.users), effects.all(), named


def states_of(users: dict[str, User]) -> dict[str, bytes]:
    return {name: encode_user(user) for name, user in sorted(users.items())}


class OneByOne:
    """The processor, with a disk, a sweep and crashes between happenings."""

    def __init__(self, plans: list[Plan], script: list[Any], moves: list[str]) -> None:
        self.plans, self.script, self.moves = plans, script, moves
        self.disk, self.effects = Disk(), Effects()
        self.processor = Processor(plans[0], now_ms=START, dedupe=Dedupe(DEDUPE_WINDOW_MS, 1_000))
        self.sealed: list[tuple[Batch, int]] = []
        self.committed = self.place = self.crashes = self.crossed = 0

    def play(self) -> dict[str, bytes]:
        times = instants(self.script)
        now = START
        while self.place < len(self.script):
            before, now = times[self.place]
            run(self.processor, self.plans, self.script[self.place], before, now)
            move, self.place = self.moves[self.place], self.place + 1
            self._move(move, now)
        self.processor.advance(now + END)
        self.processor.sweep()
        while batch := self.processor.begin(self.processor.now_ms):
            self.sealed.append((batch, self.place))
        while self.sealed:
            self._commit()
        return states_of(self.processor.users)

    def _move(self, move: str, now: int) -> None:
        if move == "seal" and (batch := self.processor.begin(now)):
            self.sealed.append((batch, self.place))
        elif move == "commit" and self.sealed:
            self._commit()
        elif move == "sweep":
            self.processor.sweep(lambda: False)
        elif move == "crash":
            self.moves[self.place - 1] = ""  # once
            self.crashes += 1
            self.crossed += bool(self.disk.earlier()[1:])
            self.sealed.clear()
            self.processor, self.place = self.start(), self.committed

    def _commit(self) -> None:
        batch, self.committed = self.sealed.pop(0)
        self.disk.commit(batch)
        self.effects.take(self.processor.finish(batch))

    def start(self) -> Processor:
        return self.disk.start(self.plans[0], *self.plans[1:])


def check(plans: list[Plan], script: list[Any], moves: list[str]) -> OneByOne:
    expected_states, expected_effects, named = at_once(plans, script)
    machine = OneByOne(plans, named, moves)
    states = machine.play()
    assert machine.effects.all() == expected_effects
    assert states == expected_states
    # Everybody is saved under the newest plan: a restart finds the same, and nothing to do.
    again = machine.start()
    assert states_of(again.users) == expected_states
    assert not again.plans.changes
    assert not again.sweep()
    return machine


MOVES = ("", "", "sweep", "sweep", "seal", "seal", "commit", "commit", "crash")


def make(pick: Any, lengths: Sequence[int]) -> tuple[list[Plan], list[Any], list[str]]:
    plans = [
        Plan(f"p{number}", [compiled(one) for one in make_shop(pick)], policy(make_rules(pick)))
        for number in range(3)
    ]
    script = []
    for _ in range(pick(lengths)):
        plan = ("plan", pick((0, 0, 1, 2, 3)), pick((0, 1, 2)))
        script.append(plan if pick((True, False, False, False)) else make_happening(pick))
    return plans, script, [pick(MOVES) for _ in script]


@pytest.fixture(autouse=True)
def _small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(population, "SWEPT_AT_ONCE", 1)
    monkeypatch.setattr(roster_module, "SAVES_A_COMMIT", 1)
    monkeypatch.setattr(roster_module, "LOOKS_A_COMMIT", 2)


@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_it_is_the_same_whenever_a_user_comes_to_a_changed_plan(data: st.DataObject) -> None:
    def pick(choices: Sequence[Any]) -> Any:
        return data.draw(st.sampled_from(choices))

    check(*make(pick, range(3, 14)))


@pytest.mark.parametrize("seed", range(4))
def test_plans_that_change_in_long_histories_are_taken_on_as_if_at_once(seed: int) -> None:
    crashes = crossed = 0
    for case in range(150):
        pick = Random(seed * 1_000 + case).choice
        plans, script, moves = make(pick, (20, 40))
        kept = list(moves)
        try:
            machine = check(plans, script, moves)
        except AssertionError:
            print(f"seed {seed}, case {case}:\n{script=}\nmoves={kept}")
            raise
        crashes += machine.crashes
        crossed += machine.crossed
    assert crashes > 200
    assert crossed > 100, "restarts with users who are behind a change"
