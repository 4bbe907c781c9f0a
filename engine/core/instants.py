"""Instants as text: ISO 8601 in, ISO 8601 with milliseconds and `Z` out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
INSTANT_MAX_MS = 253_402_300_799_999
"""The last millisecond of the year 9999, the last that ISO 8601 in four digits can say."""

_MILLISECOND = timedelta(milliseconds=1)


def parse_instant_ms(value: object) -> int:
    """Milliseconds since the epoch of an ISO 8601 text (no zone means UTC) or a number of ms.

    Any fraction of a second is taken, and cut to the millisecond. Raises ValueError with what
    would be right, for anything else and for what lies outside the years 1970 to 9999.
    """
    if isinstance(value, str):
        ms = _parse_text(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        ms = int(value) if abs(value) <= INSTANT_MAX_MS else -1
    else:
        ms = -1
    if not 0 <= ms <= INSTANT_MAX_MS:
        raise ValueError(
            f"{str(value)[:60]!r} is no instant; give ISO 8601 like 2026-01-31T08:00:00.000Z "
            "or milliseconds since 1970"
        )
    return ms


def _parse_text(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else -1  # noqa: PLR2004 - longer than any instant
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // _MILLISECOND


def format_instant(at_ms: int) -> str:
    """`2026-01-01T00:30:00.000Z`; instants outside the years 1 to 9999 are not representable."""
    moment = EPOCH + timedelta(milliseconds=at_ms)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"


def to_datetime(at_ms: int) -> datetime:
    """The same instant as an aware datetime in UTC, as conditions see `now`."""
    return EPOCH + timedelta(milliseconds=at_ms)
