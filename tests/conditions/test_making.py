"""As `test_conditions`, of steps that make events and tell of the user."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.conditions.choices import SMALL
from tests.conditions.comparing import run


@pytest.mark.parametrize("seed", range(74, 78))
def test_what_steps_make_says_the_same(seed: int) -> None:
    run(seed, replace(SMALL, makes=True))


@pytest.mark.parametrize("seed", range(80, 83))
def test_what_steps_make_and_send_says_the_same(seed: int) -> None:
    run(seed, replace(SMALL, makes=True, sends=True))


@pytest.mark.parametrize("seed", range(84, 88))
def test_what_was_made_around_a_downtime_says_the_same(seed: int) -> None:
    run(seed, replace(SMALL, makes=True, downtimes=True, adopts=True))
