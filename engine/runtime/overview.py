"""What a running process tells of its campaigns whenever somebody asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.runtime.census import Census
from engine.runtime.performance import Performance
from engine.runtime.tallying import Tallying

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from config.settings import Settings
    from engine.runtime.clock import Clock
    from engine.runtime.processor import Processor
    from engine.store import Store


class Overview:
    """The tallies and the census of one process.

    Args:
        store: Open.
        processor: Recovered; it has released nothing yet.
        now_ms: Logical now.
        costs: By channel, what one message costs.
        currency: Of costs and values.

    Attributes:
        tallying: To be opened before anything is released, and told of what is.
    """

    def __init__(
        self,
        store: Store,
        processor: Processor,
        now_ms: Callable[[], int],
        *,
        costs: Mapping[str, float],
        currency: str,
    ) -> None:
        self.tallying = Tallying(store, processor)
        self._processor = processor
        self._census = Census(processor)
        self._now_ms = now_ms
        self._costs = costs
        self._currency = currency

    @classmethod
    def of(cls, settings: Settings, store: Store, processor: Processor, clock: Clock) -> Overview:
        """For a shop's process."""
        channels = settings.channels.items()
        costs = {channel: chosen.cost for channel, chosen in channels if chosen.cost}
        overview = cls(store, processor, clock.now_ms, costs=costs, currency=settings.shop.currency)
        late, rate = overview.tallying.late, clock.rate
        processor.on_made = lambda effects, start, now_ms: late(effects, start, now_ms, rate)
        return overview

    async def open(self) -> None:
        """Go on from what was counted, and keep it from here on. Raises StoreError."""
        await self.tallying.open()
        self.tallying.start()

    async def performance(self) -> Performance:
        """How campaigns do now. O(users) in slices, where nobody asked a moment ago."""
        standings = await self._census.take()
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
