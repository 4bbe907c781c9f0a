"""Durable ingest with a tracking plan in force, beside the same process without one.

Both sides are `hairspring serve` with the same shop, asked in turn; one of them has a
`tracking-plan.yaml` that says everything of every event: types, bounds, an enum, a pattern, and no
property but its own. The oracle is that of `ingest`: every answer is 200, and as many different
events as were sent are in both journals.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import override

from bench.ingest import Ingest, Servers, Side, timed
from bench.serving import Journal, serving_ours
from bench.shop import EVENTS, write_shop

if TYPE_CHECKING:
    from contextlib import ExitStack

    from bench.harness import Run

_PROPERTIES = """\
    properties:
      product_id: {type: string, required: true, pattern: '^sku-[0-9]+$', max: 40}
      price: {type: number, required: true, min: 0}
      quantity: {type: integer, required: true, min: 1, max: 99}
      currency: {enum: [EUR, USD, GBP]}
    additional: forbid
"""


class PlannedServers(Servers):
    """Two processes of ours, one with a plan."""

    plain_journal: Journal

    @override
    def open(self, opening: ExitStack) -> None:
        folder = Path(opening.enter_context(tempfile.TemporaryDirectory()))
        for name in ("plain", "planned"):
            shop = folder / name
            shop.mkdir()
            write_shop(shop)
            if name == "planned":
                events = "".join(f"  {event}:\n{_PROPERTIES}" for event in EVENTS)
                text = f"events:\n{events}"
                (shop / "tracking-plan.yaml").write_text(text)
            data = shop / "data"
            side = Side(opening.enter_context(serving_ours(shop, data)), *self.load())
            opening.callback(side.close)
            side.ask(self.warming, [])
            journal = Journal(data)
            journal.read_on()
            if name == "planned":
                self.ours, self.journal = side, journal
            else:
                self.reference, self.plain_journal = side, journal


class Planned(Ingest):
    """As `Ingest`, with that for a reference."""

    @override
    def prepare(self, n: int) -> PlannedServers:
        return PlannedServers(**self.drawn(n))

    @override
    def reference(self, load: Servers) -> Run:
        assert isinstance(load, PlannedServers)
        return timed(load, load.reference, load.plain_journal)


SCENARIOS = (
    Planned(
        "ingest-planned",
        "POST /v1/track, sync=full, each held against a tracking plan; over ours without one",
        n=4_000,
        n_small=64,
        limit=1.18,
        events_each=1,
        connections=64,
    ),
    Planned(
        "ingest-planned-batch",
        "POST /v1/batch of 100 events, the same; over ours without one",
        n=20_000,
        n_small=800,
        limit=1.18,
        events_each=100,
        connections=32,
    ),
)
