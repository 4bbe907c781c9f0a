"""When a part of the calendar changes in a time zone, and when its clock shows a time of day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from engine.core.cel import zone_of
from engine.core.instants import EPOCH

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""As shops write them, from Monday on."""

EVERY_DAY: Final = frozenset(range(7))
"""All days of the week, 0 (Monday) to 6."""

_MILLISECOND: Final = timedelta(milliseconds=1)
_DECEMBER: Final = 12


def _next_second(local: datetime) -> datetime:
    return local.replace(microsecond=0) + timedelta(seconds=1)


def _next_minute(local: datetime) -> datetime:
    return local.replace(second=0, microsecond=0) + timedelta(minutes=1)


def _next_hour(local: datetime) -> datetime:
    return local.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def _next_day(local: datetime) -> datetime:
    return local.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def _next_month(local: datetime) -> datetime:
    first = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    if first.month == _DECEMBER:
        return first.replace(year=first.year + 1, month=1)
    return first.replace(month=first.month + 1)


def _next_year(local: datetime) -> datetime:
    return datetime(local.year + 1, 1, 1)  # noqa: DTZ001 - local, as what it is made of


BOUNDARIES: Final[dict[str, Callable[[datetime], datetime]]] = {
    "getSeconds": _next_second,
    "getMinutes": _next_minute,
    "getHours": _next_hour,
    "getDate": _next_day,
    "getDayOfMonth": _next_day,
    "getDayOfWeek": _next_day,
    "getDayOfYear": _next_day,
    "getMonth": _next_month,
    "getFullYear": _next_year,
}
"""The getters of a timestamp that change seldom enough to wait for, by name."""


def next_boundary_ms(getter: str, now_ms: int, zone_name: str = "UTC") -> int | None:
    """The first instant after `now_ms` at which `now.GETTER(zone)` may be another value.

    As `next_change_ms`; None where there is no such zone, too.
    """
    zone = zone_of(zone_name)
    return None if zone is None else next_change_ms(zone, now_ms, BOUNDARIES[getter])


def next_change_ms(
    zone: tzinfo, now_ms: int, boundary_of: Callable[[datetime], datetime]
) -> int | None:
    """The first instant after `now_ms` at which something that a clock shows may be another.

    It is the next boundary, or the instant before it at which the zone's offset from UTC changes.
    None where there is no such boundary before the year 10000. O(1); where the offset changes
    before the boundary, O(log of the time to it).

    Args:
        zone: Whose time the clock shows.
        now_ms: From when on.
        boundary_of: The next boundary of a local time, were the offset to stay; both are naive.
    """

    def offset(at_ms: int) -> timedelta:
        at = (EPOCH + at_ms * _MILLISECOND).astimezone(zone)
        return at.utcoffset() or timedelta()

    try:
        here = offset(now_ms)
        local = (EPOCH + now_ms * _MILLISECOND + here).replace(tzinfo=None)
        boundary = boundary_of(local).replace(tzinfo=UTC) - here
        until_ms = -((EPOCH - boundary) // _MILLISECOND)
        if offset(until_ms) == here:
            return until_ms
    except (OverflowError, ValueError):
        return None
    same_ms, other_ms = now_ms, until_ms
    while other_ms - same_ms > 1:
        between_ms = (same_ms + other_ms) // 2
        if offset(between_ms) == here:
            same_ms = between_ms
        else:
            other_ms = between_ms
    return other_ms


def next_local_ms(zone: tzinfo, minute: int, days: frozenset[int], after_ms: int) -> int | None:
    """The first instant after `after_ms` at which the zone's clock shows a time of day.

    `minute` is of the day, 0 to 1439; `days`, at least one, are 0 (Monday) to 6. A time that a day
    does not have, since the clock leaps over it, is taken by the offset from before the leap; of
    one that comes twice, the first counts (both as RFC 5545, 3.3.5). None where the calendar ends
    before it. O(1).
    """
    try:
        today = (EPOCH + after_ms * _MILLISECOND).astimezone(zone).date()
        # Taken by an offset of another day, a time may come before or behind its neighbours'.
        for number in range(-1, 9):
            day = today + timedelta(days=number)
            if day.weekday() not in days:
                continue
            local = datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=zone)
            at_ms = (local.astimezone(UTC) - EPOCH) // _MILLISECOND
            if at_ms > after_ms:
                return at_ms
    except (OverflowError, ValueError):
        pass
    return None
