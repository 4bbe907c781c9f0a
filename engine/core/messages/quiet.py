"""Quiet hours: while a user's clock shows them, no marketing is sent to him.

It is quiet while the clock reads a time of day from `from` (inclusive) to `to` (exclusive), in the
user's own zone. What the clock reads is all that counts, so that daylight saving needs no rule of
its own: a boundary that the clock leaps over is passed as it leaps; one that it shows twice counts
both times, and so may bring a second quiet stretch in one night. Over midnight, `days` name the day
on which a night begins.
"""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from engine.core.calendar import EVERY_DAY, next_change_ms
from engine.core.cel import zone_of
from engine.core.instants import to_datetime

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

DAY_MS: Final = 86_400_000

DAYS_KEPT_MAX: Final = 2_048
"""Days of a zone whose quiet stretches are kept at hand: all zones there are, for a few days."""


class QuietHours(msgspec.Struct, frozen=True):
    """When to be quiet, by a user's clock.

    Attributes:
        from_minute: Of the day, 0 to 1439: from then on.
        to_minute: Likewise, and another: until then; where it is the lesser, on the day after.
        days: On which it begins, 0 (Monday) to 6.
    """

    from_minute: int
    to_minute: int
    days: frozenset[int] = EVERY_DAY

    def until_ms(self, zone_name: str, now_ms: int) -> int:
        """When the quiet hours that it is in that zone at `now_ms` end; 0 where it is in none.

        O(1); the first time on a day of a zone some hundred microseconds.
        """
        for from_ms, end_ms in _stretches(self, zone_name, now_ms // DAY_MS):
            if from_ms <= now_ms < end_ms:
                return end_ms
        return 0


@lru_cache(DAYS_KEPT_MAX)
def _stretches(quiet: QuietHours, zone_name: str, day: int) -> tuple[tuple[int, int], ...]:
    """The quiet stretches of a day in UTC, each from its begin there to its very end."""
    zone = zone_of(zone_name)
    found: list[tuple[int, int]] = []
    at_ms, ends_ms, began_ms = day * DAY_MS, (day + 1) * DAY_MS, -1
    while zone is not None and (at_ms < ends_ms or began_ms >= 0):
        shows_quiet = _is_quiet(quiet, zone, at_ms)
        if shows_quiet and began_ms < 0:
            began_ms = at_ms
        elif not shows_quiet and began_ms >= 0:
            found.append((began_ms, at_ms))
            began_ms = -1
        next_ms = next_change_ms(zone, at_ms, lambda local: _next_boundary(quiet, local))
        if next_ms is None:  # the calendar ends
            break
        at_ms = next_ms
    return tuple(found)


def _is_quiet(quiet: QuietHours, zone: tzinfo, at_ms: int) -> bool:
    local = to_datetime(at_ms).astimezone(zone)
    minute, today = local.hour * 60 + local.minute, local.weekday()
    if quiet.from_minute < quiet.to_minute:
        return today in quiet.days and quiet.from_minute <= minute < quiet.to_minute
    if minute >= quiet.from_minute:
        return today in quiet.days
    return minute < quiet.to_minute and (today - 1) % 7 in quiet.days


def _next_boundary(quiet: QuietHours, local: datetime) -> datetime:
    """The next time on a clock that just goes on at which it may become quiet, or cease to be."""
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    minutes = (quiet.from_minute, quiet.to_minute, 24 * 60)
    return min(at for one in minutes if (at := midnight + timedelta(minutes=one)) > local)
