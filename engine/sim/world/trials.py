"""Experiments by records alone: nobody's variant moves, and a bandit counts what was shown."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from engine.core.effects import Record
    from engine.sim.world.kin import Kin

HOLDOUT = "holdout"


def moved(records: Iterable[Record]) -> str:
    """A variant that is not the one that was drawn before; "" where there is none.

    One enrollment goes one way. What a user draws under one id is the same each time: before he is
    merged into another, and for that other before and after, since what he has drawn stays.
    """
    went: dict[tuple[str, str], str] = {}
    drawn: dict[tuple[str, str, str], str] = {}
    for one in records:
        if one.kind != "branched" or one.branch:
            continue
        is_first = (one.enrollment, one.step) not in went
        own = went.setdefault((one.enrollment, one.step), one.variant)
        if own != one.variant:
            return f"{one.enrollment} went by {own}, then by {one.variant}"
        if is_first:
            known = drawn.setdefault((one.user_id, one.campaign, one.step), one.variant)
            if known != one.variant:
                return f"{one.user_id} had {known} of {one.campaign}, then {one.variant}"
    return ""


def not_joined(records: Sequence[Record], kin: Kin, slack_ms: int) -> str:
    """A variant that a user drew anew, though one who was merged into him had one; or "".

    Told where it is sure: he had drawn none before, the merge lies between, and nobody who ever
    became one with him had drawn that one. What a deadline did may have been done later than its
    record tells, by less than the slack.
    """
    first: dict[tuple[str, str, str], tuple[int, int, str]] = {}
    began = {one.enrollment: one.at_ms for one in records if one.kind == "entered"}
    for one in records:
        if one.kind == "branched" and not one.branch:
            at_ms = max(one.at_ms, one.judged_at_ms)
            by_ms = at_ms if began.get(one.enrollment) == at_ms else at_ms + slack_ms
            first.setdefault((one.user_id, one.campaign, one.step), (at_ms, by_ms, one.variant))
    for (user_id, campaign, step), (at_ms, _, variant) in first.items():
        others = {
            first[other, campaign, step][2]
            for (_, merged_at_ms), (bearer, other) in kin.merges.items()
            if bearer == user_id
            and (other, campaign, step) in first
            and first[other, campaign, step][1] < merged_at_ms < at_ms
        }
        if not others:
            continue
        family = kin.family(user_id)
        possible = {
            one[2]
            for (other, *what), one in first.items()
            if what == [campaign, step] and other != user_id and kin.family(other) == family
        }
        if variant not in possible:
            return f"{user_id} drew {variant} of {campaign}, and was {others} already"
    return ""


def held_out_in_vain(records: Iterable[Record], transactional: Collection[str]) -> str:
    """Somebody held out who was sent something, or is not any more, or never should be; or "".

    His goals are counted, as those of one who is held out.
    """
    held: dict[str, bool] = {}
    known: dict[tuple[str, str], bool] = {}
    for one in records:
        is_held = one.reason == HOLDOUT
        if one.kind == "entered":
            held[one.enrollment] = is_held
            if is_held and one.campaign in transactional:
                return f"{one.user_id} is held out of {one.campaign}"
            if one.campaign not in transactional:
                before = known.setdefault((one.user_id, one.campaign), is_held)
                if before != is_held:
                    return f"{one.user_id} in {one.campaign}: held out {before}, then {is_held}"
        elif one.kind == "sent" and held.get(one.enrollment):
            return f"{one.message} was sent to {one.user_id}, who is held out"
        elif one.kind == "goal" and held.get(one.enrollment, is_held) != is_held:
            return f"the goal of {one.enrollment} is told with {one.reason!r}"
        elif one.kind == "skipped" and is_held and not held.get(one.enrollment, True):
            return f"{one.step} of {one.enrollment} is held back from one who is not"
    return ""


def miscounted(records: Iterable[Record], saved: bytes, campaign: str, split: str) -> str:
    """Where a bandit has not counted what the records tell; "" where it has.

    Args:
        records: All that there ever were.
        saved: What is in the file of all bandits.
        campaign: Whose split is looked at.
        split: Its name, which is the id of its step.
    """
    shown: dict[str, str] = {}
    reached: Counter[str] = Counter()
    for one in records:
        if one.campaign != campaign or one.reason == HOLDOUT:
            continue
        if one.kind == "branched" and one.step == split:
            shown[one.enrollment] = one.variant
        elif one.kind == "goal" and one.enrollment in shown:
            reached[shown[one.enrollment]] += 1
    exposed = Counter(shown.values())
    told = {variant: [exposed[variant], reached[variant]] for variant in exposed}
    tallies: dict[str, Any] = msgspec.msgpack.decode(saved) if saved else {}
    counted = tallies.get(f"{campaign}\n{split}", {}).get("arms", {})
    return "" if counted == told else f"counted {counted}, and there were {told}"
