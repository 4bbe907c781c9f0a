"""Caps and quiet hours to the millisecond, of users of whom all is plain.

Reckoned by brute force from records alone, in order: each message that was sent takes a place at
the instant at which it was judged, and gives it back where it failed or was taken back. Left out is
what cannot be told for sure: what was judged about when the shop was edited, and behind it for as
long as a cap reaches back.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from engine.core.inputs import PlanChanged, UserIdentified
from engine.sim.world.comings import gaps
from engine.sim.world.replies import is_bounce
from engine.sim.world.restraint import AHEAD_MINUTES, is_quiet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from engine.core.effects import Record, SendMessage
    from engine.core.inputs import Input
    from engine.core.plan import Plan

    Sent: TypeAlias = Mapping[str, SendMessage]

_decode = msgspec.json.Decoder(dict[str, Any]).decode

MINUTE_MS: Final = 60_000

UNSURE_MS: Final = 60_000
"""For how long behind an edit it cannot be told what counts: longer than any cap of the shop."""

SLACK_MS: Final = 999
"""A record does not tell when it was judged where that is nearer to its instant than a second."""


class Rules:
    """Which plan was in force when, as far as that is sure."""

    def __init__(self, journal: Sequence[Input], plans: Mapping[str, Plan]) -> None:
        self._gaps = gaps(journal)
        self._changes = [
            (one.at_ms, plans[one.plan_id]) for one in journal if isinstance(one, PlanChanged)
        ]

    def lived_through(self, at_ms: int) -> bool:
        """Whether what fell due then fired at once."""
        return not any(since <= at_ms <= until for since, until in self._gaps)

    def of(self, since_ms: int, until_ms: int) -> Plan | None:
        """The one of a stretch of time; None where it changed in it, or not long before."""
        plan: Plan | None = None
        for at_ms, other in self._changes:
            if plan is not None and since_ms - UNSURE_MS <= at_ms <= until_ms + SLACK_MS:
                return None
            if at_ms <= since_ms:
                plan = other
        return plan


def miscounted(
    records: Iterable[Record], sent: Sent, rules: Rules, is_plain: Callable[[str], bool]
) -> str:
    """A message that went over a cap, or was held back by one that had room; or "".

    One that was taken back before it was handed over was seen by nobody: when it was judged is
    known to a second. It may have taken a place, and held others back until it gave that up.
    """
    places: defaultdict[str, dict[str, tuple[int, str]]] = defaultdict(dict)
    unseen: defaultdict[str, dict[str, tuple[int, str]]] = defaultdict(dict)
    for one in records:
        if not is_plain(one.user_id):
            continue
        taken, perhaps = places[one.user_id], unseen[one.user_id]
        at_ms = max(one.at_ms, one.judged_at_ms)
        if one.kind == "sent" and one.message not in sent:
            perhaps[one.message] = at_ms + SLACK_MS, one.channel
        elif one.kind == "sent":
            at_ms = sent[one.message].at_ms
            if _is_full(one, at_ms, taken, rules.of(at_ms, at_ms)):
                return f"{one.message} of {one.user_id} went at {at_ms}, behind {taken}"
            taken[one.message] = at_ms, one.channel
        elif one.kind == "skipped" and one.reason == "capped":
            behind = {**taken, **perhaps}
            if _is_full(one, at_ms, behind, rules.of(at_ms, at_ms)) is False:
                return f"{one.step} of {one.enrollment} was held back at {at_ms}, behind {behind}"
        elif one.kind in {"failed", "skipped"} and one.message and not is_bounce(one):
            taken.pop(one.message, None)
            perhaps.pop(one.message, None)
    return ""


def _is_full(
    one: Record, at_ms: int, taken: Mapping[str, tuple[int, str]], plan: Plan | None
) -> bool | None:
    """Whether a cap had no room for a message; None where that cannot be told."""
    campaign = plan.campaigns.get(one.campaign) if plan is not None else None
    if plan is None or campaign is None or not campaign.is_marketing:
        return None
    for cap in plan.policy.caps:
        if cap.channel not in {"", one.channel}:
            continue
        since_ms = at_ms - cap.per_ms
        counted = [by for at, by in taken.values() if at > since_ms and cap.channel in {"", by}]
        if len(counted) >= cap.most:
            return True
    return False


class Zones:
    """The clock that each user says is his, by what the journal has of him."""

    def __init__(self, journal: Iterable[Input]) -> None:
        self._said: defaultdict[str, list[tuple[int, str | None]]] = defaultdict(list)
        for one in journal:
            said = _decode(one.traits) if isinstance(one, UserIdentified) else {}
            if isinstance(one, UserIdentified) and "timezone" in said:
                self._said[one.user_id].append((one.at_ms, said["timezone"]))

    def of(self, user_id: str, since_ms: int, until_ms: int) -> set[int]:
        """By how many minutes his clock may have been ahead in a stretch of time."""
        ahead = set()
        before = 0
        for at_ms, zone in self._said[user_id]:
            minutes = AHEAD_MINUTES[zone]
            if at_ms < since_ms:
                before = minutes
            elif at_ms <= until_ms:
                ahead.add(minutes)
        return {*ahead, before}


def put_off_wrongly(
    records: Sequence[Record],
    sent: Sent,
    rules: Rules,
    zones: Zones,
    is_plain: Callable[[str], bool],
    now_ms: int,
) -> str:
    """A send that was put off though it was not quiet, or to another instant than the end; or "".

    And one that was not put off though it was quiet, or that was not asked again at the end.
    """
    for place, one in enumerate(records):
        if not is_plain(one.user_id):
            continue
        if one.kind == "sent" and one.message in sent and not sent[one.message].fallback_of:
            at_ms = sent[one.message].at_ms
            plan = rules.of(at_ms, at_ms)
            if _always_quiet(plan, one, zones.of(one.user_id, at_ms - SLACK_MS, at_ms), at_ms):
                return f"{one.message} of {one.user_id} was sent at {at_ms}"
        elif one.kind == "deferred":
            at_ms, until_ms = max(one.at_ms, one.judged_at_ms), one.until_ms
            plan = rules.of(at_ms, until_ms)
            ahead = zones.of(one.user_id, at_ms - SLACK_MS, at_ms + SLACK_MS)
            if plan is None:
                continue
            if not any(_ends_at(plan, at_ms, until_ms, minutes) for minutes in ahead):
                return f"{one.step} of {one.enrollment} was put off at {at_ms} to {until_ms}"
            is_over = until_ms < now_ms and rules.lived_through(until_ms)
            if is_over and not _is_asked_again(records, place, one):
                return f"{one.step} of {one.enrollment} was not asked again at {until_ms}"
    return ""


def _always_quiet(plan: Plan | None, one: Record, ahead: Iterable[int], at_ms: int) -> bool:
    campaign = plan.campaigns.get(one.campaign) if plan is not None else None
    if plan is None or campaign is None or not campaign.is_marketing:
        return False
    return all(is_quiet(plan, minutes, at_ms) for minutes in ahead)


def _ends_at(plan: Plan, at_ms: int, until_ms: int, ahead: int) -> bool:
    """Whether it was quiet by a clock, until that instant and no longer."""
    return (
        any(is_quiet(plan, ahead, at) for at in (at_ms, at_ms + SLACK_MS))
        and all(
            is_quiet(plan, ahead, at) for at in range(at_ms + SLACK_MS, until_ms, MINUTE_MS // 4)
        )
        and is_quiet(plan, ahead, until_ms - 1)
        and not is_quiet(plan, ahead, until_ms)
    )


def _is_asked_again(records: Sequence[Record], place: int, one: Record) -> bool:
    """Whether something became of a deferred step at its time, if its enrollment was not left."""
    for other in records[place + 1 :]:
        if other.enrollment != one.enrollment:
            continue
        if other.kind in {"exited", "finished"}:
            return True
        if other.step == one.step and other.kind in {"sent", "skipped", "deferred"}:
            return other.at_ms == one.until_ms
    return False
