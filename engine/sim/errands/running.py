"""A shop over events that were sent along, or over the archive."""

from __future__ import annotations

import os
from collections import Counter
from io import BytesIO
from typing import TYPE_CHECKING

import msgspec

from config import decode_content, load_shop
from engine.core.instants import format_instant
from engine.sim.archived import Archived
from engine.sim.comparing import Compared, compare_past
from engine.sim.ndjson import read_ndjson
from engine.sim.reading import Reading
from engine.sim.run import Options, Report, Run, arriving
from engine.sim.sources import EventsUnreadable
from engine.sim.summary import CampaignSummary, Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from config import Shop
    from engine.core.effects import Record
    from engine.core.inputs import UserInput
    from engine.runtime.errands import Archive, BacktestErrand, SimulateErrand

    Told = Callable[[int, int], None]


class Simulated(msgspec.Struct, kw_only=True):
    """What came of a run.

    Attributes:
        summary: As `hairspring simulate --json` has it.
        records: The first of them.
        records_total: How many there were.
        from_at: From when on it is told; "" where all of it is.
        exact_from: Where the archive begins: "" where it has all that ever happened.
    """

    summary: Report
    records: list[msgspec.Raw]
    records_total: int
    from_at: str = ""
    exact_from: str = ""


class Backtested(msgspec.Struct, kw_only=True):
    """What a shop would have done, and what was done.

    Attributes:
        from_at, until: The part of the archive that is told of.
        exact_from: As `Simulated`.
        events: Inputs that the run took, from before that part too.
        users: How many there were.
        before: What really happened, by campaign.
        after: What would have.
        compared: Who would have been sent more, or less.
        records, records_total: Of the run.
    """

    from_at: str
    until: str
    exact_from: str
    events: int
    users: int
    before: list[CampaignSummary]
    after: list[CampaignSummary]
    compared: Compared
    records: list[msgspec.Raw]
    records_total: int


class _Kept:
    """The first records of a run, and how many there were."""

    def __init__(self, most: int, campaign: str = "") -> None:
        self._most = most
        self._only = b'"campaign":' + msgspec.json.encode(campaign) if campaign else b""
        self.lines: list[msgspec.Raw] = []
        self.total = 0

    def write(self, lines: bytes) -> None:
        for line in lines.splitlines():
            if self._only in line:
                self.total += 1
                if len(self.lines) < self._most:
                    self.lines.append(msgspec.Raw(line))


def simulate(errand: SimulateErrand, events: bytes, told: Told) -> Simulated:
    """Run a shop over the archive, or over events: NDJSON, or a JSON array, or NDJSON as a string.

    Raises EventsUnreadable, ShopInvalid, StoreError, NoArchive.
    """
    shop = load_shop(decode_content(errand.content.encode()), env=os.environ)
    kept = _Kept(errand.records)
    options = Options(until_ms=errand.until_ms, failing=errand.failing, seed=errand.seed)
    if errand.archive is None:
        return _over_events(shop, events, options, kept, told)
    archive = errand.archive
    options = msgspec.structs.replace(options, until_ms=archive.until_ms)
    with Archived(archive, told) as archived:
        run = _over(shop, options, archived, archive)
        reading = Reading("the archive")
        for _ in run.records(_counted(archived.inputs(), reading), kept.write):
            pass
        return Simulated(
            summary=run.report(reading, Counter()),
            records=kept.lines,
            records_total=kept.total,
            from_at=format_instant(archive.from_ms),
            exact_from=_exact_from(archived),
        )


def backtest(errand: BacktestErrand, told: Told) -> Backtested:
    """Run a shop over the archive, and compare. Raises as `simulate`."""
    shop = load_shop(decode_content(errand.content.encode()), env=os.environ)
    archive = errand.archive
    kept = _Kept(errand.records, errand.campaign)
    reading, tally = Reading("the archive"), Tally(shop.plan)
    with Archived(archive, told) as archived:
        run = _over(shop, Options(until_ms=archive.until_ms), archived, archive)
        inputs = _counted(archived.inputs(), reading)
        happened = _tallied(archived.records(), tally)
        compared = compare_past(run, inputs, happened, campaign=errand.campaign, write=kept.write)
        report = run.report(reading, Counter())
        before = tally.summaries(())
    before, after = ([_plain(one) for one in found] for found in (before, report.campaigns))
    if errand.campaign:
        before, after = (
            [one for one in found if one.campaign == errand.campaign] for found in (before, after)
        )
    then = {one.campaign: one.entered for one in before}
    compared.entered = {
        one.campaign: (then.get(one.campaign, 0), one.entered)
        for one in after
        if then.get(one.campaign, 0) != one.entered
    }
    return Backtested(
        from_at=format_instant(archive.from_ms),
        until=format_instant(archive.until_ms),
        exact_from=_exact_from(archived),
        events=report.events,
        users=report.users,
        before=before,
        after=after,
        compared=compared,
        records=kept.lines,
        records_total=kept.total,
    )


def _over_events(shop: Shop, events: bytes, options: Options, kept: _Kept, told: Told) -> Simulated:
    events = _as_lines(events)
    total = max(1, events.count(b"\n"))
    reading, names = Reading("events", shop.tracking_plan), Counter[str]()
    run = Run(shop, options)
    read = read_ndjson(BytesIO(events), reading)
    inputs = arriving(read, names, lambda applied: told(min(applied, total), total))
    for _ in run.records(inputs, kept.write):
        pass
    report = run.report(reading, names)
    return Simulated(summary=report, records=kept.lines, records_total=kept.total)


def _as_lines(events: bytes) -> bytes:
    """Events in whatever form they were sent, a line each."""
    begin = events.lstrip()[:1]
    try:
        if begin == b'"':
            return msgspec.json.decode(events, type=str).encode()
        if begin == b"[":
            items = msgspec.json.decode(events, type=list[msgspec.Raw])
            # One that was written over several lines has line feeds of its own.
            return b"".join(msgspec.json.format(bytes(one), indent=-1) + b"\n" for one in items)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        hint = "NDJSON, or a JSON array of events"
        raise EventsUnreadable(f"no events can be read of it: {error}", hint=hint) from error
    return events


def _over(shop: Shop, options: Options, archived: Archived, archive: Archive) -> Run:
    """A run that begins where the archive does, and tells of the part that is asked for."""
    begins_ms = archived.exact_from_ms
    return Run(shop, options, users=archived.users(), now_ms=begins_ms, from_ms=archive.from_ms)


def _counted(inputs: Iterable[UserInput], reading: Reading) -> Iterator[UserInput]:
    for happened in inputs:
        reading.events += 1
        yield happened


def _tallied(happened: Iterable[list[Record]], tally: Tally) -> Iterator[list[Record]]:
    """Records of then, counted."""
    for records in happened:
        tally.add(records, lambda _: None)
        yield records


def _plain(summary: CampaignSummary) -> CampaignSummary:
    """Without what cannot be told of a part: by which steps those came who were inside before.

    Nor who had said nothing of consent, which records do not tell.
    """
    summary.steps, summary.skipped_unspoken = [], 0
    return summary


def _exact_from(archived: Archived) -> str:
    return format_instant(archived.exact_from_ms) if archived.exact_from_ms else ""
