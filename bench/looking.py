"""The dashboard at 100,000 users and a million records: its pages, and what is due meanwhile.

Each page is asked for over HTTP, signed in, one after the other, a few times each: the first time
nothing is counted yet. Beside them others' deadlines are due each 5 ms. One scenario stands for the
slowest page, its answer at the median, and is held against 50 ms; the other for lateness at the
p99, held against that of the same process with nobody looking, and 5 ms more.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

import aiohttp
import msgspec
import structlog

from bench.harness import Run, quantile
from bench.instants import NS_PER_MS
from bench.meanwhile import Core, during
from bench.shop import WAITING
from config import Shop, load_shop
from engine.core.inputs import EventReceived, UserIdentified
from engine.runtime.admin.overview import Overview
from engine.runtime.clock import Clock
from engine.runtime.erasing import Erasing
from engine.runtime.memory import release_collector, settle_collector
from engine.runtime.metrics import Metrics
from engine.runtime.processor import Processor
from engine.runtime.shell import Shell
from engine.server import AdminDoor, House, Operating, listen, make_admin_app, way_in
from engine.store import Store

TIMES = 5
CHUNK = 500
PAGE_NS = 50 * NS_PER_MS
UNSEEN_S = 2.0
LATE_NS = 5 * NS_PER_MS

_LONG = """
campaign: long
enter: {event: Begin}
steps: [{wait: 30d, id: rest}, {exit: done, id: out}]
"""
_BRANCHES = 8
_MANY = """
campaign: many
enter: {event: Begin}
goal: {event: Buy}
steps:
""" + "".join(
    f"  - {{if: 'user.city == \"Lima\"', id: if-{n}, then: [{{exit: lima, id: out-{n}}}]}}\n"
    for n in range(_BRANCHES)
)
"""Of each user it leaves ten records: at 100,000 users there are a million, and more."""

_SEGMENTS = 'buyers: \'count("Begin", "7d") > 0\'\nparisians: \'user.city == "Paris"\'\n'

PAGES = (
    "/", "/campaigns", "/campaigns/long", "/campaigns/many", "/experiments", "/users",
    "/users?q=user-7", "/users?q=nobody", "/users?q=city=Lyon", "/users/user-7", "/segments",
    "/deadlines", "/deliveries", "/funnel", "/discover", "/templates", "/catalog",
)  # fmt: skip


_encode = msgspec.json.Encoder().encode


class Load(msgspec.Struct, frozen=True):
    """How many users, and the shop."""

    n: int
    shop: Shop


class Seen(msgspec.Struct):
    """What was measured: by page its answers, and how late deadlines were."""

    pages: dict[str, list[int]]
    late_ns: list[int]
    statuses: set[int]


class _Looking:
    n = 100_000
    n_small = 500
    limit = 1.0
    repetitions = 3

    def prepare(self, n: int) -> Load:
        """A shop with three campaigns and two segments."""
        files = {
            "campaigns/waiting.yaml": WAITING,
            "campaigns/long.yaml": _LONG,
            "campaigns/many.yaml": _MANY,
            "segments.yaml": _SEGMENTS,
        }
        return Load(n, load_shop(files))

    def _see(self, load: Load, pages: tuple[str, ...] = PAGES) -> Seen:
        with tempfile.TemporaryDirectory() as name:
            return asyncio.run(_look(load, Path(name), pages))


class PageTime(_Looking):
    """Stands for the slowest page's answer, at the median of its answers."""

    name = "dashboard-page"
    title = "the dashboard's slowest page at 1 million records, median of its answers; over 50 ms"

    def reference(self, load: Load) -> Run:
        """What is promised."""
        return Run(PAGE_NS / 1e9, (load.n, {200}), [PAGE_NS])

    def ours(self, load: Load) -> Run:
        """Over HTTP, signed in."""
        seen = self._see(load)
        slowest = max(quantile(sorted(times), 0.5) for times in seen.pages.values())
        laps = [one for times in seen.pages.values() for one in times]
        return Run(slowest / 1e9, (load.n, seen.statuses), laps)


