"""Who comes in by what becomes true of him, by brute force: by a score, or by time alone.

Two campaigns of a world ask one thing each, and are over at once: `risk` for a score that is high,
`calm` for six seconds in which somebody did nothing. So each time that it becomes true somebody
comes in, whatever else happens and however the shop is edited meanwhile.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeGuard

from engine.core.inputs import (
    ClockAdjusted,
    EventNoticed,
    EventReceived,
    MessageAnswered,
    TimeResumed,
    UserScored,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from engine.core.effects import Record
    from engine.core.inputs import Input

LATENESS_MS: Final = 3_600_000
"""`events.max_lateness` of the shop."""

IDLE_MS: Final = 6_000
HIGH: Final = 0.7

PEOPLE_DO: Final = frozenset({"opened", "clicked", "dismissed", "unsubscribed"})
"""Answers that are something that the user did."""

Entry: TypeAlias = "tuple[str, str, int]"
"""Campaign, user, instant."""


def missed(
    journal: Sequence[Input],
    records: Iterable[Record],
    is_plain: Callable[[str], bool],
    now_ms: int,
) -> str:
    """Somebody who came in without cause, or did not in spite of one; "" where there is none.

    Of users alone who are `is_plain`: never merged with anybody, and never erased.
    """
    own: defaultdict[str, list[Any]] = defaultdict(list)
    for one in journal:
        user_id = getattr(one, "user_id", "")
        if user_id and is_plain(user_id):
            own[user_id].append(one)
    unsure = gaps(journal)
    expected: Counter[Entry] = Counter()
    for user_id, inputs in own.items():
        expected.update(_at_risk(user_id, inputs))
        expected.update(_calm(user_id, inputs, now_ms, unsure))
    found: Counter[Entry] = Counter()
    for record in records:
        campaign, user_id = record.campaign, record.user_id
        if record.kind == "entered" and campaign in {"risk", "calm"} and is_plain(user_id):
            found[campaign, user_id, record.at_ms] += 1
    for told, more in (("did not come in", expected - found), ("came in", found - expected)):
        if wrong := [entry for entry in more if _is_sure(entry, unsure)]:
            return f"{told}: {wrong}"
    return ""


def gaps(journal: Iterable[Input]) -> list[tuple[int, int]]:
    """Time that nobody lived through, with the grace behind it."""
    return [
        (one.stopped_at_ms, one.at_ms + one.grace_ms)
        for one in journal
        if isinstance(one, TimeResumed | ClockAdjusted)
    ]


def _is_sure(entry: Entry, unsure: Iterable[tuple[int, int]]) -> bool:
    """Whether it can be told when an entry is due.

    What falls due in time that nobody lived through, or in the grace behind it, is judged later: by
    then its user may have done something.
    """
    return entry[0] == "risk" or not any(since <= entry[2] <= until for since, until in unsure)


def _at_risk(user_id: str, inputs: Iterable[Input]) -> list[Entry]:
    """Each time that a score is high which was not."""
    entries = []
    was_high = False
    for one in inputs:
        if isinstance(one, UserScored):
            if one.score >= HIGH and not was_high:
                entries.append(("risk", user_id, one.at_ms))
            was_high = one.score >= HIGH
    return entries


def _calm(
    user_id: str, inputs: Iterable[Input], now_ms: int, doubtful: list[tuple[int, int]]
) -> list[Entry]:
    """Each time that he has done nothing for so long, which he has to have done something before.

    Who did the first thing long ago has been calm since, and comes in by that, unless it is too
    late to bring him in: `doubtful` are instants at which that may be.
    """
    entries: list[Entry] = []
    seen_ms, due_ms = -1, 0
    for one in inputs:
        if not _is_deed(one):
            continue
        if due_ms and due_ms <= one.at_ms:
            entries.append(("calm", user_id, due_ms))
            due_ms = 0
        if one.occurred_at_ms <= seen_ms:
            continue
        is_first, seen_ms = seen_ms < 0, one.occurred_at_ms
        if seen_ms + IDLE_MS > one.at_ms:
            due_ms = seen_ms + IDLE_MS
        elif is_first:
            entries.append(("calm", user_id, one.at_ms))
            if one.at_ms - seen_ms > LATENESS_MS:
                doubtful.append((one.at_ms, one.at_ms))
    if due_ms and due_ms <= now_ms:
        entries.append(("calm", user_id, due_ms))
    return entries


def _is_deed(one: Input) -> TypeGuard[EventReceived]:
    """Whether it is something that the user did."""
    if isinstance(one, MessageAnswered):
        return one.answer in PEOPLE_DO and not one.machine and bool(one.name)
    return isinstance(one, EventReceived) and not isinstance(one, EventNoticed)
