"""Is a campaign as busy as it is at this hour of the week? Pure: counts in, a judgement out.

What there was in a window of hours is held against the same window one, two, three and four weeks
before, each also an hour sooner and later (clocks change twice a year, and so do habits). It takes
`WEEKS_MIN` of them: a campaign that is younger is judged by nobody.

- Silent: at most a tenth of the least that any of those weeks had, which was `LEAST` or more. If
  the least of three weeks is the rate, a Poisson count falls so low once in two million looks.
  It goes on once there was more than a tenth of that since: the weeks of the silence itself are no
  measure, and neither is what came before it.
- Burst: `BURST_OVER` and three times the most that any of those weeks had in an hour, or more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

HOUR_MS: Final = 3_600_000
WEEK_H: Final = 168
WEEKS_MIN: Final = 3
WEEKS_MAX: Final = 4
KEPT_H: Final = WEEKS_MAX * WEEK_H + 26
"""How far back counts are asked for."""

WINDOWS_H: Final = (1, 3, 6, 12, 24)
"""The shortest that has enough in it is judged: a busy campaign within the hour."""

LEAST: Final = 20
BURST_OVER: Final = 50
_SHIFTS_H: Final = (-1, 0, 1)
_SILENT: Final = 10
_BURST: Final = 3


class Unusual(msgspec.Struct, frozen=True):
    """What is not as it always is.

    Attributes:
        what: Too little, or too much.
        count: How many there were.
        hours: In how many hours, and the one that has begun.
        usual: The least, or the most, of as many hours of the weeks before.
        weeks: How many weeks that is known of.
    """

    what: Literal["silent", "burst"]
    count: int
    hours: int
    usual: int
    weeks: int


def judge(counts: Mapping[int, int], since_hour: int, now_ms: int) -> Unusual | None:
    """What is unusual about a campaign now, if anything is. O(hours of the windows and weeks).

    Args:
        counts: By hour since the epoch; an hour that is not there had none.
        since_hour: From which hour on they are complete.
        now_ms: Now.
    """
    hour = now_ms // HOUR_MS
    weeks = [
        hour - week * WEEK_H
        for week in range(1, WEEKS_MAX + 1)
        if hour - week * WEEK_H - max(WINDOWS_H) - 1 >= since_hour
    ]
    if len(weeks) < WEEKS_MIN:
        return None
    for hours in WINDOWS_H:
        least = min(_total(counts, one + by, hours) for one in weeks for by in _SHIFTS_H)
        if least < LEAST:
            continue
        now = _total(counts, hour, hours) + counts.get(hour, 0)
        if now * _SILENT <= least:
            return Unusual("silent", now, hours, least, len(weeks))
        break
    most = max(counts.get(one + by, 0) for one in weeks for by in (*_SHIFTS_H, -2))
    now = max(counts.get(hour, 0), counts.get(hour - 1, 0))
    if now >= BURST_OVER + _BURST * most:
        return Unusual("burst", now, 1, most, len(weeks))
    return None


def goes_on(counts: Mapping[int, int], since_hour: int, silent_ms: int, now_ms: int) -> bool:
    """Whether a campaign that was found silent at an instant is so no more. O(hours of a day).

    Where no week before the silence is known any more, the first of a day is enough.
    """
    hour, found = now_ms // HOUR_MS, silent_ms // HOUR_MS
    hours = min(max(hour - found, 0), max(WINDOWS_H))
    usual = [
        _total(counts, hour - week * WEEK_H + by, hours)
        for week in range(1, WEEKS_MAX + 1)
        for by in _SHIFTS_H
        if since_hour <= hour - week * WEEK_H + by - hours and hour - week * WEEK_H + by <= found
    ]
    now = _total(counts, hour, hours) + counts.get(hour, 0)
    return now * _SILENT > min(usual, default=0)


def _total(counts: Mapping[int, int], end: int, hours: int) -> int:
    """How many there were in the hours before `end`."""
    return sum(counts.get(hour, 0) for hour in range(end - hours, end))
