"""How much memory a backlog takes: what a process grows by while its outbox does.

    python -m bench.backlog ROWS

A process with a store, a shell and a dispatcher, as it serves, whose mail provider takes nothing:
two thousand users are sent bulk until so many rows wait, and then one transactional mail is due,
which has to be the next that is attempted. In a process of its own; the reference line is what is
promised.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import structlog
from typing_extensions import override

from bench.harness import Run
from bench.memory import rss_bytes
from bench.process import ROOT
from channels.base import Accepted, Channel, Message, Outcome
from config import load_shop
from engine.core.inputs import EventReceived, UserIdentified
from engine.runtime.clock import Clock
from engine.runtime.delivery.composing import Composer
from engine.runtime.dispatcher import Dispatcher
from engine.runtime.memory import settle_collector
from engine.runtime.metrics import Metrics
from engine.runtime.processor import Processor
from engine.runtime.shell import Shell
from engine.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.core.inputs import UserInput
    from engine.runtime.processor import Released

PROMISED_BYTES: Final = 50 << 20
USERS: Final = 2_000
AT_ONCE: Final = 200
_TRAITS: Final = msgspec.Raw(b'{"email":"a@example.org","consent":{"email":true}}')
_PROPERTIES: Final = msgspec.Raw(b'{"product_id":"sku-1","text":"%b"}' % (b"x" * 1_000))
_CAMPAIGN: Final = """
campaign: {name}
purpose: {purpose}
enter: {{event: {event}, reentry: always}}
steps:
  - {{send: email, template: t, id: s}}
"""
_SHOP: Final = {
    "campaigns/bulk.yaml": _CAMPAIGN.format(name="bulk", purpose="marketing", event="Ping"),
    "campaigns/order.yaml": _CAMPAIGN.format(
        name="order", purpose="transactional", event="Order Completed"
    ),
    "templates/t.email.liquid": "---\nsubject: Hello\n---\n<p>{{ event.text }}</p>",
}


class Weight(msgspec.Struct):
    """What was weighed.

    Attributes:
        grown: Bytes by which the process grew.
        rows: In the outbox by then.
        next: The campaign of the mail that was attempted next, once the provider took one.
    """

    grown: int
    rows: int
    next: str


class _Stuck(Channel):
    """A provider that holds what it has been given until it is let go."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.second = asyncio.Event()
        self.taken: list[str] = []

    @override
    async def deliver(self, message: Message) -> Outcome:
        await self.opened.wait()
        self.taken.append(message.campaign)
        if len(self.taken) > 1:  # the first was under way before
            self.second.set()
        return Accepted()

    @override
    async def aclose(self) -> None:
        pass


async def weigh(rows: int, folder: Path) -> Weight:
    """Fill the outbox."""
    store = await Store.open(folder / "backlog.db", sync="normal")
    clock = Clock(0)
    shop = load_shop(_SHOP)
    processor = Processor(shop.plan, now_ms=clock.now_ms())
    stuck = _Stuck()
    dispatcher: Dispatcher | None = None

    def release(released: Released) -> None:
        assert dispatcher is not None
        dispatcher.release(released)

    shell = Shell(processor, store, clock, release)
    metrics = Metrics()
    dispatcher = Dispatcher(
        store=store, channels={"email": stuck}, composer=Composer(shop.templates, metrics),
        processor=processor, report=shell.report, now_ms=clock.now_ms, jitter=lambda: 0.0,
        metrics=metrics, concurrency={"email": 1},
    )  # fmt: skip
    dispatcher.start()
    working = asyncio.create_task(shell.run())

    def events(name: str, users: Sequence[int]) -> list[UserInput]:
        now_ms = clock.now_ms()
        return [EventReceived(f"u{one}", name, now_ms, now_ms, _PROPERTIES) for one in users]

    now_ms = clock.now_ms()
    everybody = range(USERS)
    await shell.submit([UserIdentified(f"u{one}", now_ms, now_ms, _TRAITS) for one in everybody])
    for first in range(0, USERS, AT_ONCE):  # what is made once is there by now
        await shell.submit(events("Ping", everybody[first : first + AT_ONCE]))
    settle_collector()
    before = rss_bytes()
    for place in range(rows // AT_ONCE):
        first = place * AT_ONCE % USERS
        await shell.submit(events("Ping", everybody[first : first + AT_ONCE]))
    gc.collect()
    grown = rss_bytes() - before
    waiting = await store.count("outbox")
    await shell.submit(events("Order Completed", [0]))
    for _ in range(50):
        await store.count("outbox")  # until it has been rendered and stored
    stuck.opened.set()
    await stuck.second.wait()
    following = stuck.taken[1]
    await dispatcher.stop(0)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    await store.close()
    return Weight(grown, waiting - USERS, following)


class Backlog:
    """Bytes stand where other scenarios have microseconds."""

    name = "backlog"
    title = "bytes by which a process grows while 100,000 messages wait; over 50 MiB"
    n = 100_000
    n_small = 5_000
    limit = 1.0
    repetitions = 1

    def prepare(self, n: int) -> int:
        """Nothing but their number."""
        return n

    def reference(self, load: int) -> Run:
        """What is promised."""
        return Run(PROMISED_BYTES / 1e6, (load, "order"))

    def ours(self, load: int) -> Run:
        """Weigh in a fresh process."""
        command = [sys.executable, "-m", "bench.backlog", str(load)]
        said = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
        weight = msgspec.json.decode(said, type=Weight)
        return Run(max(weight.grown, 1) / 1e6, (weight.rows, weight.next))


SCENARIOS = (Backlog(),)

if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory() as place:
        found = asyncio.run(weigh(int(sys.argv[1]), Path(place)))
        sys.stdout.buffer.write(msgspec.json.encode(found))
