"""What a running process tells of itself and its campaigns whenever somebody asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import HairspringError
from engine.runtime.admin.census import Census
from engine.runtime.admin.gauges import watch_disk
from engine.runtime.admin.outlook import Outlook
from engine.runtime.admin.past import read_shop
from engine.runtime.admin.performance import Performance
from engine.runtime.admin.pulse import Pulse
from engine.runtime.admin.studies import Studies
from engine.runtime.admin.tallying import Tallying
from engine.runtime.admin.trend import Trend
from engine.runtime.restart import bring_back
from engine.store import past

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from config.settings import Settings
    from engine.runtime.clock import Clock
    from engine.runtime.metrics import Metrics
    from engine.runtime.processor import Processor
    from engine.store import Store


class Overview:
    """All that is counted of one process for whoever looks at it.

    Args:
        store: Open.
        processor: Recovered; it has released nothing yet.
        now_ms: Logical now.
        costs: By channel, what one message costs.
        currency: Of costs and values.
        settings: Of the shop, as the process was started by them.
        pulse: Looks at it once a second.
        outlook: Of its users.

    Attributes:
        tallying: To be opened before anything is released, and told of what is.
        trend: How large segments were, day by day.
        shop: Its name.
        studies: Of its past, that pages ask for.
    """

    def __init__(
        self,
        store: Store,
        processor: Processor,
        now_ms: Callable[[], int],
        *,
        costs: Mapping[str, float],
        currency: str,
        settings: Settings,
        pulse: Pulse,
        outlook: Outlook,
    ) -> None:
        self.settings = settings
        self.shop = settings.shop.name
        self.pulse = pulse
        self.outlook = outlook
        self.tallying = Tallying(store, processor)
        self.trend = Trend(store, processor, outlook)
        self.studies = Studies()
        self._processor = processor
        self._census = Census(processor)
        self._now_ms = now_ms
        self._costs = costs
        self._currency = currency

    @classmethod
    def of(
        cls, settings: Settings, store: Store, processor: Processor, clock: Clock, metrics: Metrics
    ) -> Overview:
        """For a shop's process."""
        overview = cls(
            store,
            processor,
            clock.now_ms,
            costs=_costs(settings),
            currency=settings.shop.currency,
            settings=settings,
            pulse=Pulse(metrics, processor),
            outlook=Outlook(processor, clock),
        )
        metrics.watch_tallies(overview.tallying.tallies)
        watch_disk(metrics, store, overview.pulse)
        late, rate = overview.tallying.late, clock.rate
        processor.on_made = lambda effects, start, now_ms: late(effects, start, now_ms, rate)
        return overview

    async def open(self) -> None:
        """Go on from what was counted, and keep it from here on. Raises StoreError."""
        await self.tallying.open()
        self.tallying.start()
        self.trend.start()

    async def stop(self) -> None:
        """Look at nothing more, and save what was counted."""
        self.pulse.stop()
        await self.studies.stop()
        await self.trend.stop()
        await self.outlook.stop()
        await self.tallying.stop()

    async def performance(self, within_s: float | None = None) -> Performance:
        """How campaigns do now. O(users) in slices, where nobody asked a moment ago.

        Where counting who is inside takes longer than `within_s`, it is told as it was before.
        """
        standings = await self._census.take(within_s)
        tallies = self.tallying.tallies
        tallies.fold()
        return Performance(
            self._processor.plan,
            tallies,
            standings,
            now_ms=self._now_ms(),
            costs=self._costs,
            currency=self._currency,
            behind=self.tallying.behind,
        )


async def resting(store: Store) -> Performance:
    """How campaigns did, of a database that no process serves from, as of its newest stamp.

    O(users + the journal's tail + records that are not counted). Raises StoreError, PlanUnreadable,
    and HairspringError where nothing ever ran.
    """
    newest = await store.read(past.newest_plan)
    if newest is None:
        raise HairspringError(
            "nothing has run on this data folder yet",
            hint="name the one that `serve` was given with --data (its default: SHOP/data)",
            code="report.nothing",
        )
    shop = read_shop(*newest)
    processor, _ = bring_back(shop, await store.recover(0))
    tallying = Tallying(store, processor)
    await tallying.open()
    await tallying.catch_up()
    tallying.tallies.fold()
    return Performance(
        processor.plan,
        tallying.tallies,
        await Census(processor).take(),
        now_ms=await store.read(past.last_stamp),
        costs=_costs(shop.settings),
        currency=shop.settings.shop.currency,
    )


def _costs(settings: Settings) -> dict[str, float]:
    return {channel: chosen.cost for channel, chosen in settings.channels.items() if chosen.cost}
