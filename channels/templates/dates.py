"""Instants as a template shows them, from what shops put into events and traits."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

_SECONDS_MAX: Final = 100_000_000_000
"""Larger numbers are milliseconds: as seconds they would lie after the year 5138."""

_DIGITS_MAX: Final = 16


def instant_of(value: object) -> datetime | None:
    """The instant that a value means, or None where it means none.

    Args:
        value: Milliseconds or seconds since the epoch (told apart by size), the same as text, or
            ISO 8601; without an offset it is UTC.
    """
    match value:
        case bool():
            return None
        case int() | float():
            seconds = value / 1000 if abs(value) >= _SECONDS_MAX else value
            return _or_none(lambda: datetime.fromtimestamp(seconds, UTC))
        case str():
            return _instant_in(value.strip())
        case datetime():
            return value if value.tzinfo else value.replace(tzinfo=UTC)
        case _:
            return None


def _instant_in(text: str) -> datetime | None:
    if text.removeprefix("-").isdecimal() and len(text) <= _DIGITS_MAX:
        return instant_of(int(text))
    return instant_of(_or_none(lambda: datetime.fromisoformat(text)))


def format_date(value: object, form: str, zone: str) -> str:
    """An instant by a `strftime` form in a time zone.

    A value that is no instant comes back as it is, as Liquid's own filter does.

    Args:
        value: As `instant_of` takes it.
        form: A `strftime` form; empty leaves the value as it is.
        zone: An IANA time zone.

    Raises:
        ValueError: The zone is unknown, or the form cannot be used.
    """
    instant = instant_of(value)
    if instant is None or not form:
        return "" if value is None else str(value)
    return instant.astimezone(zone_of(zone)).strftime(form)


def zone_of(name: str) -> tzinfo:
    """The time zone of an IANA name. Raises ValueError for one that is none."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as fault:
        raise ValueError(f"unknown time zone {name!r}") from fault


def _or_none(read: Callable[[], datetime]) -> datetime | None:
    try:
        return read()
    except (ValueError, OverflowError, OSError):
        return None
