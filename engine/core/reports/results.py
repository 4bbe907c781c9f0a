"""What a campaign did, read out of its counts: messages and goals, of all or of a part of them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from engine.core.reports.tallies import (
    CANCELLED,
    CLICKED,
    RESPONSE,
    SQUARE,
    VALUE,
    Key,
    quantile_ms,
    read_variants,
)
from engine.core.stats.sequences import Arm
from engine.core.steps.kinds import Split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from engine.core.plan import Campaign

    Counts = Mapping[Key, float]

HOLDOUT = "holdout"
"""The reason in records of who is held out."""


class Messages(msgspec.Struct):
    """What became of messages, and what is put down to them.

    Attributes:
        sent: Passed the guardrails.
        delivered: Taken by their channel.
        failed: Not taken, for good.
        opened: Opened by a person, each once.
        clicked: Clicks of people.
        machine: Opens and clicks of machines, which count nowhere else.
        unsubscribed: Said no by way of one.
        goals: Reached with one of them as the last touch.
        goals_clicked: Those of them whose message was clicked, and not delivered alone.
        goal_value: What those were worth together.
        cost: What those delivered cost.
        skipped: Not sent, or taken back, by reason.
    """

    sent: int = 0
    delivered: int = 0
    failed: int = 0
    opened: int = 0
    clicked: int = 0
    machine: int = 0
    unsubscribed: int = 0
    deferred: int = 0
    goals: int = 0
    goals_clicked: int = 0
    goal_value: float = 0.0
    cost: float = 0.0
    skipped: dict[str, int] = {}


class Times(msgspec.Struct, omit_defaults=True):
    """How long it took, in milliseconds: half of them at the most, and nine of ten."""

    count: int
    p50_ms: int
    p90_ms: int


_PLAIN = frozenset({"sent", "delivered", "failed", "unsubscribed", "deferred"})
_ANSWERS = frozenset({"opened", "clicked"})


def messages_by(
    counts: Counts, part: Callable[[Key], str | None], costs: Mapping[str, float]
) -> dict[str, Messages]:
    """Messages by whatever `part` says of a key, None for none. `costs` are by channel. O(keys)."""
    found: dict[str, Messages] = {}
    for key, count in counts.items():
        name = part(key)
        if name is not None:
            _add(found.setdefault(name, Messages()), key, count, costs)
    return found


def _add(into: Messages, key: Key, count: float, costs: Mapping[str, float]) -> None:
    kind = key.kind
    if kind in _PLAIN:
        setattr(into, kind, getattr(into, kind) + int(count))
        if kind == "delivered":
            into.cost += count * costs.get(key.channel, 0.0)
    elif kind in _ANSWERS:
        kind = "machine" if key.reason else kind
        setattr(into, kind, getattr(into, kind) + int(count))
    elif kind in {"skipped", CANCELLED}:
        into.skipped[key.reason] = into.skipped.get(key.reason, 0) + int(count)
    elif kind == "goal" and key.channel:
        into.goals += int(count)
    elif kind == CLICKED:
        into.goals_clicked += int(count)
    elif kind == VALUE and key.channel:
        into.goal_value += count


def by_reason(counts: Counts, kind: str) -> dict[str, int]:
    """How often something happened, by reason. O(keys)."""
    found: Counter[str] = Counter()
    for key, count in counts.items():
        if key.kind == kind:
            found[key.reason] += int(count)
    return dict(found)


def arm_of(counts: Counts, size: int, part: Callable[[Key], bool]) -> Arm:
    """The goals that `part` takes, of so many enrollments. O(keys)."""
    sums: Counter[str] = Counter()
    for key, count in counts.items():
        if key.kind in {"goal", VALUE, SQUARE} and part(key):
            sums[key.kind] += count  # type: ignore[assignment]
    return Arm(size, int(sums["goal"]), float(sums[VALUE]), float(sums[SQUARE]))


def held_out(counts: Counts) -> tuple[Arm, Arm]:
    """Who was treated, and who was held out. O(keys)."""
    sizes = by_reason(counts, "entered")
    out = sizes.pop(HOLDOUT, 0)
    treated = arm_of(counts, sum(sizes.values()), lambda key: key.reason != HOLDOUT)
    return treated, arm_of(counts, out, lambda key: key.reason == HOLDOUT)


def branched(campaign: Campaign, counts: Counts) -> dict[tuple[str, str], int]:
    """By step and way, or variant: how often enrollments went by, held out or not. O(keys)."""
    names = {step.id: step.name for step in campaign.steps if isinstance(step, Split)}
    found: Counter[tuple[str, str]] = Counter()
    for key, count in counts.items():
        if key.kind == "branched":
            name = names.get(key.step)
            way = key.reason if name is None else variant_in(key, name)
            found[key.step, way] += int(count)
    return dict(found)


def variant_in(key: Key, split: str) -> str:
    """The variant of a split that a key is of; where it names one alone, that; else ""."""
    told = read_variants(key.variant)
    return told.get(split, "") if told else key.variant


def variant_arms(counts: Counts, split: Split) -> dict[str, Arm]:
    """Of each variant who went by the split and was not held out. O(keys * variants)."""
    return {
        variant: arm_of(
            counts,
            _exposed(counts, split, variant),
            lambda key, variant=variant: (  # type: ignore[misc]
                key.reason != HOLDOUT and variant_in(key, split.name) == variant
            ),
        )
        for variant in split.weights
    }


def cells(counts: Counts, splits: Iterable[Split]) -> dict[tuple[str, ...], Arm]:
    """Of who went by all of several splits: each combination of variants. O(keys * cells)."""
    splits = list(splits)
    sizes: Counter[tuple[str, ...]] = Counter()
    told: dict[tuple[str, ...], str] = {}
    for key, count in counts.items():
        said = read_variants(key.variant)
        cell = tuple(said.get(split.name, "") for split in splits)
        # The split that comes last says all of them; each before it says fewer.
        if key.kind == "branched" and key.reason != HOLDOUT and all(cell):
            sizes[cell] += int(count)
            told[cell] = key.variant
    return {
        cell: arm_of(
            counts,
            size,
            lambda key, text=told[cell]: key.reason != HOLDOUT and key.variant == text,  # type: ignore[misc]
        )
        for cell, size in sizes.items()
    }


def times(counts: Counts, kind: str, part: Callable[[Key], bool] = lambda _: True) -> Times | None:
    """How long after they were sent messages were opened or clicked; None: never. O(keys)."""
    buckets: Counter[int] = Counter()
    for key, count in counts.items():
        if key.kind == RESPONSE and part(key):
            of, _, bucket = key.reason.partition(" ")
            if of == kind:
                buckets[int(bucket)] += int(count)
    half, most = quantile_ms(buckets, 0.5), quantile_ms(buckets, 0.9)
    if half is None or most is None:
        return None
    return Times(sum(buckets.values()), half, most)


def _exposed(counts: Counts, split: Split, variant: str) -> int:
    return int(
        sum(
            count
            for key, count in counts.items()
            if key.kind == "branched"
            and key.step == split.id
            and key.reason != HOLDOUT
            and variant_in(key, split.name) == variant
        )
    )
