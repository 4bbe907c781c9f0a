"""Bandits: how often each variant of a split was shown and reached the goal, and weights by that.

What spans users is an aggregate of its own, fed by effects as their batch is sealed, and saved with
it. Every full hour of logical time in which something was counted weights are drawn anew: the share
of a variant is how often it comes out best where each variant's rate of success is drawn from what
is known of it (Thompson, "On the likelihood that one unknown probability exceeds another", 1933;
as a share of users: Scott, "A modern Bayesian look at the multi-armed bandit", 2010). None falls
below `SHARE_MIN`, so that a variant that was unlucky at first is still tried.

The draws come from a generator that is seeded with campaign, split and instant. Nothing depends on
that: the weights are an input, and a replay takes them from the journal and draws nothing.
"""

from __future__ import annotations

from random import Random  # noqa: TID251 - seeded; what it gives becomes a journaled input
from typing import TYPE_CHECKING, Final

import msgspec

from engine.core.experiments import experiment_of
from engine.core.inputs import WeightsDrawn
from engine.core.state import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from engine.core.effects import CountArm
    from engine.core.plan import Campaign, Plan
    from engine.core.steps.kinds import Split

EVERY_MS: Final = 3_600_000
"""Weights are drawn at the first instant after a full hour, where something was counted."""

DRAWS: Final = 500
"""Of each variant's rate: some milliseconds of work, and shares right within some per cent."""

SHARE_MIN: Final = 0.01


class Tally(msgspec.Struct):
    """What was counted of one split.

    Attributes:
        goal: What counted as success: with another goal the count begins anew.
        arms: By variant: exposures, and how many of them reached the goal.
        is_new: Whether anything was counted since weights were drawn.
    """

    goal: str
    arms: dict[str, tuple[int, int]] = {}
    is_new: bool = False


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[str, Tally]).decode


class Bandits:
    """The aggregate of all splits whose weights follow what converts.

    Args:
        saved: What the last run left; b"" for nothing.

    Attributes:
        due_at_ms: When weights are to be drawn; `NEVER` where nothing was counted, and for an owner
            who draws none.
    """

    def __init__(self, saved: bytes = b"") -> None:
        self._tallies: dict[str, Tally] = _decode(saved) if saved else {}
        self._draws = self._is_unsaved = False
        self.due_at_ms = NEVER

    def begin(self, now_ms: int) -> None:
        """Draw weights from now on: this is no replay."""
        self._draws = True
        if any(tally.is_new for tally in self._tallies.values()):
            self._await(now_ms)

    def count(self, counted: Iterable[CountArm], plan: Plan, now_ms: int) -> None:
        """Take what was counted under a plan. O(counted)."""
        for one in counted:
            campaign = plan.campaigns.get(one.campaign)
            if campaign is None:
                continue
            tally = self._tally(one, campaign)
            exposed, reached = tally.arms.get(one.variant, (0, 0))
            arm = (exposed, reached + 1) if one.has_reached else (exposed + 1, reached)
            tally.arms[one.variant] = arm
            tally.is_new = self._is_unsaved = True
            self._await(now_ms)

    def draw(self, plan: Plan, now_ms: int) -> Iterator[WeightsDrawn]:
        """New weights for each split of which something was counted. O(draws * variants)."""
        self.due_at_ms = NEVER
        for campaign, split in _bandits(plan):
            tally = self._tallies.get(experiment_of(campaign.id, split.name))
            if tally is not None and tally.is_new and tally.goal == _goal_of(campaign):
                tally.is_new, self._is_unsaved = False, True
                arms = {variant: tally.arms.get(variant, (0, 0)) for variant in split.weights}
                weights = shares(arms, f"{campaign.id}\n{split.name}\n{now_ms}")
                yield WeightsDrawn(campaign.id, split.name, weights)

    def to_save(self) -> bytes:
        """All of it, for the next run; b"" where it is as it was. O(splits)."""
        if not self._is_unsaved:
            return b""
        self._is_unsaved = False
        return _encode(self._tallies)

    def _tally(self, one: CountArm, campaign: Campaign) -> Tally:
        goal, experiment = _goal_of(campaign), experiment_of(one.campaign, one.split)
        tally = self._tallies.get(experiment)
        if tally is None or tally.goal != goal:
            tally = self._tallies[experiment] = Tally(goal)
        return tally

    def _await(self, now_ms: int) -> None:
        if self._draws and self.due_at_ms == NEVER:
            self.due_at_ms = (now_ms // EVERY_MS + 1) * EVERY_MS


def shares(arms: Mapping[str, tuple[int, int]], seed: str) -> dict[str, float]:
    """How often each arm comes out best, from its exposures and successes; they add up to 1.

    Rates are drawn from Beta(1 + successes, 1 + failures): nothing is known beforehand. O(draws *
    arms).
    """
    random = Random(seed)  # noqa: S311 - nobody gains by knowing it
    best = dict.fromkeys(arms, 0)
    for _ in range(DRAWS):
        rates = {
            arm: random.betavariate(1 + reached, 1 + max(0, exposed - reached))
            for arm, (exposed, reached) in arms.items()
        }
        best[max(rates, key=rates.__getitem__)] += 1
    floored = {arm: max(SHARE_MIN, count / DRAWS) for arm, count in best.items()}
    total = sum(floored.values())
    return {arm: share / total for arm, share in floored.items()}


def _bandits(plan: Plan) -> Iterator[tuple[Campaign, Split]]:
    for campaign in plan.campaigns.values():
        for split in campaign.splits:
            if split.is_bandit:
                yield campaign, split


def _goal_of(campaign: Campaign) -> str:
    """What counts as success, in words."""
    goal = campaign.goal
    if goal is None:
        return ""
    return "\n".join((*goal.events, "" if goal.when is None else goal.when.text))
