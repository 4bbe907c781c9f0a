"""What the process counts, in Prometheus' form. No label holds anything of a user."""

from __future__ import annotations

from collections import Counter as Counted
from itertools import pairwise
from math import inf
from typing import TYPE_CHECKING, Literal

import msgspec
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.registry import Collector
from typing_extensions import override

from engine.core.reports.tallies import LATE, middle_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from prometheus_client import Metric

    from engine.core.reports.tallies import Tallies
    from engine.runtime.processor import Released

LATENESS_BUCKETS_S = (
    0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 10, 60, 3600,
)  # fmt: skip
"""Upper bounds in seconds; the last ones are for what a downtime held back."""


STALL_BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1, 5)
"""Upper bounds in seconds. Timers of the loop are rounded up to the next millisecond or so."""


class Totals(msgspec.Struct, frozen=True):
    """What there was since the start, in few enough numbers to be read each second.

    Attributes:
        accepted: Items that were taken.
        rejected: Items that were not.
        kinds: Records, by kind.
        handed: By channel, messages that a provider took.
        failed: By channel, attempts that did not succeed.
        fired: Deadlines, by the bucket of their lateness.
    """

    accepted: float
    rejected: float
    kinds: Counted[str]
    handed: dict[str, float]
    failed: dict[str, float]
    fired: tuple[float, ...]


class _Each(Collector):
    """Counters, or gauges, that are kept elsewhere."""

    def __init__(
        self,
        name: str,
        meaning: str,
        label: str,
        values: Callable[[], Mapping[str, float]],
        kind: Literal["counter", "gauge"],
    ) -> None:
        self._name, self._meaning, self._label = name, meaning, label
        self._values = values
        self._family = CounterMetricFamily if kind == "counter" else GaugeMetricFamily

    @override
    def collect(self) -> Iterable[Metric]:
        family = self._family(self._name, self._meaning, labels=[self._label])
        for key, value in self._values().items():
            family.add_metric([key], value)
        yield family


class _LatenessOfCampaigns(Collector):
    """A histogram a campaign, of what is counted elsewhere; within a tenth of each bound."""

    def __init__(self, tallies: Tallies) -> None:
        self._tallies = tallies

    @override
    def collect(self) -> Iterable[Metric]:
        family = HistogramMetricFamily(
            "hairspring_campaign_lateness_seconds",
            "How late what a campaign did at a deadline was done: fired minus due.",
            labels=["campaign"],
        )
        self._tallies.fold()
        for campaign, tally in self._tallies.campaigns.items():
            late = [
                (middle_ms(int(key.reason)) / 1000, count)
                for key, count in tally.total().items()
                if key.kind == LATE
            ]
            if late:
                bounds = [
                    (b, sum(n for s, n in late if s <= b)) for b in (*LATENESS_BUCKETS_S, inf)
                ]
                told = [("+Inf" if bound == inf else str(bound), count) for bound, count in bounds]
                family.add_metric([campaign], told, sum(s * n for s, n in late))
        yield family


