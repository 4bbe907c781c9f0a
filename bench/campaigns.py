"""A plan of 1,000 campaigns of which an event wakes one, beside a plan of ten.

A third of them have a rule of one event, a third a cart rule that is solved for its instant, a
third a count in a window; each has event names of its own. The events name the first ten alone, so
that both plans must come to the same records, whatever else is loaded.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import msgspec

from bench.harness import Laps, Run
from engine.core import cel
from engine.core.conditions.condition import Condition
from engine.core.inputs import EventReceived
from engine.core.plan import Campaign, Entry, Plan
from engine.core.steps.kinds import Send, Wait
from engine.runtime.processor import Processor
from engine.sim.simulate import BATCH_MAX

if TYPE_CHECKING:
    from engine.core.effects import Record

MANY = 1_000
FEW = 10
START_AT_MS = 1_760_000_000_000
STEP_MAX_MS = 2_000
DAY_MS = 86_400_000
EVENTS_A_USER = 20


class ManyCampaigns:
    """The same events under many campaigns and under few."""

    name = f"campaigns-{MANY}"
    title = f"an event that wakes one of {MANY:,} campaigns, over one of {FEW}"
    n = 60_000
    n_small = 6_000
    limit = 1.3
    repetitions = 9

    def prepare(self, n: int) -> list[EventReceived]:
        """Draw events of the first ten campaigns, in order of time."""
        draw = random.Random(n)
        at_ms, events = START_AT_MS, []
        for _ in range(n):
            at_ms += draw.randrange(STEP_MAX_MS)
            name = f"{draw.choice(('Seen', 'Seen', 'Seen', 'Done'))} {draw.randrange(FEW)}"
            price = msgspec.Raw(msgspec.json.encode({"price": draw.randrange(100)}))
            user_id = f"user-{draw.randrange(n // EVENTS_A_USER)}"
            events.append(EventReceived(user_id, name, at_ms, at_ms, price))
        return events

    def reference(self, load: list[EventReceived]) -> Run:
        """Run the few."""
        return _run(_plan(FEW), load)

    def ours(self, load: list[EventReceived]) -> Run:
        """Run the many."""
        return _run(_plan(MANY), load)


def _plan(count: int) -> Plan:
    return Plan("bench", [_campaign(number) for number in range(count)])


def _campaign(number: int) -> Campaign:
    seen, done = f"Seen {number}", f"Done {number}"
    match number % 3:
        case 0:
            entry = Entry((seen,), when=cel.compile("event.price > 80"))
        case 1:
            entry = _rises(f'did("{seen}", "1d") && !did("{done}", "1d") && idle("30m")')
        case _:
            entry = _rises(f'count("{seen}", "1d") >= 3 && !did("{done}", "1d")')
    steps = (Wait("wait", 1_800_000, 1), Send("tell", ("in_app",), "told"))
    return Campaign(f"campaign-{number}", entry, steps, ("wait", "tell"), exit_events=(done,))


def _rises(text: str) -> Entry:
    return Entry((), edge=Condition(cel.compile(text)))


def _run(plan: Plan, events: list[EventReceived]) -> Run:
    processor = Processor(plan, now_ms=START_AT_MS, keeps=False)
    told: list[Record] = []
    laps = Laps()
    with laps.running():
        for start in range(0, len(events), BATCH_MAX):
            for event in events[start : start + BATCH_MAX]:
                if processor.wake_at_ms <= event.occurred_at_ms:
                    processor.advance(event.occurred_at_ms)
                processor.take(event, event.occurred_at_ms)
            told += _released(processor)
        processor.advance(events[-1].occurred_at_ms + DAY_MS)
        told += _released(processor)
    return Run(laps.seconds, [msgspec.to_builtins(record) for record in told])


def _released(processor: Processor) -> list[Record]:
    batch = processor.begin(processor.now_ms)
    return processor.finish(batch).records if batch is not None else []


SCENARIOS = (ManyCampaigns(),)
