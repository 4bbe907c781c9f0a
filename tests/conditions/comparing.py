"""Random cases played to the engine and to the oracle; one in which they differ is made small."""

from __future__ import annotations

import os
from random import Random  # noqa: TID251 - seeded, and the seed is in the name of the test
from typing import TYPE_CHECKING, Any

from config.faults import ShopInvalid
from tests.conditions.choices import GRACE_MAX, make_script, make_shop
from tests.conditions.oracle import LoopError
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
    except (ShopInvalid, LoopError):
        return False
    return engine != oracle


def compare(case: dict[str, Any], seed: str) -> None:
    try:
        engine, oracle = play(case)
    except LoopError:
        return
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
            after = 2 * max(scale.windows) + 2 + GRACE_MAX * scale.downtimes
            compare({**case, "after": after}, f"seed {seed}, shop {number}")
