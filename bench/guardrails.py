"""The events of `step` with all guardrails on and five experiments, beside the same without.

Caps of an hour and a week, on all channels and on one, a least time between two messages, and quiet
hours, for users in five time zones; a holdout of the shop and one of a campaign, and three splits,
of which one is a bandit whose weights are drawn each hour. They hold nobody back here, and all ways
of a split lead to the same step, so that both sides have to come to the same records, but for those
of the splits: what is measured is to ask and to draw, and to keep what is asked for and drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bench import step
from bench.harness import Laps, Run
from engine.core.messages.caps import Cap
from engine.core.messages.quiet import QuietHours
from engine.core.plan import Plan
from engine.core.policy import Policy
from engine.core.state import new_user
from engine.core.steps.kinds import Split
from engine.runtime.dedupe import Dedupe
from engine.runtime.processor import Processor

if TYPE_CHECKING:
    from bench.step import Lines
    from engine.core.effects import Record

ZONES = ("Europe/Berlin", "America/New_York", "Asia/Tokyo", "Australia/Sydney", "UTC")

HOUR_MS = 3_600_000
NOBODY = 1e-12
"""The share of a holdout that draws for everybody and holds none of them out."""

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
    holdout=NOBODY,
)

EXPERIMENTS = 5


class Guardrails:
    """What guardrails cost."""

    name = "guardrails"
    title = (
        "step with caps, spacing, quiet hours in five zones, five experiments; over step without"
    )
    n = 200_000
    n_small = 20_000
    limit = 1.5
    repetitions = 9

    def prepare(self, n: int) -> Lines:
        """The events of `step`."""
        return step.Step().prepare(n)

    def reference(self, load: Lines) -> Run:
        """Without."""
        return _run(step.plan(), load)

    def ours(self, load: Lines) -> Run:
        """With all of them."""
        return _run(_all_on(), load)


def _all_on() -> Plan:
    """The campaigns of `step` with the guardrails and the experiments."""
    campaigns = dict(step.plan().campaigns)
    cart, browse = campaigns[step.CART], campaigns[step.BROWSE]
    wait, nudge = cart.steps
    words = {"plain": 2.0, "warm": 1.0, "short": 1.0}
    campaigns[step.CART] = msgspec.structs.replace(
        cart,
        steps=(wait, Split("split", "words", words, (2, 2, 2)), nudge),
        signatures=("wait", "split", "nudge"),
        holdout=NOBODY,
    )
    looks, tones = {"large": 1.0, "small": 1.0}, {"calm": 1.0, "loud": 1.0}
    campaigns[step.BROWSE] = msgspec.structs.replace(
        browse,
        steps=(
            Split("split", "looks", looks, (1, 1), is_bandit=True),
            Split("split-too", "tones", tones, (2, 2)),
            *browse.steps,
        ),
        signatures=("split", "split-too", *browse.signatures),
    )
    plan = Plan("bench", campaigns.values(), ALL_ON)
    splits = sum(len(campaign.splits) for campaign in campaigns.values())
    held_out = sum(
        share > 0 for share in (ALL_ON.holdout, *[c.holdout for c in campaigns.values()])
    )
    assert splits + held_out == EXPERIMENTS
    return plan


def _run(plan: Plan, lines: Lines) -> Run:
    users = {}
    for number in range(len(lines) // step.EVENTS_PER_USER):
        user = users[f"user-{number}"] = new_user(f"user-{number}")
        user.traits = {"timezone": ZONES[number % len(ZONES)]}
    dedupe = Dedupe(step.DAY_MS, 5_000_000)
    processor = Processor(plan, users, now_ms=step.START_AT_MS, dedupe=dedupe, keeps=False)
    processor.bandits.begin(step.START_AT_MS)
    laps = Laps()
    with laps.running():
        happened = step.through(processor, lines)
    return Run(laps.seconds, [_told(record) for record in happened if record.kind != "branched"])


def _told(record: Record) -> object:
    """A record without the variant of whoever it is about."""
    return msgspec.to_builtins(msgspec.structs.replace(record, variant=""))


SCENARIOS = (Guardrails(),)
