"""Conditions as functions of time: the engine beside an oracle that asks at every millisecond.

Random conditions of all functions, nested, in `enter.when`, `exit.when`, `wait.when`, `if` and
segments, over random histories: the records of both are the same, in order and to the millisecond.
`HAIRSPRING_CONDITIONS=100` plays a hundred times as many cases.
"""

from __future__ import annotations

import os
from dataclasses import replace
from random import Random  # noqa: TID251 - seeded, and the seed is in the name of the test
from typing import TYPE_CHECKING, Any

import pytest

from config.faults import ShopInvalid
from tests.conditions.choices import CHANGES, DAY, DAYS, SMALL, ZONES, make_script, make_shop
from tests.conditions.play import files_of, play
from tests.conditions.shrinking import shrink

if TYPE_CHECKING:
    from tests.conditions.choices import Scale

TIMES = int(os.environ.get("HAIRSPRING_CONDITIONS", "1"))
SHOPS = 6 * TIMES
SCRIPTS = 20
"""Of each shop: to compile one takes longer than to play several."""


def fails(case: dict[str, Any]) -> bool:
    try:
        engine, oracle = play(case)
    except ShopInvalid:
        return False
    return engine != oracle


def compare(case: dict[str, Any], seed: str) -> None:
    engine, oracle = play(case)
    if engine == oracle:
        return
    case = shrink(case, fails)
    engine, oracle = play(case)
    print(seed, *files_of(case).items(), case, *case["script"], sep="\n")
    assert engine == oracle


def run(seed: int, scale: Scale) -> None:
    for number in range(SHOPS):
        pick = Random(seed * 1_000_000 + number).choice
        shop = make_shop(pick, scale)
        for _ in range(SCRIPTS):
            case = {**shop, "script": make_script(pick, scale, (3, 6, 10))}
            compare({**case, "after": 2 * max(scale.windows) + 2}, f"seed {seed}, shop {number}")


@pytest.mark.parametrize("seed", range(8))
def test_every_millisecond_says_the_same(seed: int) -> None:
    run(seed, SMALL)


@pytest.mark.parametrize("seed", range(12, 16))
def test_carts_say_the_same(seed: int) -> None:
    run(seed, replace(SMALL, cart=True))


@pytest.mark.parametrize("seed", range(20, 24))
def test_changed_plans_restarts_and_scores_say_the_same(seed: int) -> None:
    run(seed, replace(SMALL, adopts=True, scored=True))


@pytest.mark.parametrize("seed", range(26, 30))
def test_messages_that_go_out_say_the_same(seed: int) -> None:
    run(seed, replace(SMALL, sends=True))


@pytest.mark.parametrize("seed", range(16, 20))
def test_days_on_which_clocks_are_set_say_the_same(seed: int) -> None:
    for number in range(6 * TIMES):
        pick = Random(seed * 1_000_000 + number).choice
        scale = replace(DAYS, begin=pick(CHANGES))
        shop = make_shop(pick, scale)
        for _ in range(3):
            arriving = {"kind": "identify", "later": 0, "user": "u", "age": 0,
                        "said": {"timezone": pick(ZONES)}}  # fmt: skip
            script = [arriving, *make_script(pick, scale, (3, 6))]
            case = {**shop, "script": script, "after": DAY, "begin": scale.begin, "scale": scale}
            compare(case, f"seed {seed}, shop {number}")
