"""Looks every few seconds for what goes wrong, keeps what was told, and has it told.

What is to be told is kept before it is: after a crash it is told again under the same id, and after
a restart nothing is that was. Where nothing can be kept (a full disk is a cause itself) it is told
all the same.
"""

from __future__ import annotations

import asyncio
import random  # noqa: TID251 - spreads retries; nothing is decided by it
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from engine.core.reports.tallies import Tallies, Tally
from engine.errors import StoreError
from engine.runtime.alerting.book import Book, Notice
from engine.runtime.alerting.causes import OF_CAMPAIGNS, Rules, Seen, Silence, disk_free
from engine.runtime.alerting.experiments import decided_in
from engine.runtime.alerting.hours import Hours
from engine.runtime.alerting.telling import Courier, make_teller
from engine.runtime.catalog.stock import Stock
from engine.runtime.clock import wall_ms
from engine.runtime.metrics import Metrics
from engine.runtime.processor import Processor
from engine.runtime.shell import Shell
from engine.store import CommitFailed, Store, alerting

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable
    from contextlib import AsyncExitStack
    from typing import Self

    from config import Settings
    from engine.runtime.alerting.book import Cause

LOOK_EVERY_S: Final = 5.0

CAMPAIGNS_EVERY: Final = 12
"""Looks between two at the campaigns, which are counted by the hour."""

HOURS_SAVED_EVERY_MS: Final = 300_000
BETWEEN_READS_S: Final = 0.02
"""What commits have the database for, between two pieces of records that are counted."""

NAME: Final = "book"

_log = structlog.get_logger("hairspring.alerts")


class _Kept(msgspec.Struct):
    """What is kept over restarts: `waiting` has what each target is still to be told."""

    book: Book
    waiting: dict[str, list[Notice]] = {}


class Watched(msgspec.Struct, frozen=True, eq=False):
    """The parts at work; `now_ms` is the logical clock, which records are dated by."""

    store: Store
    shell: Shell
    processor: Processor
    stock: Stock
    tallies: Tallies
    metrics: Metrics
    data: Path
    now_ms: Callable[[], int]


