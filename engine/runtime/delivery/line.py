"""What of one channel is ready for an attempt, by the provider that would take it; who is next.

Most channels have one provider. Webhooks and web pushes go to as many as there are addresses'
hosts: each has its own share of attempts under way and its own breaker, so that one that hangs
takes no other's. Transactional messages go before the rest, which still gets every ninth turn.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from channels.base import SPREAD, WIDE, provider_of
from engine.runtime.delivery.breaker import Breaker
from engine.runtime.delivery.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.runtime.delivery.lane import Delivery

URGENT_IN_A_ROW_MAX: Final = 8
"""Transactional messages that go before one of the others does, where both wait."""

PROVIDERS_MAX: Final = 1_000
"""Providers of one channel that are remembered: addresses may be anybody's."""


class Provider:
    """One end that messages of a channel go to.

    Attributes:
        name: As `provider_of` gives it.
        breaker: Whether it is worth an attempt.
        under_way: Attempts under way.
        ready: Deliveries that wait for one: transactional ones, and the others.
    """

    __slots__ = ("breaker", "name", "ready", "under_way")

    def __init__(self, name: str) -> None:
        self.name = name
        self.breaker = Breaker()
        self.under_way = 0
        self.ready: tuple[deque[Delivery], deque[Delivery]] = (deque(), deque())

    def is_idle(self) -> bool:
        """Whether nothing is known of it that anybody would miss."""
        return not (self.under_way or any(self.ready) or self.breaker.failing_since_ms)


class Line:
    """The deliveries of one channel that are ready.

    Args:
        channel_id: The channel's.
        concurrency: Attempts under way at once to one provider.
        rate: Attempts a second, over all providers; 0: no limit.
        now_ms: Logical now.

    Attributes:
        under_way: Attempts under way, over all providers.
    """

    def __init__(
        self, channel_id: str, *, concurrency: int, rate: float, now_ms: Callable[[], int]
    ) -> None:
        self.under_way = 0
        self._channel_id = channel_id
        self._each_max = concurrency
        self._all_max = concurrency * (SPREAD if channel_id in WIDE else 1)
        self._pace = Pace(rate)
        self._now_ms = now_ms
        self._providers: dict[str, Provider] = {}
        self._changed = asyncio.Event()
        self._idle = asyncio.Event()
        self._in_a_row = 0

    def provider_for(self, delivery: Delivery) -> Provider:
        """The provider that a rendered message goes to."""
        assert delivery.wire is not None
        name = provider_of(delivery.wire)
        provider = self._providers.get(name)
        if provider is None:
            if len(self._providers) >= PROVIDERS_MAX:
                self._forget_some()
            provider = self._providers[name] = Provider(name)
        return provider

    def known(self, name: str) -> Provider | None:
        """The provider of that name, if it has anything to do or was failing."""
        return self._providers.get(name)

    def was_failing(self, name: str, since_ms: int) -> None:
        """A provider was down as an earlier run ended, since then: it is until it answers."""
        provider = self._providers.setdefault(name, Provider(name))
        provider.breaker.failing_since_ms = since_ms

    def failing(self) -> list[Provider]:
        """Providers whose breaker is not closed. O(providers)."""
        return [one for one in self._providers.values() if one.breaker.is_open]

    def put(self, delivery: Delivery) -> None:
        """A message is ready for its next attempt. O(1)."""
        if delivery.done:
            return
        self.provider_for(delivery).ready[not delivery.message.urgent].append(delivery)
        self._changed.set()

    def wake(self) -> None:
        """Look again: a pause may be over."""
        self._changed.set()

    async def next(self) -> tuple[Provider, Delivery]:
        """The next delivery, once there is one that may go; an attempt at it is now under way.

        Whoever calls says how it ended (`ended`).
        """
        loop = asyncio.get_running_loop()
        while True:
            found = self._choose()
            if found is None:
                self._changed.clear()
                await self._changed.wait()
                continue
            wait_s = self._pace.wait_s(loop.time())
            if wait_s:
                await asyncio.sleep(wait_s)
                continue  # whoever is first by then
            provider, urgent = found
            return provider, self._take(provider, urgent=urgent)

    def spend(self) -> None:
        """The attempt is made: it counts for the rate."""
        self._pace.spend(asyncio.get_running_loop().time())

    def ended(self, provider: Provider) -> None:
        """An attempt is not under way any more."""
        self.under_way -= 1
        provider.under_way -= 1
        if provider.is_idle():
            self._providers.pop(provider.name, None)
        if not self.under_way:
            self._idle.set()
        self._changed.set()

    async def until_idle(self) -> None:
        """Return once no attempt is under way."""
        while self.under_way:
            self._idle.clear()
            await self._idle.wait()

    def drop(self, provider: Provider, keep: int) -> Iterator[Delivery]:
        """Let go of a provider's deliveries, but for the first `keep`, and tell each."""
        for ready in provider.ready:
            while len(ready) > keep:
                yield ready.pop()

    def _forget_some(self) -> None:
        """Let go of those that nothing waits for, be they failing. O(providers)."""
        for provider in [*self._providers.values()]:
            if not (provider.under_way or any(provider.ready)):
                del self._providers[provider.name]

    def _choose(self) -> tuple[Provider, bool] | None:
        """Whose turn it is, and of which kind of message; None where nothing may go."""
        if self.under_way >= self._all_max:
            return None
        now_ms = self._now_ms()
        found: list[Provider | None] = [None, None]
        for provider in self._providers.values():
            if provider.under_way >= self._each_max or not provider.breaker.admits(now_ms):
                continue
            for kind, ready in enumerate(provider.ready):
                while ready and ready[0].done:
                    ready.popleft()
                if ready and found[kind] is None:
                    found[kind] = provider
            if found[0] is not None and found[1] is not None:
                break
        urgent, other = found
        if urgent is not None and (other is None or self._in_a_row < URGENT_IN_A_ROW_MAX):
            return urgent, True
        return None if other is None else (other, False)

    def _take(self, provider: Provider, *, urgent: bool) -> Delivery:
        self._in_a_row = self._in_a_row + 1 if urgent else 0
        if len(self._providers) > 1:  # the others first, the next time
            self._providers[provider.name] = self._providers.pop(provider.name)
        provider.breaker.begin()
        provider.under_way += 1
        self.under_way += 1
        return provider.ready[not urgent].popleft()
