"""What a minute looks like from outside: `/metrics`, `/proc`, and the sizes of files."""

from __future__ import annotations

import re
import urllib.request
from math import inf
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

_BUCKET = re.compile(r'^hairspring_(\w+)_seconds_bucket\{le="([^"]+)"\} (\S+)$', re.MULTILINE)

LATENESS = "deadline_lateness"
STALLS = "loop_stall"

Counts = dict[float, float]
"""How many were at most so many seconds, by that bound."""


class Minute(msgspec.Struct, frozen=True, kw_only=True):
    """One line.

    Attributes:
        at_s: Since the load began.
        rss_kb: Of the process.
        events: Items acknowledged so far.
        messages: Taken by the sinks so far.
        fired: Deadlines that fired in this minute.
        late_p50_ms: Fired minus due, interpolated within a bucket of the histogram.
        late_max_ms: The upper bound of the last bucket that any fell into: it was no more.
        stall_max_ms: The same of how late the loop was.
        stalls: How often that was more than 50 ms.
        database_kb: Its file.
        wal_kb: Its write-ahead log.
        data_kb: The whole data folder.
    """

    at_s: int
    rss_kb: int
    events: int
    messages: int
    fired: int
    late_p50_ms: float
    late_p99_ms: float
    late_max_ms: float
    stall_max_ms: float
    stalls: int
    database_kb: int
    wal_kb: int
    data_kb: int

    def line(self) -> str:
        """For a person, under `HEAD`."""
        return (
            f"{self.at_s // 60:>4}:{self.at_s % 60:02}{self.rss_kb / 1024:>8.1f}"
            f"{self.late_p50_ms:>8.2f}{self.late_p99_ms:>8.1f}{self.late_max_ms:>8g}"
            f"{self.fired:>7}{self.stall_max_ms:>8g}{self.stalls:>5}{self.database_kb / 1024:>8.1f}"
            f"{self.wal_kb / 1024:>7.1f}{self.data_kb / 1024:>8.1f}"
            f"{self.events:>9}{self.messages:>8}"
        )


HEAD = (
    f"{'min':>7}{'RSS M':>8}{'p50 ms':>8}{'p99':>8}{'max ≤':>8}{'fired':>7}{'stall ≤':>8}"
    f"{'>50':>5}{'base M':>8}{'WAL M':>7}{'data M':>8}{'events':>9}{'sent':>8}"
)


class Gauge:
    """Reads a running process.

    Args:
        pid: Of the process.
        metrics_url: Of its admin port, without the path.
        data: Its data folder.
        database: Its database's name there.
    """

    def __init__(self, pid: int, metrics_url: str, data: Path, database: str) -> None:
        self._status = f"/proc/{pid}/status"
        self._url = metrics_url + "/metrics"
        self._data = data
        self._database = database
        self._before: dict[str, Counts] = {}
        self.read(at_s=0, events=0, messages=0)

    def read(self, *, at_s: int, events: int, messages: int) -> Minute:
        """What happened since the last time, and how things stand. It asks over HTTP."""
        with urllib.request.urlopen(self._url, timeout=30) as answer:
            text = answer.read().decode()
        fired = self._since(text, LATENESS)
        stalls = self._since(text, STALLS)
        sizes = {path.name: path.stat().st_size for path in self._data.rglob("*") if path.is_file()}
        return Minute(
            at_s=at_s,
            rss_kb=_rss_kb(self._status),
            events=events,
            messages=messages,
            fired=int(fired.get(inf, 0)),
            late_p50_ms=quantile_s(fired, 0.5) * 1_000,
            late_p99_ms=quantile_s(fired, 0.99) * 1_000,
            late_max_ms=longest_s(fired) * 1_000,
            stall_max_ms=longest_s(stalls) * 1_000,
            stalls=int(stalls.get(inf, 0) - stalls.get(0.05, 0)),
            database_kb=sizes.get(self._database, 0) >> 10,
            wal_kb=sizes.get(self._database + "-wal", 0) >> 10,
            data_kb=sum(sizes.values()) >> 10,
        )

    def _since(self, text: str, name: str) -> Counts:
        now = {
            float(bound): float(count)
            for found, bound, count in _BUCKET.findall(text)
            if found == name
        }
        before = self._before.get(name, {})
        self._before[name] = now
        return {bound: count - before.get(bound, 0.0) for bound, count in now.items()}


def _rss_kb(status: str) -> int:
    with open(status) as lines:  # noqa: PTH123 - no path of anybody's
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def quantile_s(counts: Counts, share: float) -> float:
    """The bound below which `share` of all lie, evenly spread in their bucket; 0 where none are.

    Beyond the last finite bound it is that one.
    """
    total = counts.get(inf, 0.0)
    below_s = below = 0.0
    for bound_s, count in sorted(counts.items()):
        if total and count >= share * total:
            if bound_s == inf:
                return below_s
            inside = count - below
            return below_s + (bound_s - below_s) * (share * total - below) / (inside or 1.0)
        below_s, below = bound_s, count
    return 0.0


def longest_s(counts: Counts) -> float:
    """The upper bound of the last bucket that holds any; 0 where none does."""
    total = counts.get(inf, 0.0)
    return (
        min((bound for bound, count in counts.items() if count == total), default=0.0)
        if total
        else 0.0
    )
