"""Until when an answer holds: the solver beside an oracle that asks at every millisecond.

Every input is followed by one question to the engine; its truth, and that nothing changes before
the instant that it names, is asked of the oracle at each millisecond in between.
"""

from __future__ import annotations

import os
from dataclasses import replace
from random import Random  # noqa: TID251 - seeded, and the seed is in the name of the test
from typing import Any

import msgspec
import pytest

from engine.core import cel
from engine.core.conditions.condition import Condition
from engine.core.conditions.moment import Moment
from engine.core.history import Kept, insert
from engine.core.instants import to_datetime
from engine.core.plan import Plan
from engine.core.state import NEVER, new_user
from tests.conditions.candidates import candidates
from tests.conditions.choices import (
    CHANGES,
    DAY,
    DAYS,
    SMALL,
    ZONES,
    make_condition,
    make_happening,
)
from tests.conditions.trees import Happened, View, holds
from tests.core.world import START

TIMES = int(os.environ.get("HAIRSPRING_CONDITIONS", "1"))
PLAN = Plan("p", ())
ALL = Kept(most=1_000, properties=None, total=True, first=True)
FAR = 40
"""Milliseconds: longer than any window, and than two of them."""


class User:
    """One user, as the engine keeps him and as the oracle does."""

    def __init__(self) -> None:
        self.mine = new_user("u")
        self.twin = View(START)

    def live(self, one: dict[str, Any]) -> None:
        self.twin.now += one["later"]
        now = self.twin.now
        if one["kind"] == "event":
            t = now - one["age"]
            raw = msgspec.json.encode(one["said"])
            insert(self.mine, one["name"], t, ALL, now, raw)
            self.mine.last_seen_at_ms = max(self.mine.last_seen_at_ms, t)
            self.twin.events.append(Happened(t, one["name"], one["said"]))
            self.twin.active = self.mine.last_seen_at_ms
        elif one["kind"] == "identify":
            self.twin.user = self.mine.traits = {**self.twin.user, **one["said"]}

    def ask(self, condition: Condition) -> tuple[bool, int]:
        now = self.twin.now
        bound = {
            "@": Moment(self.mine, now, PLAN), "user": self.mine.traits, "event": {},
            "event_name": "", "now": to_datetime(now),
        }  # fmt: skip
        return condition.ask(bound)


def check(tree: Any, script: list[Any], user: User, named: str, instants: Any = None) -> None:
    """Ask after each input; the oracle is asked until the answer may be another one."""
    condition = Condition(cel.compile(tree.cel()))
    for done, one in enumerate(script, start=1):
        user.live(one)
        truth, until = user.ask(condition)
        begin = user.twin.now
        assert until > begin
        end = min(until, begin + FAR if instants is None else instants[-1])
        asked = range(begin, end) if instants is None else [begin, *_within(instants, begin, end)]
        truths = [holds(tree, View(**{**vars(user.twin), "now": at})) for at in asked]
        if set(truths) != {truth}:
            print(named, tree.cel(), *script[:done], sep="\n")
            print(f"{truth} until {until - begin}, but {truths}")
        assert set(truths) == {truth}


def _within(instants: list[int], begin: int, end: int) -> list[int]:
    return [at for at in instants if begin < at < end]


@pytest.mark.parametrize("seed", range(4))
def test_an_answer_is_right_and_holds_as_long_as_it_says(seed: int) -> None:
    for number in range(100 * TIMES):
        pick = Random(seed * 1_000_000 + number).choice
        tree = make_condition(pick, SMALL)
        script = [make_happening(pick, SMALL) for _ in range(pick((2, 5, 9)))]
        check(tree, script, User(), f"seed {seed}, case {number}")


@pytest.mark.parametrize("seed", range(8, 10))
def test_so_does_one_on_days_on_which_clocks_are_set(seed: int) -> None:
    for number in range(25 * TIMES):
        pick = Random(seed * 1_000_000 + number).choice
        scale = replace(DAYS, begin=pick(CHANGES))
        tree = make_condition(pick, scale, 2)
        script = [make_happening(pick, scale) for _ in range(pick((2, 4)))]
        user = User()
        user.twin.now, user.twin.user = scale.begin, {"timezone": pick(ZONES)}
        user.mine.traits = user.twin.user
        end = scale.begin + sum(one["later"] for one in script) + 2 * DAY
        instants = candidates({"tree": tree, "script": script}, scale, scale.begin, end)
        check(tree, script, user, f"seed {seed}, case {number}", instants)


def test_two_conditions_are_compared_each_way() -> None:
    early, idle = Condition(cel.compile('(since("A") < "5ms") == idle("8ms")')), User()
    idle.live({"kind": "event", "name": "A", "later": 0, "age": 0, "said": {}})
    assert idle.ask(early) == (False, START + 5)
    idle.live({"kind": "advance", "later": 6})
    assert idle.ask(early) == (True, START + 8)
    idle.live({"kind": "advance", "later": 2})
    assert idle.ask(early) == (False, NEVER)


def test_what_would_be_asked_without_end_is_refused() -> None:
    text = 'did("A", "5ms")'
    for number in range(1, 21):
        text = f'({text}) == idle("{number}ms")'
    with pytest.raises(cel.CelCheckError, match="nest too deep"):
        Condition(cel.compile(text))
