"""A shop over a file of events: what `hairspring simulate` does, without a terminal."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING

import msgspec

from engine.core.inputs import EventReceived
from engine.core.instants import format_instant
from engine.core.past.sessions import SESSION_EVENTS
from engine.core.reports.records import encode_told, record_line, record_lines, told
from engine.errors import UsageError
from engine.runtime.dedupe import Dedupe
from engine.sim.deliveries import Deliveries
from engine.sim.exported import Head, beginning, seen_by, users_inputs
from engine.sim.ordering import in_order
from engine.sim.reading import Reading
from engine.sim.replaying import Comparison, Replay
from engine.sim.simulate import Simulation
from engine.sim.sources import EventsUnreadable
from engine.sim.summary import CampaignSummary, Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from config import Shop
    from engine.core.effects import Record
    from engine.core.inputs import UserInput
    from engine.core.state import User
    from engine.sim.exported import Line
    from engine.sim.sources import Source

PROGRESS_EVERY = 2_048
"""Inputs between two tellings of progress."""

NAMES_MAX = 1_000
"""Names of events that are counted."""

NAMES_TOLD = 10
"""Names of events that are told where a campaign waits for others."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to run.

    Attributes:
        until_ms: The last instant, inclusive; None: until no deadline is left, at most 90 days
            past the last event.
        columns: The column of each field that is not called so itself; any make the file a CSV.
        failing: Share of a channel's messages that fail, from 0.0 to 1.0.
        seed: Of those failures.
        render: Render each message; `sent` records then bear what was rendered.
    """

    until_ms: int | None = None
    columns: dict[str, str] = {}
    failing: dict[str, float] = {}
    seed: int = 0
    render: bool = False


class Report(msgspec.Struct, kw_only=True):
    """What came of it.

    Attributes:
        events: Inputs applied.
        duplicates: Inputs whose message id was taken already.
        after_until: Inputs left out, since they were received after the end.
        bad_lines: How many lines were no event.
        bad_lines_shown: The first of them, as `file:line: what is wrong`.
        users: How many there were.
        first_at: When the first event was received, ISO 8601; "" where there was none.
        last_at: When the last one was.
        condition_errors: By campaign, how often a condition ended in an error, and so was not true.
        campaigns: By campaign, in order of priority.
        undefined: By template, how often a name that was not there was rendered as nothing.
        render_faults: How often a template could not be rendered, by what was wrong.
        never_came: By campaign, the events that enter it, where none of them was among the inputs.
        names: The most frequent names of events; empty where `never_came` is.
        quarantined: By reason, inputs that a live process quarantines as it comes to apply them.
        replayed: How a journal that was run again compares with the live run; else None.
    """

    events: int
    duplicates: int
    after_until: int
    bad_lines: int
    bad_lines_shown: list[str]
    users: int
    first_at: str
    last_at: str
    condition_errors: dict[str, int]
    campaigns: list[CampaignSummary]
    undefined: dict[str, int] = {}
    render_faults: dict[str, int] = {}
    never_came: dict[str, list[str]] = {}
    names: list[str] = []
    quarantined: dict[str, int] = {}
    replayed: Comparison | None = None


def run_shop(
    shop: Shop,
    source: Source,
    *,
    options: Options,
    write: Callable[[bytes], object] | None = None,
    on_progress: Callable[[int], None] | None = None,
    label: str = "",
) -> Report:
    """Run a shop over a source in virtual time.

    The exported journal of a live run is run again as it was, under the plans of then, where the
    shop is the one that it ended with; under any other its events are taken at their stamps. Where
    it was cut, everybody goes on as he was there, as at a reload.

    Args:
        shop: As `config` loads it.
        source: Where the events come from.
        options: How.
        write: Takes records as JSON lines, in order of `at`.
        on_progress: Told now and then how many inputs were applied; 0 while the file is read.
        label: What the source is called in faults; its path where none is given.

    Raises:
        EventsUnreadable: The source failed half way, or there is no event in it at all.
        JournalUnreadable: It is an exported journal, and damaged.
        UsageError: It is the journal of this very shop, which is run again as it was, and `options`
            ask for something else.
    """
    reading = Reading(label or source.path, shop.tracking_plan)
    if not source.is_journal(reading.label):
        read: Iterable[UserInput] = source.inputs(reading, options.columns)
        return _run(Run(shop, options), read, reading, write, on_progress)
    lines = source.journal(reading.label)
    head = next(lines)
    if isinstance(head, Head) and head.plan_id == shop.plan.id:
        return _run_again(shop, chain([head], lines), options, write, on_progress)
    begins_ms, users, lines = beginning(chain([head], lines))
    read = users_inputs(lines, reading, seen_by(users))
    run = Run(shop, options, users=users, now_ms=begins_ms)
    return _run(run, read, reading, write, on_progress)


class Run:
    """One shop over inputs in the order in which they were received, and what came of it.

    Args:
        shop: As `config` loads it.
        options: How.
        users: Who is known already (`Simulation`).
        now_ms: Logical time to start from.
        from_ms: What happens from this instant on is told; all before makes the past of it.
    """

    def __init__(
        self,
        shop: Shop,
        options: Options,
        *,
        users: Iterable[User] = (),
        now_ms: int = 0,
        from_ms: int = 0,
    ) -> None:
        self._from_ms = from_ms
        self.shop = shop
        self._options = options
        self._deliveries = Deliveries(
            failing=options.failing,
            seed=options.seed,
            templates=shop.templates if options.render else None,
            shelf=shop.shelf,
        )
        kept = shop.settings.events
        self._simulation = Simulation(
            shop.plan,
            dedupe=Dedupe(kept.dedupe_window_ms, kept.dedupe_max),
            deliveries=self._deliveries,
            users=users,
            now_ms=now_ms,
        )
        self._tally = Tally(shop.plan)

    def records(
        self, inputs: Iterable[UserInput], write: Callable[[bytes], object] | None
    ) -> Iterator[list[Record]]:
        """What happens, piece by piece, each written as it is made."""
        find = self._simulation.processor.find
        for released in self._simulation.run(inputs, self._options.until_ms):
            records, times = released.records, released.times
            if self._from_ms and records:
                records = [one for one in records if one.at_ms >= self._from_ms]
                before = len(released.records) - len(records)
                times = [(place - before, one) for place, one in times if place >= before]
            self._tally.add(records, find, times)
            if write is not None and records:
                render = self._options.render
                write(_lines(records, self._deliveries) if render else record_lines(records))
            self._deliveries.rendered.clear()
            yield records

    def report(self, reading: Reading, names: Counter[str]) -> Report:
        """What came of it; once, at the end. Raises EventsUnreadable where there was no event."""
        if not reading.events:
            raise nothing_in(reading)
        report = _report(self._simulation, reading, self._tally, self._deliveries)
        report.never_came = _never_came(self.shop, names)
        if report.never_came:
            report.names = [name for name, _ in names.most_common(NAMES_TOLD)]
        return report


def arriving(
    read: Iterable[UserInput], names: Counter[str], on_progress: Callable[[int], None] | None
) -> Iterator[UserInput]:
    """Inputs as they are read, in whatever order, to the order in which they were received.

    `names` counts events by name; `on_progress` is told as `run_shop` says.
    """
    inputs: Iterable[UserInput] = _named(read, names)
    if on_progress is None:
        return in_order(inputs)
    return _watched(in_order(_watched(inputs, lambda _: on_progress(0))), on_progress)


def _run(
    run: Run,
    read: Iterable[UserInput],
    reading: Reading,
    write: Callable[[bytes], object] | None,
    on_progress: Callable[[int], None] | None,
) -> Report:
    """A run over inputs as they are read, in whatever order."""
    names: Counter[str] = Counter()
    for _ in run.records(arriving(read, names, on_progress), write):
        pass
    return run.report(reading, names)


def _run_again(
    shop: Shop,
    lines: Iterable[Line],
    options: Options,
    write: Callable[[bytes], object] | None,
    on_progress: Callable[[int], None] | None,
) -> Report:
    """Run a journal again as it was; refusals are in nobody's journal, and are not told."""
    if options != Options():
        raise UsageError(
            "the journal of this very shop is run again as it was",
            hint="leave --until, --map, --fail, --seed and --render out, or give a changed shop",
        )
    replay = Replay(on_progress)
    tally = Tally(shop.plan)
    for records in replay.run(lines):
        tally.add(records, replay.processor.find, replay.times)
        if write is not None and records:
            write(record_lines(records))
    return Report(
        events=replay.comparison.inputs,
        duplicates=0,
        after_until=0,
        bad_lines=0,
        bad_lines_shown=[],
        users=len(replay.processor.users),
        first_at=format_instant(replay.first_at_ms),
        last_at=format_instant(replay.last_at_ms),
        condition_errors=dict(sorted(replay.processor.errors.items())),
        campaigns=tally.summaries(replay.processor.users.values()),
        replayed=replay.comparison,
    )


