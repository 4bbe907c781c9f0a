"""What an hour came to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from bench.mixed.readings import Minute

JUDGED_FROM = 20
"""Lines from which on growth is judged: before, tables and files are still filling."""

KB_A_NEWCOMER = 2.5
"""What a shopper who came meanwhile may add: he is held in memory, with what he did."""

RSS_KB_A_HOUR_MAX = 8_192
"""What the process may grow by beside that, in the second half: a sixteenth of what it has."""

FILES_GROW_BY_MAX = 1.25
WAL_KB_MAX = 65_536


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether anything was lost, came twice, or grew.

    Attributes:
        lost: Messages that had to come and did not.
        unasked: Messages that came and were not to, or are of no event.
        doubled: Messages that came under two keys.
        again: How often a message came again under its key.
        rss_kb_an_hour: Slope of the second half by least squares, without what newcomers weigh.
        data_growth: The largest data folder of the last quarter over that of the second quarter.
        wal_kb_max: The largest write-ahead log.
        late_p99_ms_median: Of the minutes.
        late_ms_max: The worst bucket of all.
        faults: What is wrong, in words.
    """

    events: int
    messages: int
    lost: int
    unasked: int
    doubled: int
    again: int
    newcomers: int
    rss_kb_an_hour: float
    data_growth: float
    wal_kb_max: int
    late_p99_ms_median: float
    late_ms_max: float
    faults: list[str]


def judge(
    minutes: Sequence[Minute],
    taken: Mapping[str, Sequence[str]],
    *,
    expected: AbstractSet[str],
    newcomers: int,
    said: Sequence[str],
) -> Verdict:
    """Compare what came with what had to; `said` is what else went wrong."""
    lost = len(expected - taken.keys())
    unasked = len(taken.keys() - expected)
    doubled = sum(len(set(keys)) > 1 for keys in taken.values())
    growth = _rss_kb_an_hour(minutes, newcomers)
    data_growth = _data_growth(minutes)
    wal_kb = max((one.wal_kb for one in minutes), default=0)
    is_judged = len(minutes) >= JUDGED_FROM
    faults = [
        *said,
        *_told(bool(lost), f"{lost} messages are lost"),
        *_told(bool(unasked), f"{unasked} messages came that had no cause, or were taken back"),
        *_told(bool(doubled), f"{doubled} messages came under two keys"),
        *_told(
            is_judged and growth > RSS_KB_A_HOUR_MAX, f"memory grows by {growth:.0f} KB an hour"
        ),
        *_told(
            is_judged and data_growth > FILES_GROW_BY_MAX,
            f"the data folder grew to {data_growth:.2f} times its size",
        ),
        *_told(wal_kb > WAL_KB_MAX, f"the write-ahead log came to {wal_kb} KB"),
    ]
    return Verdict(
        events=minutes[-1].events,
        messages=sum(map(len, taken.values())),
        lost=lost,
        unasked=unasked,
        doubled=doubled,
        again=sum(len(keys) - len(set(keys)) for keys in taken.values()),
        newcomers=newcomers,
        rss_kb_an_hour=growth,
        data_growth=data_growth,
        wal_kb_max=wal_kb,
        late_p99_ms_median=sorted(one.late_p99_ms for one in minutes)[len(minutes) // 2],
        late_ms_max=max(one.late_max_ms for one in minutes),
        faults=faults,
    )


def _told(is_wrong: bool, what: str) -> list[str]:  # noqa: FBT001 - a condition and its words
    return [what] if is_wrong else []


def _rss_kb_an_hour(minutes: Sequence[Minute], newcomers: int) -> float:
    """Least squares over the second half; newcomers come evenly all the time."""
    half = minutes[len(minutes) // 2 :]
    if len(half) < 2:
        return 0.0
    mean_s = sum(one.at_s for one in half) / len(half)
    mean_kb = sum(one.rss_kb for one in half) / len(half)
    over = sum((one.at_s - mean_s) * (one.rss_kb - mean_kb) for one in half)
    spread = sum((one.at_s - mean_s) ** 2 for one in half)
    kb_a_second = over / spread if spread else 0.0
    came_a_second = newcomers / max(1, minutes[-1].at_s)
    return (kb_a_second - came_a_second * KB_A_NEWCOMER) * 3_600


def _data_growth(minutes: Sequence[Minute]) -> float:
    quarter = len(minutes) // 4
    if not quarter:
        return 1.0
    before = max(one.data_kb for one in minutes[quarter : 2 * quarter])
    return max(one.data_kb for one in minutes[-quarter:]) / max(1, before)
