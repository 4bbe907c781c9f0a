"""The events of `step` with all guardrails on, beside the same without.

Caps of an hour and a week, on all channels and on one, a least time between two messages, and quiet
hours, for users in five time zones. They hold nobody back here, so that both sides have to come to
the same records: what is measured is to ask them, and to keep what they ask for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bench import step
from bench.harness import Laps, Run
from engine.core.caps import Cap
from engine.core.plan import Plan
from engine.core.policy import Policy
from engine.core.quiet import QuietHours
from engine.core.state import new_user
from engine.runtime.dedupe import Dedupe
from engine.runtime.processor import Processor

if TYPE_CHECKING:
    from bench.step import Lines

ZONES = ("Europe/Berlin", "America/New_York", "Asia/Tokyo", "Australia/Sydney", "UTC")

HOUR_MS = 3_600_000
SUNDAY = 6
"""The events are of a Thursday and the day after."""

ALL_ON = Policy(
    caps=(
        Cap(1_000, HOUR_MS),
        Cap(1_000, 168 * HOUR_MS),
        Cap(1_000, 168 * HOUR_MS, step.CHANNEL),
        Cap(1_000, 1),  # a spacing, but for its number
    ),
    quiet_hours=QuietHours(21 * 60, 8 * 60, frozenset({SUNDAY})),
)


class Guardrails:
    """What guardrails cost."""

    name = "guardrails"
    title = "step with caps, spacing and quiet hours in five zones, over step without"
    n = 200_000
    n_small = 20_000
    limit = 1.5
    repetitions = 9

    def prepare(self, n: int) -> Lines:
        """The events of `step`."""
        return step.Step().prepare(n)

    def reference(self, load: Lines) -> Run:
        """Without."""
        return _run(Policy(), load)

    def ours(self, load: Lines) -> Run:
        """With all of them."""
        return _run(ALL_ON, load)


def _run(policy: Policy, lines: Lines) -> Run:
    plan = Plan("bench", step.plan().campaigns.values(), policy)
    users = {}
    for number in range(len(lines) // step.EVENTS_PER_USER):
        user = users[f"user-{number}"] = new_user(f"user-{number}")
        user.traits = {"timezone": ZONES[number % len(ZONES)]}
    dedupe = Dedupe(step.DAY_MS, 5_000_000)
    processor = Processor(plan, users, now_ms=step.START_AT_MS, dedupe=dedupe, keeps=False)
    laps = Laps()
    with laps.running():
        happened = step.through(processor, lines)
    return Run(laps.seconds, [msgspec.to_builtins(record) for record in happened])


SCENARIOS = (Guardrails(),)