def _named(inputs: Iterable[UserInput], names: Counter[str]) -> Iterator[UserInput]:
    """Count events by name: the first `NAMES_MAX` names, since a file may hold any number."""
    for happened in inputs:
        # What a machine did with a message has no name.
        name = happened.name if isinstance(happened, EventReceived) else ""
        if name and (name in names or len(names) < NAMES_MAX):
            names[name] += 1
        yield happened


def _never_came(shop: Shop, names: Counter[str]) -> dict[str, list[str]]:
    """Whoever misspelt an event sees nobody enter, and is to be told why."""
    if not names or len(names) >= NAMES_MAX:
        return {}
    may_come = names.keys() | SESSION_EVENTS | shop.plan.emits
    return {
        campaign.id: list(campaign.entry.events)
        for campaign in shop.plan.campaigns.values()
        if campaign.status in {"live", "test"}
        and campaign.entry.events  # and not a condition, which may become true by anything
        and may_come.isdisjoint(campaign.entry.events)
    }


def _watched(
    inputs: Iterable[UserInput], on_progress: Callable[[int], None]
) -> Iterator[UserInput]:
    for count, happened in enumerate(inputs):
        if count % PROGRESS_EVERY == 0:
            on_progress(count)
        yield happened


def _lines(records: list[Record], deliveries: Deliveries) -> bytes:
    """Records as lines, with what was rendered for those that were sent."""
    lines = []
    for record in records:
        rendered = deliveries.rendered.get(record.message) if record.kind == "sent" else None
        if rendered is None:
            lines.append(record_line(record))
            continue
        line = told(record)
        line.subject = rendered.front.get("subject", "")
        line.title = rendered.front.get("title", "")
        line.body = rendered.body
        lines.append(encode_told(line))
    return b"".join(lines)


