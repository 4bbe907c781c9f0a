"""The engine against its naive twin, record by record."""

from __future__ import annotations

from random import Random  # noqa: TID251 - seeded, and the seed is in the name of the test
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model.scripts import (
    make_rules,
    make_script,
    make_shop,
)
from tests.model.twins import Twins

if TYPE_CHECKING:
    from collections.abc import Sequence


@settings(max_examples=250)
@given(st.data())
def test_the_engine_does_what_its_naive_twin_does(data: st.DataObject) -> None:
    def pick(choices: Sequence[Any]) -> Any:
        return data.draw(st.sampled_from(choices))

    shop, rules, script = make_shop(pick), make_rules(pick), make_script(pick, range(3, 16))
    Twins(shop, rules).play(script)


@pytest.mark.parametrize("seed", range(16))
def test_the_engine_does_what_its_naive_twin_does_over_long_histories(seed: int) -> None:
    for case in range(200):
        pick = Random(seed * 1_000 + case).choice
        shop, rules, script = make_shop(pick), make_rules(pick), make_script(pick, (12, 25, 50))
        try:
            Twins(shop, rules).play(script)
        except AssertionError:
            print(f"seed {seed}, case {case}:\nshop = {shop}\nrules = {rules}\nscript = {script}")
            raise
