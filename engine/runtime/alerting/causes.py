"""What goes wrong, seen from what the parts at work tell of themselves."""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from engine.runtime.alerting.book import Cause
from engine.runtime.alerting.experiments import DECIDED
from engine.runtime.alerting.rhythm import goes_on, judge

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from prometheus_client.metrics import MetricWrapperBase

    from config.alerts import Alerts
    from engine.runtime.alerting.hours import Hours
    from engine.runtime.metrics import Metrics

MINUTE_MS: Final = 60_000
TEN_MINUTES_MS: Final = 600_000
HOUR_MS: Final = 3_600_000

FIRED_MIN: Final = 20
"""Deadlines in a minute of which a share is worth telling."""

DELIVERIES_MIN: Final = 20
SENDS_MIN: Final = 50
LATE_SHARE: Final = 0.01

SPANS_MS: Final[Mapping[str, int]] = {
    "lateness": MINUTE_MS,
    "breaker": TEN_MINUTES_MS,
    "keys": TEN_MINUTES_MS,
    "dead_letters": HOUR_MS,
}
"""Kinds of causes that are known by what this process has seen for so long."""

OF_CAMPAIGNS: Final = ("failures", "skips", "silent", "burst", DECIDED)
"""Kinds of causes that are about a campaign."""


class Counted:
    """How much a counter has grown in the last while; asked every now and then."""

    def __init__(self, span_ms: int) -> None:
        self._span_ms = span_ms
        self._seen: deque[tuple[int, float]] = deque()

    def grown(self, value: float, now_ms: int) -> float:
        """By how much it has in the span, given what it is now. O(1) amortized."""
        seen = self._seen
        seen.append((now_ms, value))
        while len(seen) > 1 and seen[1][0] <= now_ms - self._span_ms:
            seen.popleft()
        return value - seen[0][1]


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What the parts tell at one look.

    Attributes:
        journal: Why it cannot be written, or "".
        disk_free_bytes: Where the data folder is; None: nobody can tell.
        coupons: Codes left, by pool.
        coupons_low: As `[coupons] low` has it.
        campaigns: Those that are live.
    """

    journal: str
    disk_free_bytes: int | None
    coupons: Mapping[str, int]
    coupons_low: int
    campaigns: Iterable[str]


class Silence(msgspec.Struct, frozen=True):
    """An alert that a campaign is silent: its cause, and when that was found, by logical time."""

    cause: Cause
    found_ms: int


class Rules:
    """Of one shop, over the life of one process.

    Args:
        chosen: From when on each is told.
        metrics: What is counted.
        hours: Records by campaign and hour.
        started_at_ms: When this process began to count, by the clock that looks are made by.
    """

    def __init__(self, chosen: Alerts, metrics: Metrics, hours: Hours, started_at_ms: int) -> None:
        self._chosen = chosen
        self._metrics = metrics
        self._hours = hours
        self._started_at_ms = started_at_ms
        self._fired, self._late = Counted(MINUTE_MS), Counted(MINUTE_MS)
        self._bad_keys, self._dead = Counted(TEN_MINUTES_MS), Counted(HOUR_MS)
        # What was counted before anybody looked counts, too.
        for one in (self._fired, self._late, self._bad_keys, self._dead):
            one.grown(0, started_at_ms)

    def unsure(self, now_ms: int) -> list[str]:
        """Kinds of which nobody can say yet that they are over: this process is too young."""
        age_ms = now_ms - self._started_at_ms
        return [kind for kind, span_ms in SPANS_MS.items() if age_ms < span_ms]

    def now(self, seen: Seen, now_ms: int) -> Iterator[Cause]:
        """What is wrong, but for campaigns. O(channels, pools and buckets)."""
        if seen.journal:
            hint = "make room, or mend the disk: events are refused until it can be written"
            yield Cause("journal", "", f"the journal cannot be written: {seen.journal}", hint)
        free = seen.disk_free_bytes
        if free is not None and free < self._chosen.disk_free_bytes:
            told = f"{free >> 20} MiB are free where the data folder is"
            least = f"less than {self._chosen.disk_free_bytes >> 20} MiB (alerts.disk_free)"
            yield Cause("disk", "", f"{told}, {least}", "make room, or keep less (events.keep)")
        yield from self._lateness(now_ms)
        for channel, count in values(self._metrics.breakers, "channel").items():
            if count:
                text = f"{count:.0f} of its providers are down" if count > 1 else "it is down"
                hint = "the log's breaker.opened says why; messages wait and go once it is back"
                yield Cause("breaker", channel, f"{channel}: {text}", hint)
        bad = self._bad_keys.grown(values(self._metrics.refused, "why").get("key", 0), now_ms)
        if bad >= self._chosen.bad_keys:
            text = f"{bad:.0f} requests in ten minutes had no key that is known"
            yield Cause("keys", "", text, "a client has an old key, or somebody tries keys out")
        dead_letters = values(self._metrics.dead_letters, "fate").get("dead", 0)
        dead = self._dead.grown(dead_letters, now_ms)
        if dead >= self._chosen.dead_letters:
            text = f"{dead:.0f} messages in an hour failed for good"
            yield Cause("dead_letters", "", text, "hairspring deadletters list")
        for pool, left in seen.coupons.items():
            if left <= seen.coupons_low:
                text = f"{left} codes are left of the pool {pool}"
                yield Cause("coupons", pool, text, f"add codes to coupons/{pool}.txt")

    def _lateness(self, now_ms: int) -> Iterator[Cause]:
        fired, late, bound_s = self._metrics.lateness_beyond(self._chosen.late_ms / 1000)
        fired = int(self._fired.grown(fired, now_ms))
        late = int(self._late.grown(late, now_ms))
        if fired >= FIRED_MIN and late > LATE_SHARE * fired:
            text = f"{late} of {fired} deadlines in a minute fired more than {bound_s:g} s late"
            yield Cause("lateness", "", text, "hairspring_loop_stall_seconds, and the disk")

    def of_campaign(
        self, campaign: str, now_ms: int, silence: Silence | None = None
    ) -> Iterator[Cause]:
        """What is wrong with one that is live. O(hours of four weeks' windows).

        `silence` is the alert of its silence, where one is open.
        """
        lately = {
            kind: self._hours.lately(campaign, kind, now_ms)
            for kind in ("sent", "skipped", "delivered", "failed")
        }
        failed, ended = lately["failed"], lately["failed"] + lately["delivered"]
        if ended >= DELIVERIES_MIN and failed > self._chosen.failed * ended:
            text = f"{campaign}: {failed} of {ended} deliveries of the last hours failed"
            yield Cause("failures", campaign, text, "hairspring deadletters list says why")
        skipped, asked = lately["skipped"], lately["skipped"] + lately["sent"]
        if asked >= SENDS_MIN and skipped > self._chosen.skipped * asked:
            text = f"{campaign}: {skipped} of {asked} sends of the last hours were skipped"
            hint = 'hairspring_records_total{kind="skipped"} says why, by reason'
            yield Cause("skips", campaign, text, hint)
        if self._chosen.rhythm and self._hours.since_hour is not None:
            yield from self._rhythm(campaign, self._hours.since_hour, now_ms, silence)

    def _rhythm(
        self, campaign: str, since_hour: int, now_ms: int, silence: Silence | None
    ) -> Iterator[Cause]:
        for kind, done in (("entered", "entered"), ("sent", "were sent")):
            counts = self._hours.of(campaign, kind)
            found = judge(counts, since_hour, now_ms)
            if found is None:
                if silence is None or silence.cause.seen_in != kind:
                    continue
                if goes_on(counts, since_hour, silence.found_ms, now_ms):
                    continue
                yield silence.cause
                return
            told, hours = (f"{found.count} {done}", f"{found.hours} h")
            if found.what == "silent":
                usual = f"at least {found.usual} in each of the {found.weeks} weeks before"
                hint = "do its events still come in? hairspring explain says why not"
            else:
                usual = f"at most {found.usual} in the {found.weeks} weeks before"
                hint = "if it is no sale of yours, set the campaign to status: paused"
            text = f"{campaign}: {told} in the last {hours}; at this time of the week {usual}"
            yield Cause(found.what, campaign, text, hint, kind)
            return  # one alert a cause: what nobody enters sends nothing, either


def values(metric: MetricWrapperBase, label: str) -> dict[str, float]:
    """A counter's or gauge's values by one of its labels. O(series)."""
    return {
        sample.labels[label]: sample.value
        for family in metric.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def disk_free(path: Path) -> int | None:
    """Bytes free where a path is; None where nobody can tell. May wait for the disk."""
    try:
        return shutil.disk_usage(path).free
    except OSError:
        return None