def nothing_in(reading: Reading) -> EventsUnreadable:
    """What to raise for a file in which no line is an event."""
    if reading.bad:
        shown = "\n  ".join(bad.text for bad in reading.shown)
        lines = "its only line is no event"
        if reading.bad > 1:
            lines = f"none of its {reading.bad} lines is an event"
        return EventsUnreadable(
            f"{reading.label}: {lines}\n  {shown}",
            hint='a line is {"user_id": "u1", "event": "Product Added", "timestamp": …}; '
            "a JSON array is made into lines by: jq -c '.[]'; "
            "a CSV has a name that ends in .csv, or --map names its columns",
        )
    return EventsUnreadable(f"{reading.label} holds no event")


def _report(
    simulation: Simulation, reading: Reading, tally: Tally, deliveries: Deliveries
) -> Report:
    taken = simulation.taken
    return Report(
        events=taken,
        duplicates=simulation.duplicates,
        after_until=simulation.after_until,
        bad_lines=reading.bad,
        bad_lines_shown=[bad.text for bad in reading.shown],
        users=len(simulation.processor.users),
        first_at=format_instant(simulation.first_at_ms) if taken else "",
        last_at=format_instant(simulation.last_at_ms) if taken else "",
        condition_errors=dict(sorted(simulation.processor.errors.items())),
        campaigns=tally.summaries(simulation.processor.users.values()),
        undefined=dict(sorted(deliveries.undefined.items())),
        render_faults=dict(sorted(deliveries.faults.items())),
        quarantined=dict(sorted(simulation.quarantined.items())),
    )
