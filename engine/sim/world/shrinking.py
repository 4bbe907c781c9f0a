"""The smallest scenario that still breaks the same promise, found by leaving things out.

Greedy, as delta debugging is (Zeller & Hildebrandt, 2002): fewer users, events and lives, a shorter
unsafe time, fewer kinds of fault; whatever still fails is kept, until nothing more can go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from engine.sim.world.world import Outcome, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.sim.world.scenario import Scenario

RUNS_MAX: Final = 400
"""Worlds that a search runs at most."""


def shrink(
    failed: Outcome, run: Callable[[Scenario], Outcome] = run, runs_max: int = RUNS_MAX
) -> Outcome:
    """A smaller world that breaks the promise that `failed` breaks, or `failed` itself.

    Costs up to `runs_max` runs.
    """
    assert failed.promise, "nothing to look for"
    best = failed
    runs = 0
    while True:
        for smaller in _smaller(best.scenario):
            runs += 1
            outcome = run(smaller)
            if outcome.promise == failed.promise:
                best = outcome
                break
            if runs >= runs_max:
                return best
        else:
            return best


def _smaller(scenario: Scenario) -> Iterator[Scenario]:
    """Scenarios that lack something of this one, those that lack most first."""

    def with_(**changes: object) -> Scenario:
        return msgspec.structs.replace(scenario, **changes)

    faults = scenario.faults
    size = len(faults) // 2
    while size > 1:
        for start in range(0, len(faults), size):
            yield with_(faults=faults[:start] + faults[start + size :])
        size //= 2
    for kind in faults:
        yield with_(faults=tuple(other for other in faults if other != kind))
    for name, least in (("users", 1), ("events", 0), ("lives", 1), ("unsafe_ms", 1)):
        value = getattr(scenario, name)
        for fewer in dict.fromkeys((least, value // 2, value * 9 // 10, value - 1)):
            if least <= fewer < value:
                yield with_(**{name: fewer})