class AlertWatch:
    """All alerts of a shop. Raises ServeError as `make_teller` does."""

    def __init__(
        self, settings: Settings, watched: Watched, *, real_ms: Callable[[], int] = wall_ms
    ) -> None:
        self._chosen = settings.alerts
        self._coupons_low = settings.coupons.low
        self._watched = watched
        self._real_ms = real_ms
        self._hours = Hours(watched.store)
        self._rules = Rules(settings.alerts, watched.metrics, self._hours, real_ms())
        self._book = Book()
        self._of_campaigns: list[Cause] = []
        self._looks = 0
        self._counting = asyncio.Lock()
        self._is_counted = self._is_judged = False
        self._hours_saved_at_ms = real_ms()
        self._unsaved = False
        self._couriers = [
            Courier(
                f"{target.kind} {place}",
                target,
                make_teller(target, settings, watched.data, real_ms),
                wall_ms=real_ms,
                jitter=random.Random().random,  # noqa: S311 - as above
                metrics=watched.metrics,
                on_told=self._keep,
            )
            for place, target in enumerate(settings.alerts.to, start=1)
        ]
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> Self:
        """Take up what was kept. Raises StoreError."""
        await self._hours.open()
        raw = await self._watched.store.read(partial(alerting.kept, name=NAME))
        kept = _Kept(Book()) if raw is None else msgspec.json.decode(raw, type=_Kept)
        self._book = kept.book
        for courier in self._couriers:
            for notice in kept.waiting.get(courier.key, ()):
                courier.put(notice)
        open_ones = self._book.open
        self._watched.metrics.watch("alerts_open", "Alerts that are open.", lambda: len(open_ones))
        return self

    def start(self, every_s: float = LOOK_EVERY_S) -> None:
        """Begin to tell, and to look every so often."""
        work = [courier.run() for courier in self._couriers]
        work += [self._run(self.look, every_s), self._run(self.count, every_s)]
        self._tasks = [asyncio.create_task(one) for one in work]

    async def aclose(self) -> None:
        """Look and tell no more; what was not told is after the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for courier in self._couriers:
            await courier.aclose()
        await self._hours.save(self._watched.now_ms())

    async def _run(self, work: Callable[[], Awaitable[None]], every_s: float) -> None:
        while True:
            try:
                await work()
            except StoreError as error:
                _log.warning("alerts.unread", why=error.message)
            except Exception:  # noqa: BLE001 - whoever watches ends nobody's work
                _log.exception("alerts.broke", hint="it goes on; please report this")
            await asyncio.sleep(every_s)

    async def look(self) -> None:
        """Look once, and have told what is new. Raises StoreError."""
        real_ms = self._real_ms()
        seen = await self._see()
        causes = list(self._rules.now(seen, real_ms))
        if self._is_counted and (not self._is_judged or self._looks % CAMPAIGNS_EVERY == 0):
            await self._judge(seen)
        self._looks += 1
        notices = self._book.look(
            [*causes, *self._of_campaigns],
            real_ms,
            again_ms=self._chosen.again_ms,
            per_hour=self._chosen.per_hour,
            unsure=[*self._rules.unsure(real_ms), *(() if self._is_judged else OF_CAMPAIGNS)],
        )
        for notice in notices:
            for courier in self._couriers:
                courier.put(notice)
        if notices or self._unsaved:
            await self._keep()

    async def _see(self) -> Seen:
        watched = self._watched
        campaigns = watched.processor.plan.campaigns
        return Seen(
            journal=watched.shell.failure,
            disk_free_bytes=await asyncio.to_thread(disk_free, watched.data),
            coupons=watched.stock.left,
            coupons_low=self._coupons_low,
            campaigns=[one.id for one in campaigns.values() if one.status == "live"],
        )

    async def count(self) -> None:
        """Count what was recorded since, in pieces. O(new records). Raises StoreError."""
        if self._watched.shell.failure:
            return  # the database is busy failing
        async with self._counting:
            while await self._hours.read_on():  # noqa: ASYNC110 - commits have their turn
                await asyncio.sleep(BETWEEN_READS_S)
        self._is_counted = True
        real_ms = self._real_ms()
        if real_ms - self._hours_saved_at_ms >= HOURS_SAVED_EVERY_MS:
            self._hours_saved_at_ms = real_ms
            await self._hours.save(self._watched.now_ms())

    async def _judge(self, seen: Seen) -> None:
        """Whether campaigns go on as they should. O(campaigns)."""
        found: list[Cause] = []
        for campaign in seen.campaigns:
            now_ms = self._watched.now_ms()
            found += self._rules.of_campaign(campaign, now_ms, self._silence(campaign, now_ms))
            if self._chosen.experiments:
                found += self._decided(campaign)
            await asyncio.sleep(0)
        self._of_campaigns, self._is_judged = found, True

    def _silence(self, campaign_id: str, now_ms: int) -> Silence | None:
        key = f"silent:{campaign_id}"
        cause, since_ms = self._book.known(key), self._book.since_ms(key)
        if cause is None or since_ms is None:
            return None
        return Silence(cause, now_ms - (self._real_ms() - since_ms))

    def _decided(self, campaign_id: str) -> Iterable[Cause]:
        campaign = self._watched.processor.plan.campaigns.get(campaign_id)
        if campaign is None:
            return ()  # another plan came meanwhile
        tallies = self._watched.tallies
        tallies.fold()
        tally = tallies.campaigns.get(campaign_id) or Tally()
        return decided_in(campaign, tally.total(), self._book.known)

    async def _keep(self) -> None:
        """Keep what is told and what is still to be; or try again at the next look."""
        waiting = {courier.key: list(courier.waiting) for courier in self._couriers}
        raw = msgspec.json.encode(_Kept(self._book, waiting))
        try:
            await self._watched.store.transact(partial(alerting.keep, name=NAME, value=raw))
        except CommitFailed as error:
            self._unsaved = True
            _log.warning("alerts.unsaved", why=error.message)
        else:
            self._unsaved = False


async def open_alerts(settings: Settings, watched: Watched, opened: AsyncExitStack) -> None:
    """Watch, and have it ended with `opened`; nothing where nobody is to be told.

    Raises ServeError, StoreError.
    """
    if not settings.alerts.to:
        return
    watch = await AlertWatch(settings, watched).open()
    opened.push_async_callback(watch.aclose)
    watch.start()
