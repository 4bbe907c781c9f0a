from __future__ import annotations

import pytest

from engine.core.effects import Record
from engine.runtime.metrics import Metrics
from engine.runtime.processor import Released
from tests.core.world import START


def released(*records: Record) -> Released:
    return Released(1, [], [], [], list(records))


def series(metrics: Metrics) -> int:
    return sum(len(list(metric.samples)) for metric in metrics.registry.collect())


def test_why_deliveries_failed_makes_no_series() -> None:
    metrics = Metrics()
    metrics.released(released(Record(START, "u", "c", "failed", reason="550 <a@x.example>")))
    before = series(metrics)
    for number in range(100):
        reason = f"550 no such mailbox <u{number}@x.example>"
        metrics.released(released(Record(START, f"u{number}", "c", "failed", reason=reason)))
    assert series(metrics) == before
    assert metrics.kinds["failed"] == 101
    assert b"x.example" not in metrics.render()


@pytest.mark.parametrize("kind", ["refused", "skipped", "exited"])
def test_reasons_that_the_engine_gives_are_told_apart(kind: str) -> None:
    metrics = Metrics()
    record = Record(START, "u", "c", kind, reason="limit")  # type: ignore[arg-type]
    metrics.released(released(record))
    line = f'hairspring_records_total{{campaign="c",kind="{kind}",reason="limit"}} 1.0'
    assert line in metrics.render().decode()


def test_conditions_that_failed_are_told_by_campaign_as_they_stand() -> None:
    metrics = Metrics()
    failed = {"a": 1}
    metrics.watch_each("condition_errors", "Conditions that failed.", "campaign", lambda: failed)
    failed |= {"a": 2, "b": 1}
    told = metrics.render().decode()
    assert 'hairspring_condition_errors_total{campaign="a"} 2.0' in told
    assert 'hairspring_condition_errors_total{campaign="b"} 1.0' in told