class PageLateness(_Looking):
    """Stands for the p99 of lateness of what is due while pages are asked for."""

    name = "dashboard-lateness"
    title = (
        "deadlines while the dashboard is looked at, p99 of lateness; over nobody's looking + 5 ms"
    )

    def reference(self, load: Load) -> Run:
        """The same with nobody looking, and 5 ms more."""
        seen = self._see(load, ())
        late_s = (quantile(sorted(seen.late_ns), 0.99) + LATE_NS) / 1e9
        return Run(late_s, (load.n, {200}), seen.late_ns)

    def ours(self, load: Load) -> Run:
        """Shell, ticker, wheel, core, journal, and the pages on the same loop."""
        seen = self._see(load)
        late_s = quantile(sorted(seen.late_ns), 0.99) / 1e9
        return Run(late_s, (load.n, seen.statuses), seen.late_ns)


async def _look(load: Load, folder: Path, pages: tuple[str, ...]) -> Seen:
    store = await Store.open(folder / "looked.db", sync="normal")
    clock, metrics = Clock(), Metrics()
    processor = Processor(load.shop.plan, now_ms=clock.now_ms())
    shell = Shell(processor, store, clock, metrics.released)
    working = asyncio.create_task(shell.run())
    overview = Overview.of(load.shop.settings, store, processor, clock, metrics)
    await overview.open()
    for start in range(0, load.n, CHUNK):
        await shell.submit(_people(range(start, min(start + CHUNK, load.n)), clock))
    erasing = Erasing(store=store, shell=shell, processor=processor, now_ms=clock.now_ms,
                      channels={}, outbox=folder)  # fmt: skip
    house = House(store, shell, processor, clock, erasing, None, overview=overview)
    log = structlog.wrap_logger(None, wrapper_class=structlog.make_filtering_bound_logger(50))
    door = AdminDoor(key="a-key-of-the-bench", host="", why_not_ready=str, metrics=metrics,
                     log=log, instance="bench",
                     operating=Operating(keys=(), house=lambda: house))  # fmt: skip
    site = await listen(make_admin_app(door), "127.0.0.1", 0, log=log)
    settle_collector()
    seen = Seen({page: [] for page in pages}, [], set())

    async def look() -> None:
        if pages:
            await _turn_pages(site.url, way_in(site.url, door), seen)
        else:
            await asyncio.sleep(UNSEEN_S)
            seen.statuses.add(200)

    seen.late_ns, _ = await during(Core(store, clock, processor, shell), look)
    release_collector()
    await site.aclose()
    await overview.stop()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    await store.close()
    return seen


async def _turn_pages(url: str, entrance: str, seen: Seen) -> None:
    jar = aiohttp.CookieJar(unsafe=True)  # of an address
    async with aiohttp.ClientSession(cookie_jar=jar) as client:
        async with client.get(entrance) as answer:
            await answer.read()
        for _ in range(TIMES):
            for page in seen.pages:
                started_ns = time.perf_counter_ns()
                async with client.get(url + page) as answer:
                    await answer.read()
                seen.pages[page].append(time.perf_counter_ns() - started_ns)
                seen.statuses.add(answer.status)


def _people(numbers: range, clock: Clock) -> list[EventReceived | UserIdentified]:
    now_ms = clock.now_ms()
    told: list[EventReceived | UserIdentified] = []
    for number in numbers:
        user_id = f"user-{number}"
        city = ("Paris", "Lyon", "Lille")[number % 3]
        traits = {"email": f"{user_id}@example.com", "city": city}
        told.append(
            UserIdentified(user_id, now_ms, now_ms, traits=msgspec.Raw(msgspec.json.encode(traits)))
        )
        told.append(EventReceived(user_id, "Begin", now_ms, now_ms))
    return told


SCENARIOS = (PageTime(), PageLateness())
