"""How campaigns do, as operators are told: `GET /api/campaigns`, and `hairspring report`.

Counts come from the tallies, who waits where from the census; both are at hand, so that a page
costs no reading of records, however many there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from engine.core.instants import format_instant
from engine.core.reports.reaching import reached
from engine.core.reports.results import (
    Messages,
    branched,
    by_reason,
    cells,
    held_out,
    messages_by,
    times,
    variant_arms,
)
from engine.core.reports.tallies import HOUR_MS, LATE, SUMMED, Key, Tally, quantile_ms
from engine.core.stats.comparing import compare, lift
from engine.core.stats.factorial import effects_of
from engine.core.stats.sequences import Arm, Interval, rate_interval
from engine.core.steps.kinds import Send
from engine.runtime.admin.census import Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.core.plan import Campaign, Plan
    from engine.core.reports.tallies import Tallies
    from engine.core.stats.comparing import Comparison, Lift
    from engine.core.steps.kinds import Split

Told: TypeAlias = dict[str, Any]

HOURS: Final = 24
"""Of the trend, unless asked for more or fewer."""

HOURS_MAX: Final = 31 * 24

_OF_VARIANT: Final = ("sent", "opened", "clicked", "cost", "roi")

_ATTRIBUTED: Final = ("goals", "goals_clicked", "goal_value", "roi")

_TREND: Final = (*SUMMED[:-2], "converted")


class Performance:
    """What is told of the campaigns of one plan, at one instant.

    Args:
        plan: In force.
        tallies: What was counted, folded.
        standings: By campaign, who is in it now.
        now_ms: Logical now.
        costs: By channel, what one message costs.
        currency: Of costs and values.
        behind: Records that are not counted yet.
    """

    def __init__(
        self,
        plan: Plan,
        tallies: Tallies,
        standings: Mapping[str, Standing],
        *,
        now_ms: int,
        costs: Mapping[str, float],
        currency: str,
        behind: int = 0,
    ) -> None:
        self._plan = plan
        self._tallies = tallies
        self._standings = standings
        self._now_ms = now_ms
        self._costs = costs
        self._currency = currency
        self._behind = behind

    @property
    def ids(self) -> list[str]:
        """Of all campaigns, by rank."""
        return [*self._plan.campaigns]

    def campaigns(self, hours: int = HOURS) -> Told:
        """All campaigns, by rank. O(campaigns * (keys + hours))."""
        told = [self._listed(campaign, hours) for campaign in self._plan.campaigns.values()]
        return {**self._head(), "campaigns": told}

    def campaign(self, campaign_id: str, hours: int = HOURS) -> Told | None:
        """One campaign in full; None where the plan has none of that id. O(keys * steps)."""
        campaign = self._plan.campaigns.get(campaign_id)
        if campaign is None:
            return None
        counts = self._tally(campaign).total()
        treated, out = held_out(counts)
        told = {**self._head(), **self._listed(campaign, hours)}
        told["priority"] = campaign.priority
        told["refused"] = by_reason(counts, "refused")
        told["exited"] = by_reason(counts, "exited")
        told["finished"] = sum(by_reason(counts, "finished").values())
        told["goal"] = _told_goal(campaign)
        told["goal_rate"] = _told(rate_interval(treated))
        told["response"] = {kind: _times(counts, kind) for kind in ("opened", "clicked")}
        told["lateness"] = _told_lateness(counts)
        told["steps"] = self._steps(campaign, counts)
        told["channels"] = self._parts(counts, lambda key: key.channel or None, "channel")
        splits = campaign.splits
        told["experiments"] = [
            self._experiment(counts, split, is_only=len(splits) == 1) for split in splits
        ]
        told["factorial"] = _told_factorial(campaign, counts)
        told["holdout"] = _told_holdout(campaign, treated, out, told["cost"])
        return told

    def _head(self) -> Told:
        return {
            "at": format_instant(self._now_ms),
            "currency": self._currency,
            "behind": self._behind,
        }

    def _tally(self, campaign: Campaign) -> Tally:
        return self._tallies.campaigns.get(campaign.id) or Tally()

    def _listed(self, campaign: Campaign, hours: int) -> Told:
        tally = self._tally(campaign)
        counts = tally.total()
        treated, out = held_out(counts)
        all_of_it = messages_by(counts, lambda _: "", self._costs).get("")
        standing = self._standings.get(campaign.id, Standing())
        told = {
            "id": campaign.id,
            "description": campaign.description,
            "status": campaign.status,
            "purpose": campaign.purpose,
            "group": campaign.group,
            "entered": treated.size + out.size,
            "held_out": out.size,
            "active": standing.active,
            **_messages(all_of_it),
        }
        # Goals count for the campaign with a message as their last touch, or with none.
        told["attributed"] = {name: told.pop(name) for name in _ATTRIBUTED}
        told["converted"] = treated.goals + out.goals
        told["goal_value"] = treated.value + out.value
        told["trend"] = self._trend(tally, hours)
        return told

    def _trend(self, tally: Tally, hours: int) -> list[Told]:
        last = self._now_ms // HOUR_MS
        trend = []
        for hour in range(last - hours + 1, last + 1):
            *counts, worth = tally.sums(hour)
            of_hour = {name: int(count) for name, count in zip(_TREND, counts, strict=True)}
            at = format_instant(hour * HOUR_MS)
            trend.append({"at": at, **of_hour, "goal_value": worth})
        return trend

    def _steps(self, campaign: Campaign, counts: Mapping[Key, float]) -> list[Told]:
        standing = self._standings.get(campaign.id, Standing())
        ways = branched(campaign, counts)
        came = reached(campaign, counts, ways, standing.waiting)
        messages = messages_by(counts, lambda key: key.step or None, self._costs)
        told = []
        for step in campaign.steps:
            of_step: Told = {
                "id": step.id,
                "kind": _kind(step),
                "reached": came[step.id],
                "waiting": standing.waiting.get(step.id, 0),
            }
            if isinstance(step, Send):
                of_step |= _messages(messages.get(step.id))
                of_step["response"] = {
                    kind: _times(counts, kind, lambda key, at=step.id: key.step == at)  # type: ignore[misc]
                    for kind in ("opened", "clicked")
                }
            went = {way: count for (at, way), count in ways.items() if at == step.id}
            if went:
                of_step["branched"] = went
            told.append(of_step)
        return told

    def _parts(
        self, counts: Mapping[Key, float], part: Callable[[Key], str | None], name: str
    ) -> list[Told]:
        parts = messages_by(counts, part, self._costs)
        return [{name: each, **_messages(parts[each])} for each in sorted(parts)]

    def _experiment(self, counts: Mapping[Key, float], split: Split, *, is_only: bool) -> Told:
        comparison = compare(variant_arms(counts, split))
        messages = messages_by(counts, lambda key: key.variant or None, self._costs)
        total = sum(split.weights.values())
        told = _told_comparison(comparison)
        for one in told["variants"]:
            one["weight"] = split.weights[one["variant"]] / total
            sent = _messages(messages.get(one["variant"]))
            # Messages bear one variant, that of the newest split.
            one |= {name: sent[name] if is_only else None for name in _OF_VARIANT}
        mode = "bandit" if split.is_bandit else "fixed"
        return {"split": split.name, "step": split.id, "mode": mode, **told}


def _times(
    counts: Mapping[Key, float], kind: str, part: Callable[[Key], bool] = lambda _: True
) -> Told | None:
    told = times(counts, kind, part)
    return None if told is None else msgspec.structs.asdict(told)


def _messages(messages: Messages | None) -> Told:
    told: Told = msgspec.to_builtins(messages or Messages())
    told["roi"] = roi(told["goal_value"], told["cost"])
    return told


def roi(value: float, cost: float) -> float | None:
    """What came back of each unit spent, beyond that unit; None where nothing was."""
    return (value - cost) / cost if cost else None


def _kind(step: object) -> str:
    return _KINDS[type(step).__name__]


_KINDS: Final = {
    "Wait": "wait",
    "WaitWhen": "wait",
    "WaitUntil": "wait",
    "WaitEvent": "wait",
    "Repeat": "repeat",
    "Send": "send",
    "If": "if",
    "Choose": "choose",
    "Split": "split",
    "Set": "set",
    "Emit": "emit",
    "Exit": "exit",
}


def _told_goal(campaign: Campaign) -> Told | None:
    goal = campaign.goal
    if goal is None:
        return None
    return {
        "events": list(goal.events),
        "when": "" if goal.when is None else goal.when.text,
        "within_ms": goal.within_ms,
        "value": "" if goal.value is None else goal.value.text,
    }


def _told_lateness(counts: Mapping[Key, float]) -> Told:
    buckets = {int(key.reason): count for key, count in counts.items() if key.kind == LATE}
    return {
        "count": int(sum(buckets.values())),
        "p50_ms": quantile_ms(buckets, 0.5),
        "p99_ms": quantile_ms(buckets, 0.99),
    }


def _told_factorial(campaign: Campaign, counts: Mapping[Key, float]) -> Told | None:
    splits = campaign.splits
    found = cells(counts, splits) if len(splits) > 1 else {}
    if not found:
        return None
    effects = effects_of([(split.name, [*split.weights]) for split in splits], found)
    return {
        "cells": [
            {
                "variants": {s.name: variant for s, variant in zip(splits, cell, strict=True)},
                **_told_arm(arm),
            }
            for cell, arm in sorted(found.items())
        ],
        "effects": [
            {"variants": dict(one.variants), "effect": _told(one.effect)} for one in effects
        ],
    }


def _told_holdout(campaign: Campaign, treated: Arm, out: Arm, cost: float) -> Told | None:
    if not out.size and not campaign.holdout:
        return None
    found: Lift = lift(treated, out)
    value = found.value
    return {
        "share": campaign.holdout,
        "treated": _told_arm(treated),
        "held_out": _told_arm(out),
        "lift": _told(found.rate),
        "relative_lift": found.relative,
        "goals_more": _told(found.goals),
        "value_more": None if value is None else _told(value),
        "roi": None if value is None else roi(value.estimate, cost),
        "needed": found.needed,
        "verdict": found.verdict,
    }


def _told_comparison(comparison: Comparison) -> Told:
    first = comparison.variants[0]
    return {
        "variants": [
            {
                "variant": one.variant,
                **_told_arm(one.arm),
                "best": one.chance,
                "lift": None if one.against_first is None else _told(one.against_first),
                "relative_lift": (one.arm.rate - first.arm.rate) / first.arm.rate
                if one.against_first is not None and first.arm.rate
                else None,
                "needed": one.needed,
            }
            for one in comparison.variants
        ],
        "winner": comparison.winner,
        "needed": comparison.needed,
        "verdict": comparison.verdict,
    }


def _told_arm(arm: Arm) -> Told:
    return {
        "entered": arm.size,
        "goals": arm.goals,
        "rate": _told(rate_interval(arm)),
        "goal_value": arm.value,
        "value_each": arm.worth,
    }


def _told(interval: Interval) -> Told:
    """As JSON has it: what is not known at all is null."""
    low, high = interval.low, interval.high
    known = abs(low) != float("inf")
    return {
        "estimate": interval.estimate,
        "low": low if known else None,
        "high": high if known else None,
    }
