"""Experiments: which variant of a split a user gets, and whether he is held out.

A draw is a weighted rendezvous: each variant has a number that follows from the experiment, the
user and the variant alone, read as the time at which an exponential clock of the variant's weight
rings; the first wins. So the shares are the weights', and a changed weight moves users to or from
that variant alone, as many as its share changes by and no more; where several change at once, no
other draw moves fewer for these weights without moving more for others. (Thaler & Ravishankar,
"Using name-based mappings to increase hit rates", 1998; the race of exponential clocks as a draw
that is maximally consistent: Moulton & Jiang, "Maximally Consistent Sampling and the Jaccard Index
of Probability Distributions", 2018.)

What was drawn is kept with the user, and asked before anything is drawn again: changed weights, and
a merge of ids, move nobody. A holdout is an experiment like any other, of two variants.
"""

from __future__ import annotations

from functools import lru_cache
from math import inf, log
from typing import TYPE_CHECKING, Final

import msgspec
from xxhash import xxh3_64_intdigest

from engine.core.effects import CountArm

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from engine.core.plan import Campaign, Plan
    from engine.core.state import Ended, Enrollment, User
    from engine.core.steps.kinds import Split
    from engine.core.turn import Turn

HELD_OUT: Final = "held_out"
"""The variant of a holdout that is sent nothing."""

ALL_CAMPAIGNS: Final = ""
"""The experiment that is the holdout of the whole shop: the same users in every campaign."""

VARIANT: Final = "variant"
"""What conditions and templates call the variant of an enrollment."""

SEEDS_CACHED_MAX: Final = 4_096
"""Variants of all experiments whose seeds are at hand: half of what a draw takes."""

_TREATED: Final = "treated"
_SPAN: Final = 2.0**64


class Experiments(msgspec.Struct, frozen=True):
    """What there is to draw.

    Attributes:
        ids: All that can be drawn for a user.
        holds_out: Whether anybody is held out of a campaign.
    """

    ids: frozenset[str]
    holds_out: bool


def experiment_of(campaign_id: str, split: str = "") -> str:
    """What a draw is kept under: a split's experiment, or without one that of the holdout.

    Splits of one name in two campaigns are two experiments, drawn apart from each other.
    """
    return f"{campaign_id}\n{split}" if split else campaign_id


def draw(user_id: str, experiment: str, weights: Mapping[str, float]) -> str:
    """The variant that a user gets, by hash alone. O(variants).

    `weights` are above 0; their shares count. At least one.
    """
    first, earliest = "", inf
    key = user_id.encode("utf-8", "surrogatepass")
    for variant, weight in weights.items():
        digest = xxh3_64_intdigest(key, _seed(experiment, variant))
        rings_at = -log((digest + 0.5) / _SPAN) / weight
        if rings_at < earliest or not first:
            first, earliest = variant, rings_at
    return first


@lru_cache(SEEDS_CACHED_MAX)
def _seed(experiment: str, variant: str) -> int:
    return xxh3_64_intdigest(f"{experiment}\n{variant}".encode())


def is_held_out(turn: Turn, campaign: Campaign) -> bool:
    """Whether the user is to go through a campaign without being sent anything. O(draws).

    Never of a transactional one: nobody goes without what he must be told.
    """
    return campaign.is_marketing and (
        _is_in(turn, ALL_CAMPAIGNS, turn.plan.policy.holdout)
        or _is_in(turn, experiment_of(campaign.id), campaign.holdout)
    )


def go_by(turn: Turn, enrollment: Enrollment, split: Split) -> int:
    """Have an enrollment go by a split; the position from which it goes on. O(draws + variants).

    It is an exposure: recorded, and from here on the enrollment's records bear the variant. One
    that comes by again goes the way that it went, also where its user got another one by a merge.
    """
    before, name = enrollment.variants, split.name
    went = variant = dict(before).get(name, "") if before else ""
    if went not in split.weights:
        experiment = experiment_of(enrollment.campaign, name)
        variant = _drawn(turn, experiment, _weights(turn.plan, split, experiment))
        if split.is_bandit and not enrollment.held_out:
            turn.effects.append(CountArm(enrollment.campaign, name, variant))
    own = ((name, variant),)
    enrollment.variants = (*[one for one in before if one[0] != name], *own) if before else own
    reason = "holdout" if enrollment.held_out else ""
    branched = turn.record("branched", enrollment, split.id, "", "", reason)
    branched.variants = crossed(turn.plan, enrollment)
    return split.way_of[variant]


def count_goal(turn: Turn, reached: Enrollment | Ended) -> None:
    """Have a goal counted for each bandit that the enrollment has gone by. O(splits)."""
    if not reached.variants or reached.held_out:
        return
    bandits = {one.name for one in turn.plan.campaigns[reached.campaign].splits if one.is_bandit}
    for split, variant in reached.variants:
        if split in bandits:
            turn.effects.append(CountArm(reached.campaign, split, variant, has_reached=True))


def crossed(plan: Plan, one: Enrollment | Ended) -> tuple[tuple[str, str], ...]:
    """Every split that an enrollment has gone by, for its record, where there are several.

    One split's variant the record bears anyhow. O(1).
    """
    campaign = plan.campaigns.get(one.campaign)
    return one.variants if campaign is not None and len(campaign.splits) > 1 else ()


def variant_of(variants: tuple[tuple[str, str], ...]) -> str:
    """The variant of the newest split that was passed; "" where none was."""
    return variants[-1][1] if variants else ""


def _is_in(turn: Turn, experiment: str, share: float) -> bool:
    if share <= 0:
        return False
    known = turn.user.drawn.get(experiment)
    if known is not None and share < 1:
        return known == HELD_OUT
    weights = {HELD_OUT: share, _TREATED: 1 - share} if share < 1 else {HELD_OUT: share}
    return _drawn(turn, experiment, weights) == HELD_OUT


def _weights(plan: Plan, split: Split, experiment: str) -> Mapping[str, float]:
    """Those in force: of a bandit the ones that were drawn last, if they are of these variants."""
    drawn = plan.weights.get(experiment) if split.is_bandit else None
    return drawn if drawn is not None and drawn.keys() == split.weights.keys() else split.weights


def _drawn(turn: Turn, experiment: str, weights: Mapping[str, float]) -> str:
    """What was drawn for the user, or is now; anew where that variant is gone."""
    user = turn.user
    variant = user.drawn.get(experiment)
    if variant is None or variant not in weights:
        variant = draw(user.user_id, experiment, weights)
        _keep(user, experiment, variant, turn.plan.experiments.ids)
    return variant


def _keep(user: User, experiment: str, variant: str, asked: frozenset[str]) -> None:
    """Keep a draw; those of experiments that are gone go where they are most of what is kept.

    Amortised O(1): as many as the plan has of them are kept, and as many again.
    """
    drawn = user.drawn
    if not drawn:
        user.drawn = {experiment: variant}
        return
    drawn[experiment] = variant
    if len(drawn) > 2 * len(asked):
        user.drawn = {key: drawn[key] for key in drawn if key in asked}


def experiments_of(campaigns: Iterable[Campaign], holdout: float) -> Experiments:
    """Those of a plan; `holdout` is the shop's. O(steps)."""
    campaigns = list(campaigns)
    found = {ALL_CAMPAIGNS, *[experiment_of(campaign.id) for campaign in campaigns]}
    for campaign in campaigns:
        found.update(experiment_of(campaign.id, split.name) for split in campaign.splits)
    holds_out = holdout > 0 or any(campaign.holdout > 0 for campaign in campaigns)
    return Experiments(frozenset(found), holds_out)
