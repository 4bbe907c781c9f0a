"""What campaigns did, counted anew from the records that are kept, and held against what was saved.

Experiments are decided by these counts, and pages and alerts are made of them. Not all of it can be
asked: refusals are in no record, lateness is of the moment, what stood in for a failure depends on
which record came next; and what is older than records are kept is counted in sums alone.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from math import isclose
from typing import TYPE_CHECKING, Final

import msgspec

from engine.core.effects import Record
from engine.core.reports.tallies import HOUR_MS, LATE, OTHER, STOOD_IN, Tallies, Tally
from engine.store import archive, journal
from engine.store import tallies as stored
from engine.store.auditing import FOUND_MAX, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engine.core.plan import Plan
    from engine.core.reports.tallies import Key
    from engine.store import Store
    from engine.store.tallies import Saved

_UNASKED: Final = frozenset({"refused", LATE, STOOD_IN})

_decode = msgspec.json.Decoder(Record).decode


async def recount(store: Store, plan: Plan, keep_ms: int, last_at_ms: int) -> list[Finding]:
    """Which counts are others than the records'. O(records + campaigns * hours).

    Args:
        store: Open; nothing else writes it.
        plan: The one in force.
        keep_ms: How long records are kept.
        last_at_ms: The newest stamp.
    """
    saved = await store.read(stored.read)
    newest = await store.read(archive.next_record) - 1
    if saved.seen > newest:
        told = f"record {saved.seen} is counted, and the newest is {newest}"
        return [Finding("tallies", "database", told)]
    try:
        tallied = _tallied(saved)
    except (msgspec.MsgspecError, ValueError) as error:
        return [Finding("tallies", "database", f"cannot be read: {error}")]
    anew = Tallies()
    oldest_at_ms = after = 0
    while rows := await store.read(partial(journal.records, after=after)):
        try:
            records = [_decode(raw) for number, raw in rows if number <= saved.seen]
        except msgspec.MsgspecError:
            return []  # that is told of the record
        if not after and rows[0][0] > 1 and records:
            oldest_at_ms = records[0].at_ms  # what went before it is older
        anew.count(records, plan)
        after = rows[-1][0]
    anew.fold()
    from_hour = max(last_at_ms - keep_ms, oldest_at_ms, -HOUR_MS) // HOUR_MS + 1
    is_erased = await store.read(archive.has_erased)
    found = [*_sums(tallied), *_different(tallied, anew, from_hour, is_erased=is_erased)]
    return found[:FOUND_MAX]


def _tallied(saved: Saved) -> dict[str, Tally]:
    """Raises MsgspecError, or ValueError, for what cannot be read."""
    tallied: dict[str, Tally] = {}
    for campaign, hour, counts in saved.rows:
        if hour == stored.IN_ALL:
            tallied[campaign] = Tally(counts)
        elif campaign not in tallied:
            raise ValueError(f"of {campaign} hour {hour} is there, and no sum")
        else:
            tallied[campaign].take(hour, counts)
    for campaign, tally in tallied.items():
        tally.total()
        try:
            for hour in tally.hours:
                tally.hour(hour)
        except IndexError:
            raise ValueError(f"an hour of {campaign} counts what its sum does not have") from None
    return tallied


def _sums(tallied: Mapping[str, Tally]) -> Iterator[Finding]:
    """Whether no more is in the hours of a campaign than in all."""
    for campaign, tally in sorted(tallied.items()):
        hours: Counter[Key] = Counter()
        for hour in tally.hours:
            hours.update(tally.hour(hour))
        total = tally.total()
        for key, count in hours.items():
            # What is summed up, and not counted, may be below zero.
            if "." not in key.kind and count > total[key]:
                told = f"its hours have {count:g} of {_named(key)}, and all of it is {total[key]:g}"
                yield Finding("tallies", campaign, told)


def _different(
    tallied: Mapping[str, Tally], anew: Tallies, from_hour: int, *, is_erased: bool
) -> Iterator[Finding]:
    """Whether each hour from one on counts what its records come to.

    Who was erased stays counted, and has no records.
    """
    for campaign in sorted(tallied.keys() | anew.campaigns.keys()):
        counted, kept = tallied.get(campaign, Tally()), anew.campaigns.get(campaign, Tally())
        hours = {hour for hour in (*counted.hours, *kept.hours) if hour >= from_hour}
        # Beyond its room a campaign's keys are counted in one.
        is_full = any(key.reason == OTHER for key in (*counted.total(), *kept.total()))
        for hour in sorted(hours):
            said = _summed(counted.hour(hour), by_variant=not is_full)
            right = _summed(kept.hour(hour), by_variant=not is_full)
            for name in sorted(said.keys() | right.keys()):
                more = is_erased and said[name] > right[name]
                if not more and not isclose(said[name], right[name], rel_tol=1e-9, abs_tol=1e-6):
                    told = (
                        f"hour {hour} counts {said[name]:g} of {name}, its records {right[name]:g}"
                    )
                    yield Finding("tallies", campaign, told)


def _summed(counts: Mapping[Key, float], *, by_variant: bool) -> Counter[str]:
    """By kind and variant: by which step a goal is counted depends on the plan of then."""
    summed: Counter[str] = Counter()
    for key, count in counts.items():
        if key.kind not in _UNASKED:
            summed[_named(key) if by_variant else key.kind] += count  # type: ignore[assignment]
    return summed


def _named(key: Key) -> str:
    return f"{key.kind} ({key.variant})" if key.variant else key.kind
