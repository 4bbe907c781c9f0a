"""The hour of mixed load: how it counts, and a few seconds of it."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import msgspec
import pytest

from bench.mixed.__main__ import Hour
from bench.mixed.readings import Minute, longest_s, quantile_s
from bench.mixed.verdict import JUDGED_FROM, Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def minutes(count: int = JUDGED_FROM, **growth: int) -> list[Minute]:
    """Of a process in which nothing changes but what grows by so much a minute."""
    return [
        Minute(
            at_s=60 * number,
            rss_kb=100_000 + number * growth.get("rss_kb", 0),
            events=number * 9_000,
            messages=number,
            fired=number,
            late_p50_ms=0.1,
            late_p99_ms=1.0,
            late_max_ms=5.0,
            stall_max_ms=5.0,
            stalls=0,
            database_kb=50_000,
            wal_kb=4_000,
            data_kb=54_000 + number * growth.get("data_kb", 0),
        )
        for number in range(1, count + 1)
    ]


def verdict_on(
    taken: dict[str, list[str]] | None = None,
    lines: Sequence[Minute] | None = None,
    newcomers: int = 0,
) -> Verdict:
    return judge(
        lines or minutes(),
        {"receipt o-1": ["a"]} if taken is None else taken,
        expected={"receipt o-1"},
        newcomers=newcomers,
        said=[],
    )


def test_an_hour_as_promised_has_no_fault() -> None:
    assert verdict_on().faults == []


@pytest.mark.parametrize(
    ("taken", "counted"),
    [
        ({}, "lost"),
        ({"receipt o-1": ["a"], "cart c-1": ["b"]}, "unasked"),
        ({"receipt o-1": ["a", "b"]}, "doubled"),
    ],
)
def test_what_did_not_come_once_is_a_fault(taken: dict[str, list[str]], counted: str) -> None:
    verdict = verdict_on(taken)

    assert getattr(verdict, counted) == 1
    assert len(verdict.faults) == 1


def test_the_same_key_again_is_counted_and_no_fault() -> None:
    verdict = verdict_on({"receipt o-1": ["a", "a"]})

    assert (verdict.again, verdict.faults) == (1, [])


@pytest.mark.parametrize("grows", ["rss_kb", "data_kb"])
def test_what_grows_is_a_fault_once_there_is_enough_to_judge_by(grows: str) -> None:
    assert len(verdict_on(lines=minutes(**{grows: 5_000})).faults) == 1
    assert verdict_on(lines=minutes(JUDGED_FROM - 1, **{grows: 5_000})).faults == []


def test_who_came_meanwhile_may_take_room() -> None:
    lines = minutes(rss_kb=150)

    assert verdict_on(lines=lines).rss_kb_an_hour == pytest.approx(9_000)
    assert verdict_on(lines=lines, newcomers=1_200).rss_kb_an_hour == pytest.approx(0)


@pytest.mark.parametrize(
    ("counts", "share", "expected"),
    [
        ({}, 0.5, 0.0),
        ({0.001: 0, 0.002: 0, inf: 0}, 0.5, 0.0),
        ({0.001: 10, 0.002: 10, inf: 10}, 0.5, 0.0005),
        ({0.001: 5, 0.002: 10, inf: 10}, 0.75, 0.0015),
        ({0.001: 5, 0.002: 5, inf: 10}, 0.99, 0.002),
    ],
)
def test_a_quantile_lies_within_its_bucket(
    counts: dict[float, float], share: float, expected: float
) -> None:
    assert quantile_s(counts, share) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [({}, 0.0), ({0.001: 0, inf: 0}, 0.0), ({0.001: 3, 0.005: 4, inf: 4}, 0.005)],
)
def test_the_longest_is_no_more_than_the_last_bucket_that_holds_any(
    counts: dict[float, float], expected: float
) -> None:
    assert longest_s(counts) == expected


@pytest.mark.acceptance
def test_some_seconds_of_it_lose_and_double_nothing(tmp_path: Path) -> None:
    out = tmp_path / "lines.ndjson"
    hour = Hour(for_s=3.0, rate=80.0, users=50, out=out)

    verdict = hour.run()

    assert verdict.faults == []
    assert verdict.messages > 0
    assert (hour.backups > 0, hour.reloads > 0) == (True, True)
    *lines, last = out.read_bytes().splitlines()
    assert [msgspec.json.decode(line, type=Minute) for line in lines] == hour.minutes
    assert msgspec.json.decode(last, type=Verdict) == verdict
