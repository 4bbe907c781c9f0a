"""Conditions as functions of time: the engine beside an oracle that asks at every millisecond.

Random conditions of all functions, nested, in `enter.when`, `exit.when`, `wait.when`, `if` and
segments, over random histories: the records of both are the same, in order and to the millisecond.
`HAIRSPRING_CONDITIONS=100` plays a hundred times as many cases.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random  # noqa: TID251 - seeded, and the seed is in the name of the test

import pytest

from tests.conditions.choices import CHANGES, DAY, DAYS, SMALL, ZONES, make_script, make_shop
from tests.conditions.comparing import TIMES, compare, run


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
