"""Two thousand deadlines a second in the real process, alone and beside a bulk import.

Each is of a user of his own and ends his enrollment: what is looked at is the firing, not a
delivery. What counts is the p99 of fired minus due, by the process's own clock (`bench.observed`);
its measure is what is promised. The reference line's laps are bare timers of an event loop at the
same rate, in a process that does nothing else, so that a machine with neighbours shows.
"""

from __future__ import annotations

import asyncio
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bench.delays import requests_that_wait
from bench.harness import Run
from bench.ingest import requests_of, send
from bench.instants import NS_PER_MS, now_ms, sleep_until
from bench.lateness import by_loop, promised
from bench.process import serving
from bench.shop import WAITING, draw_calls, write_shop

LEAD_MS = 2_000
"""From the call that sends the events to the first deadline, and one for each 20 events."""

PER_S = 2_000
EVENTS_EACH = 100


class Crowd(msgspec.Struct, frozen=True):
    """How many deadlines, and how many events of an import beside them."""

    count: int
    imported: int


class Deadlines:
    """A crowd of deadlines, and what p99 is promised."""

    n_small = 400
    repetitions = 1

    def __init__(self, name: str, title: str, *, n: int, promised_ms: int, imported: int) -> None:
        self.name = name
        self.title = title
        self.n = n
        self.limit = 1.0
        self._promised_ns = promised_ms * NS_PER_MS
        self._imported = imported

    def prepare(self, n: int) -> Crowd:
        """A small crowd has a small import beside it."""
        return Crowd(n, self._imported * n // self.n // EVENTS_EACH * EVENTS_EACH)

    def reference(self, load: Crowd) -> Run:
        """What is promised; its laps are those of `loop.call_at`."""
        bare = asyncio.run(by_loop([200 + number * 1_000 // PER_S for number in range(load.count)]))
        return Run(self._promised_ns * load.count / 1e9, (load.count, 0), bare)

    def ours(self, load: Crowd) -> Run:
        """Ticker, wheel, core and commits of the real process."""
        with tempfile.TemporaryDirectory() as name:
            notes, importing = _observe(load, Path(name))
        began_ms, ended_ms = importing
        outcome = (len(notes), sum(late_ns < 0 for _, late_ns in notes))
        # While the import runs, where there is one: the rest would hide it.
        late_ns = [late for due, late in notes if not load.imported or began_ms <= due <= ended_ms]
        assert late_ns, "no deadline was due during the import"
        return promised(late_ns, outcome, load.count)


def _observe(load: Crowd, folder: Path) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """What was noted, and from when to when the import took, by the wall clock."""
    shop, notes = folder / "shop", folder / "notes"
    shop.mkdir()
    write_shop(shop)
    (shop / "campaigns" / "waiting.yaml").write_text(WAITING)
    with serving(["-m", "bench.observed", str(shop), str(folder / "data"), str(notes)]) as server:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        bulk = requests_of(draw_calls(load.imported, at), EVENTS_EACH)
        first_at_ms = now_ms() + LEAD_MS + load.count // 20
        due = {
            f"waiting-{number}": first_at_ms + number * 1_000 // PER_S
            for number in range(load.count)
        }
        send(server.port, requests_that_wait(due))
        assert now_ms() < first_at_ms, "events took longer than the lead"
        sleep_until(first_at_ms)
        began_ms = now_ms()
        send(server.port, bulk)
        ended_ms = now_ms()
        sleep_until(first_at_ms + load.count * 1_000 // PER_S + LEAD_MS)
    noted = msgspec.json.decode(notes.read_bytes(), type=list[tuple[int, int]])
    return noted, (began_ms, ended_ms)


SCENARIOS = (
    Deadlines(
        "deadlines-2000",
        "2,000 deadlines a second for 10 s, p99 of fired minus due; over 2 ms",
        n=20_000,
        promised_ms=2,
        imported=0,
    ),
    Deadlines(
        "deadlines-import",
        "the same while 100,000 events are imported in batches; over 5 ms",
        n=20_000,
        promised_ms=5,
        imported=100_000,
    ),
)