class Metrics:
    """One registry of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.kinds: Counted[str] = Counted()
        """Records since the start, by kind: `records` has a series for each campaign and reason."""
        registry = self.registry
        ProcessCollector(registry=registry)
        self.inputs = Counter(
            "hairspring_inputs", "Events and identify calls, by fate.", ["fate"], registry=registry
        )
        self.refused = Counter(
            "hairspring_requests_refused",
            "Requests that were not looked into: too fast, no known key, a foreign page, forged.",
            ["why"],
            registry=registry,
        )
        self.lateness = Histogram(
            "hairspring_deadline_lateness_seconds",
            "How late deadlines fired: fired minus due.",
            buckets=LATENESS_BUCKETS_S,
            registry=registry,
        )
        self.stalls = Histogram(
            "hairspring_loop_stall_seconds",
            "How late the loop was, looked at fifty times a second.",
            buckets=STALL_BUCKETS_S,
            registry=registry,
        )
        self.records = Counter(
            "hairspring_records",
            "What happened to enrollments, by campaign, kind and reason.",
            ["campaign", "kind", "reason"],
            registry=registry,
        )
        self.deliveries = Counter(
            "hairspring_delivery_attempts",
            "Attempts to hand a message over, by channel and outcome.",
            ["channel", "outcome"],
            registry=registry,
        )
        self.delivery_seconds = Histogram(
            "hairspring_delivery_attempt_seconds",
            "How long an attempt took.",
            ["channel"],
            registry=registry,
        )
        down = "Providers that are down: nothing is attempted there."
        self.breakers = Gauge("hairspring_breakers_open", down, ["channel"], registry=registry)
        self.undefined = self._counter(
            "template_undefined", "Names that a template asked for and the user lacked.", "template"
        )
        self.dead_letters = self._counter("dead_letters", "Dead letters, by fate.", "fate")
        self.alerts = self._counter("alerts", "Notices, by fate.", "target", "outcome")
        self.sinks = self._counter("sink_records", "By sink.", "sink", "outcome")
        self.answers = self._counter(
            "answers", "What was done with messages, by kind, and by whom.", "kind", "by"
        )
        bad = "Links that were followed and not good, by route and why."
        self.links_refused = self._counter("links_refused", bad, "route", "reason")
        private = "What was not kept, since the browser asked not to be tracked, by kind."
        self.untracked = self._counter("untracked", private, "kind")

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"hairspring_{name}", meaning, labels, registry=self.registry)

    def watch(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        """A gauge that is read when somebody asks."""
        Gauge(f"hairspring_{name}", meaning, registry=self.registry).set_function(value)

    def watch_each(
        self,
        name: str,
        meaning: str,
        label: str,
        values: Callable[[], Mapping[str, float]],
        kind: Literal["counter", "gauge"] = "counter",
    ) -> None:
        """A counter, or a gauge, for each value of a label, read when somebody asks."""
        self.registry.register(_Each(f"hairspring_{name}", meaning, label, values, kind))

    def watch_tallies(self, tallies: Tallies) -> None:
        """Tell how late each campaign is, whenever somebody asks."""
        self.registry.register(_LatenessOfCampaigns(tallies))

    def deadline_fired(self, late_ms: float) -> None:
        """Count one deadline by its lateness, in real milliseconds."""
        self.lateness.observe(late_ms / 1000)

    def released(self, released: Released) -> None:
        """Count what a batch let out. O(records)."""
        self.dead_letters.labels("dead").inc(sum(closed.dead for closed in released.closed))
        self.dead_letters.labels("retried").inc(len(released.revived))
        # Why a delivery failed is a provider's or a template's text, with no end of variants.
        counts = Counted(
            (record.campaign, record.kind, "" if record.kind == "failed" else record.reason)
            for record in released.records
        )
        # A look-up of a series costs twenty times as much as counting here, and nothing is served
        # between the records of a large batch.
        for labels, count in counts.items():
            self.records.labels(*labels).inc(count)
            self.kinds[labels[1]] += count

    def lateness_within_s(self, share: float) -> tuple[int, float]:
        """How many deadlines fired, and the bucket that holds `share` of them, in seconds.

        Infinite beyond the last bucket, 0 where none fired.
        """
        counts = self._lateness_counts()
        fired = counts.get(inf, 0)
        within = min(
            (bound for bound, n in counts.items() if fired and n >= share * fired), default=0.0
        )
        return fired, within

    def totals(self) -> Totals:
        """All that is told each second. O(channels)."""
        fates: Counted[str] = Counted()
        for labels, value in _samples(self.inputs, "_total"):
            fates[labels["fate"]] += int(value)
        handed: dict[str, float] = {}
        failed: dict[str, float] = {}
        for labels, value in _samples(self.deliveries, "_total"):
            told = handed if labels["outcome"] == "accepted" else failed
            told[labels["channel"]] = told.get(labels["channel"], 0.0) + value
        within = [0.0, *(value for _, value in _samples(self.lateness, "_bucket"))]
        fired = tuple(after - before for before, after in pairwise(within))
        kinds = Counted(self.kinds)
        return Totals(fates["accepted"], fates["rejected"], kinds, handed, failed, fired)

    def lateness_beyond(self, late_s: float) -> tuple[int, int, float]:
        """How many deadlines fired, how many of them later than that, and the bound it is read at.

        That is the bucket's: the least that is not below.
        """
        counts = self._lateness_counts()
        bound_s = min(bound for bound in counts if bound >= late_s)
        return counts[inf], counts[inf] - counts[bound_s], bound_s

    def _lateness_counts(self) -> dict[float, int]:
        """How many deadlines fired within each bound, in seconds."""
        buckets = _samples(self.lateness, "_bucket")
        return {float(labels["le"]): int(value) for labels, value in buckets}

    def render(self) -> bytes:
        """The text that a scraper reads."""
        return generate_latest(self.registry)


def _samples(metric: Counter | Histogram, ending: str) -> Iterable[tuple[Mapping[str, str], float]]:
    for family in metric.collect():
        for sample in family.samples:
            if sample.name.endswith(ending):
                yield sample.labels, sample.value
