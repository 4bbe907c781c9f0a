"""Timestamps and durations: from text, to text, and the parts that getters tell.

A timestamp is an aware `datetime` in UTC, a duration a `timedelta`: both to the microsecond, what
is finer is cut off. Text forms are those of RFC 3339 and of the language (`1h30m`, `1.5s`,
`-10ms`), with days and weeks besides, as the shop writes durations.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache, partial
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from engine.core.cel.errors import CelError
from engine.core.cel.values import Value, duration_within, no_overload

if TYPE_CHECKING:
    from collections.abc import Callable

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_MICROSECOND = timedelta(microseconds=1)
_TIMESTAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-]\d\d:\d\d))", re.ASCII
)
_OF_THE_MACHINE = frozenset({"localtime", "posixrules"})
"""Files beside the zones that are no zone of IANA's: what they say is where the machine stands, and
a replay on another one would come out differently."""
_OFFSET = re.compile(r"([+-]?)(\d\d):(\d\d)", re.ASCII)
_UNITS_NS = {
    "w": 604_800_000_000_000,
    "d": 86_400_000_000_000,
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "ns": 1,
}
_DURATION_PART = r"(?=\.?\d)(\d{1,15})?(?:\.(\d{0,15}))?(ms|us|ns|[wdhms])"
_DURATION = re.compile(rf"([+-]?)((?:{_DURATION_PART})+)", re.ASCII)
_PART = re.compile(_DURATION_PART, re.ASCII)
_DURATION_LENGTH_MAX = 128
_ZONES_KEPT_MAX = 1024
_HOURS_MAX = 24
_MINUTES_MAX = 60


def to_timestamp(value: Value) -> datetime:
    """`timestamp(value)`: of a timestamp, seconds since 1970, or text as in RFC 3339."""
    if value.__class__ is datetime:
        return _aware(value)
    try:
        if value.__class__ is int:
            return _EPOCH + timedelta(seconds=value)
        if value.__class__ is str:
            return _timestamp_of(value)
    except (ValueError, OverflowError):
        raise CelError(
            f"out of range: {str(value)[:40]!r} is no timestamp of the years 1 to 9999"
        ) from None
    raise no_overload("timestamp()", value)


def _timestamp_of(text: str) -> datetime:
    found = _TIMESTAMP.fullmatch(text)
    if found is None:
        raise CelError(
            f"type conversion error: {text[:40]!r} is not a timestamp",
            hint="write it like 2026-01-31T08:00:00Z",
        )
    day, clock, fraction, offset = found.groups()
    local = datetime.fromisoformat(f"{day}T{clock}.{(fraction or '0')[:6]:0<6}{offset or '+00:00'}")
    return local.astimezone(UTC)


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise CelError("a timestamp without a time zone has no place in time")
    return value


def to_duration(value: Value) -> timedelta:
    """`duration(value)`: of a duration, or text such as `1h30m`, `1.5s`, `-10ms`, `7d`."""
    if value.__class__ is timedelta:
        return duration_within(value)
    if value.__class__ is not str:
        raise no_overload("duration()", value)
    if value == "0":
        return timedelta()
    found = _DURATION.fullmatch(value) if len(value) <= _DURATION_LENGTH_MAX else None
    if found is None:
        raise CelError(
            f"type conversion error: {value[:40]!r} is not a duration",
            hint='write it like "30m", "1h30m" or "1.5s"',
        )
    sign, parts = found.group(1, 2)
    total_ns = sum(
        (int(whole or 0) * 10 ** len(part) + int(part or 0)) * _UNITS_NS[unit] // 10 ** len(part)
        for whole, part, unit in _PART.findall(parts)
    )
    try:
        duration = timedelta(microseconds=total_ns // 1000)
    except OverflowError:
        duration = timedelta.max
    return duration_within(-duration if sign == "-" else duration)


def epoch_s(value: datetime) -> int:
    """Whole seconds since 1970, cut toward the past."""
    return (_aware(value) - _EPOCH) // _SECOND


def timestamp_text(value: datetime) -> str:
    """As in RFC 3339, in UTC, with no, 3 or 6 digits of a second as they are needed."""
    moment = _in_zone(value, UTC)
    whole = f"{moment:%m-%dT%H:%M:%S}"
    return f"{moment.year:04d}-{whole}{_fraction(moment.microsecond)}Z"


def duration_text(value: timedelta) -> str:
    """In seconds, with no, 3 or 6 digits after the point as they are needed: `-1.500s`."""
    seconds, rest_us = divmod(abs(value // _MICROSECOND), 1_000_000)
    return f"{'-' if value < timedelta() else ''}{seconds}{_fraction(rest_us)}s"


def _fraction(microseconds: int) -> str:
    if microseconds == 0:
        return ""
    milliseconds, rest = divmod(microseconds, 1000)
    return f".{microseconds:06d}" if rest else f".{milliseconds:03d}"


@lru_cache(maxsize=_ZONES_KEPT_MAX)
def zone_of(name: str) -> tzinfo | None:
    """The zone of a name (`Europe/Paris`) or an offset (`+02:00`); None where there is none."""
    offset = _OFFSET.fullmatch(name)
    if offset is not None:
        sign, hours, minutes = offset.groups()
        if int(hours) >= _HOURS_MAX or int(minutes) >= _MINUTES_MAX:
            return None
        shift = timedelta(hours=int(hours), minutes=int(minutes))
        return timezone(-shift if sign == "-" else shift)
    if name in _OF_THE_MACHINE:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def _in_zone(value: datetime, zone: tzinfo) -> datetime:
    try:
        return _aware(value).astimezone(zone)
    except OverflowError:
        raise CelError("out of range: timestamps reach from the year 1 to 9999") from None


def _local(getter: str, value: Value, zones: tuple[Value, ...]) -> datetime:
    """The timestamp in the zone given (a name, or an offset such as `+02:00`), else in UTC."""
    if value.__class__ is not datetime or any(zone.__class__ is not str for zone in zones):
        raise no_overload(f"{getter}()", value, *zones)
    if not zones:
        return _in_zone(value, UTC)
    zone = zone_of(zones[0])
    if zone is None:
        raise CelError(f"no such time zone: {zones[0][:40]!r}", hint="write it like Europe/Paris")
    return _in_zone(value, zone)


_OF_TIMESTAMP: dict[str, Callable[[datetime], int]] = {
    "getFullYear": lambda moment: moment.year,
    "getMonth": lambda moment: moment.month - 1,
    "getDate": lambda moment: moment.day,
    "getDayOfMonth": lambda moment: moment.day - 1,
    "getDayOfWeek": lambda moment: moment.isoweekday() % 7,
    "getDayOfYear": lambda moment: moment.timetuple().tm_yday - 1,
    "getHours": lambda moment: moment.hour,
    "getMinutes": lambda moment: moment.minute,
    "getSeconds": lambda moment: moment.second,
    "getMilliseconds": lambda moment: moment.microsecond // 1000,
}
"""What each getter tells; months, days of the month and of the year count from 0, Sunday is 0."""

_OF_DURATION_US: dict[str, Callable[[int], int]] = {
    "getHours": lambda us: us // 3_600_000_000,
    "getMinutes": lambda us: us // 60_000_000,
    "getSeconds": lambda us: us // 1_000_000,
    "getMilliseconds": lambda us: us // 1000 % 1000,
}
"""What each getter tells of a duration without its sign, all of it in that unit."""


def _told(getter: str, value: Value, *zones: Value) -> int:
    if value.__class__ is timedelta and getter in _OF_DURATION_US and not zones:
        told = _OF_DURATION_US[getter](abs(value) // _MICROSECOND)
        return -told if value < timedelta() else told
    return _OF_TIMESTAMP[getter](_local(getter, value, zones))


GETTERS: dict[str, Callable[..., int]] = {
    getter: partial(_told, getter) for getter in _OF_TIMESTAMP
}
"""The getters by name: each takes a timestamp and perhaps a zone, or some a duration."""

DURATION_GETTERS = frozenset(_OF_DURATION_US)
