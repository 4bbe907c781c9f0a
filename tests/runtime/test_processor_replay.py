"""Crash after any commit, recover, go on: the end is that of a run without a crash."""

from __future__ import annotations

from random import Random  # noqa: TID251 - seeded, and the seed is in the name of the test
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import to_builtins

from engine.core.plan import Plan
from engine.core.state import decode_user, encode_user
from engine.runtime import saving
from engine.runtime.dedupe import Dedupe
from engine.runtime.processor import Processor
from tests.core.world import START
from tests.model.scripts import (
    UNIT,
    Script,
    Shop,
    compiled,
    make_rules,
    make_script,
    make_shop,
    policy,
)
from tests.runtime.crashing import DEDUPE_WINDOW_MS, Disk, Effects, apply, instants

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.store.batch import Batch

END = 1_000 * UNIT


def uncrashed(plan: Plan, script: Script) -> tuple[dict[str, bytes], list[Any]]:
    processor = Processor(plan, now_ms=START, dedupe=Dedupe(DEDUPE_WINDOW_MS, 1_000))
    effects = Effects()
    now = START
    for one, (before, now) in zip(script, instants(script), strict=True):
        apply(processor, one, before, now)
    processor.advance(now + END)
    batch = processor.begin(processor.now_ms)
    if batch:
        effects.take(processor.finish(batch))
    return {name: encode_user(user) for name, user in processor.users.items()}, effects.all()


def crashed(
    plan: Plan, script: Script, moves: list[str]
) -> tuple[dict[str, bytes], list[Any], int]:
    """The same script, with a move after each happening.

    `seal`, `commit` (the oldest sealed batch), `crash`, or nothing. What was taken and not
    committed is sent again by its clients after a crash.
    """
    disk, effects = Disk(), Effects()
    processor = Processor(plan, now_ms=START, dedupe=Dedupe(DEDUPE_WINDOW_MS, 1_000))
    sealed: list[tuple[Batch, int]] = []
    times = instants(script)
    committed = place = crashes = 0
    now = START
    while place < len(script):
        before, now = times[place]
        apply(processor, script[place], before, now)
        move, place = moves[place], place + 1
        if move == "seal":
            batch = processor.begin(now)
            if batch:
                sealed.append((batch, place))
        elif move == "commit" and sealed:
            batch, committed = sealed.pop(0)
            disk.commit(batch)
            effects.take(processor.finish(batch))
        elif move == "crash":
            moves[place - 1] = ""  # once
            crashes += 1
            sealed.clear()
            processor, place = disk.start(plan), committed
    processor.advance(now + END)
    last = processor.begin(processor.now_ms)
    for batch in [*(one for one, _ in sealed), *([last] if last else [])]:
        disk.commit(batch)
        effects.take(processor.finish(batch))
    states = {name: encode_user(user) for name, user in processor.users.items()}
    recovered = disk.start(plan)
    assert {name: encode_user(user) for name, user in recovered.users.items()} == states
    return states, effects.all(), crashes


def check(shop: Shop, rules: dict[str, Any], script: Script, moves: list[str]) -> int:
    plan = Plan("p", [compiled(one) for one in shop], policy(rules))
    expected_states, expected_effects = uncrashed(plan, script)
    states, effects, crashes = crashed(plan, script, moves)
    assert effects == expected_effects
    assert {name: to_builtins(decode_user(state)) for name, state in states.items()} == {
        name: to_builtins(decode_user(state)) for name, state in expected_states.items()
    }
    return crashes


MOVES = ("", "", "seal", "seal", "commit", "commit", "crash")


@settings(max_examples=150)
@given(st.data())
def test_a_crash_after_any_commit_changes_nothing_in_the_end(data: st.DataObject) -> None:
    def pick(choices: Sequence[Any]) -> Any:
        return data.draw(st.sampled_from(choices))

    shop, rules, script = make_shop(pick), make_rules(pick), make_script(pick, range(3, 12))
    check(shop, rules, script, [pick(MOVES) for _ in script])


@pytest.mark.parametrize("rows", [0, 1, 16])
@pytest.mark.parametrize("seed", range(3))
def test_crashes_in_long_histories_change_nothing_in_the_end(
    seed: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With fewer rows written on the side, more users must be read from the log, and replayed.
    monkeypatch.setattr(saving, "WAITING_A_COMMIT", rows)
    crashes = 0
    for case in range(60):
        pick = Random(seed * 1_000 + case).choice
        shop, rules, script = make_shop(pick), make_rules(pick), make_script(pick, (20, 40))
        moves = [pick(MOVES) for _ in script]
        try:
            crashes += check(shop, rules, script, moves)
        except AssertionError:
            print(f"seed {seed}, case {case}:\n{shop=}\n{rules=}\n{script=}\n{moves=}")
            raise
    assert crashes > 100


def test_what_an_operator_overrules_is_the_same_after_a_crash() -> None:
    crashes = 0
    for case in range(60):
        pick = Random(7_000 + case).choice
        shop, rules, script = make_shop(pick), make_rules(pick), make_script(pick, (20, 40))
        for place in range(len(script), 0, -2):
            overruled = ("overrule", pick((0, 1)), pick(("u", "v")), pick((0, 1)), pick((0, 0, 1)))
            script.insert(place, overruled)
        crashes += check(shop, rules, script, [pick(MOVES) for _ in script])
    assert crashes > 60
