"""As `test_conditions`, of sessions, of history that is brought in, of downtimes and plans."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.conditions.choices import SMALL
from tests.conditions.comparing import run


@pytest.mark.parametrize("seed", range(32, 36))
def test_sessions_and_history_that_is_brought_in_say_the_same(seed: int) -> None:
    run(seed, replace(SMALL, sessions=True, imports=True))


@pytest.mark.parametrize("seed", range(38, 42))
def test_what_fell_due_in_a_downtime_says_the_same(seed: int) -> None:
    run(seed, replace(SMALL, downtimes=True, imports=True, cart=True))


@pytest.mark.parametrize("seed", range(44, 48))
def test_a_plan_that_is_changed_around_a_downtime_says_the_same(seed: int) -> None:
    run(seed, replace(SMALL, downtimes=True, adopts=True, scored=True))


@pytest.mark.parametrize("seed", range(50, 60))
def test_a_session_that_ends_in_a_downtime_says_the_same(seed: int) -> None:
    run(seed, replace(SMALL, downtimes=True, sessions=True))


@pytest.mark.parametrize("seed", range(62, 72))
def test_what_was_sent_around_a_downtime_says_the_same(seed: int) -> None:
    run(seed, replace(SMALL, downtimes=True, sends=True))
