"""Durations as the shop writes them: `500ms 30s 10m 1h30m 24h 7d 2w`, held as milliseconds.

A duration is one or more whole numbers, each with its unit, the larger unit first, each unit at
most once. This is the one place that reads and writes this form.
"""

from __future__ import annotations

import re

from engine.errors import HairspringError

UNITS_MS = {
    "w": 604_800_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1_000,
    "ms": 1,
}
"""Milliseconds in each unit, larger first. A day is 24 hours, whatever the calendar says."""

DURATION_MS_MAX = 100 * 366 * UNITS_MS["d"]
"""The longest duration that can be written, about a century."""

_TEXT_LENGTH_MAX = 64
_DURATION = re.compile(
    "".join(f"(?:([0-9]{{1,15}}){unit}{'(?!s)' if unit == 'm' else ''})?" for unit in UNITS_MS)
)


class DurationError(HairspringError):
    """A text that is not a duration, or one that is too long a time."""

    code = "duration"


def parse_duration_ms(text: str) -> int:
    """The milliseconds, from 0 to `DURATION_MS_MAX`, that a text such as `1h30m` stands for.

    Raises:
        DurationError: The text is not a duration; the message quotes it.
    """
    found = _DURATION.fullmatch(text) if 0 < len(text) <= _TEXT_LENGTH_MAX else None
    if found is None:
        raise DurationError(
            f"{text[:_TEXT_LENGTH_MAX]!r} is not a duration",
            hint="write whole numbers with units, larger first: 500ms 30s 10m 1h30m 24h 7d 2w",
        )
    total_ms = sum(
        int(number) * unit_ms
        for number, unit_ms in zip(found.groups(), UNITS_MS.values(), strict=True)
        if number is not None
    )
    if total_ms > DURATION_MS_MAX:
        raise DurationError(f"{text!r} is too long a time", hint="the longest is about a century")
    return total_ms


def format_duration(ms: int) -> str:
    """The shortest form that `parse_duration_ms` reads back as the same: 5,400,000 is `1h30m`.

    Whole weeks are written in days unless nothing else is there: 14 days are `2w`, 8 are `8d`.
    """
    assert ms >= 0, "a duration as the shop writes it has no sign"
    if ms and ms % UNITS_MS["w"] == 0:
        return f"{ms // UNITS_MS['w']}w"
    parts: list[str] = []
    rest_ms = ms
    for unit, unit_ms in UNITS_MS.items():
        if unit == "w":
            continue
        number, rest_ms = divmod(rest_ms, unit_ms)
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0s"
