"""Takes committed messages to their channels, and reports how it ended.

A message is rendered once; its bytes are stored before the first attempt, so that a retry, or a
restart, sends the same again under the same id. Each channel has lanes and a line of its own: a
slow provider holds up nobody else (`line`). Before every attempt the user's state is asked whether
the message may still go. The outbox on disk may grow without bound; what is held in memory is
bounded, and the rest is read from the outbox as there is room (`lane`).
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Literal

import structlog

from engine.core.holding import HELD
from engine.runtime.again import until_committed
from engine.runtime.delivery.attempts import KEPT_OF_OPEN, Attempts, is_wide, whose
from engine.runtime.delivery.composing import Unmade
from engine.runtime.delivery.lane import Delivery, Lane
from engine.runtime.delivery.line import Line
from engine.runtime.delivery.overdue import Overdue
from engine.runtime.delivery.reporting import ended, taken_back
from engine.runtime.delivery.tried import Tried
from engine.runtime.looks import Looks

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping

    from channels.base import Channel, Message
    from engine.core.effects import CancelMessage
    from engine.core.inputs import Bounce
    from engine.runtime.catalog.stock import Named
    from engine.runtime.delivery.composing import Composer
    from engine.runtime.delivery.line import Provider
    from engine.runtime.delivery.reporting import Report
    from engine.runtime.metrics import Metrics
    from engine.runtime.processor import Processor, Released
    from engine.store import Store

RENDERED_AT_ONCE = 64
"""Messages rendered before their bytes are stored in one transaction."""

CONCURRENCY = 8
"""Attempts under way at once to one provider, unless its channel's settings say otherwise."""

AGAIN_EVERY_MS = 10_000
"""Attempts that are far off are looked at together, so often, where their room is wanted."""

_log = structlog.get_logger("hairspring.delivery")


class Dispatcher:
    """Delivers what the processor released.

    Args:
        store: Where the outbox is.
        channels: By channel id.
        composer: Makes what goes over the wire.
        processor: Says whether a message may go, and when to ask again for one that is `HELD`.
        report: Takes the outcome as inputs, whole.
        now_ms: Logical now.
        jitter: Draws from [0, 1).
        on_delivered: Told of each message that its channel took.
        concurrency: Attempts at once to one provider, by channel id.
        rates: Attempts a second, real time, by channel id; 0: no limit.
        rate: Logical milliseconds a real one; waits between attempts are logical.

    Attributes:
        composer: As it was given.
    """

    def __init__(
        self,
        *,
        store: Store,
        channels: Mapping[str, Channel],
        composer: Composer,
        processor: Processor,
        report: Report,
        now_ms: Callable[[], int],
        jitter: Callable[[], float],
        metrics: Metrics,
        on_delivered: Callable[[Message], None] | None = None,
        concurrency: Mapping[str, int] | None = None,
        rates: Mapping[str, float] | None = None,
        rate: float = 1.0,
    ) -> None:
        self.composer = composer
        self._store = store
        self._channels = channels
        self._processor = processor
        self._looks = Looks(self._look_again, now_ms=now_ms, rate=rate)
        self._probes = Looks(self._wake_lines, now_ms=now_ms, rate=rate)
        self._report = report
        self._now_ms = now_ms
        self._metrics = metrics
        self._on_delivered = on_delivered
        self._rate = rate
        concurrency, rates = concurrency or {}, rates or {}
        self._lanes = {
            channel_id: (Lane(channel_id, urgent=True), Lane(channel_id)) for channel_id in channels
        }
        self._lines = {
            channel_id: Line(
                channel_id,
                concurrency=concurrency.get(channel_id, CONCURRENCY),
                rate=rates.get(channel_id, 0.0),
                now_ms=now_ms,
            )
            for channel_id in channels
        }
        self._tried = Tried(store, self._lines)
        self._attempts = [self._attempts_of(*channel, jitter) for channel in channels.items()]
        self._overdue = Overdue(
            store=store,
            processor=processor,
            lanes=self._lanes,
            lines=self._lines,
            conclude=self.conclude,
            report=report,
            now_ms=now_ms,
            rate=rate,
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._more = asyncio.Event()
        self.broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Ends with the error of a task that nothing here can mend."""

    def _attempts_of(
        self, channel_id: str, channel: Channel, jitter: Callable[[], float]
    ) -> Attempts:
        return Attempts(
            channel_id,
            channel,
            self._lines[channel_id],
            self,
            now_ms=self._now_ms,
            jitter=jitter,
            metrics=self._metrics,
            tried=self._tried,
        )

    def __len__(self) -> int:
        """Messages held in memory."""
        return sum(len(lane.held) for lane in self._each_lane())

    def _each_lane(self) -> Iterator[Lane]:
        """Of every channel, the transactional one first."""
        for lanes in self._lanes.values():
            yield from lanes

    def release(self, released: Released) -> None:
        """Take what a finished batch let out."""
        lanes = self._lanes
        for closed in released.closed:
            for lane in self._each_lane():
                lane.close(closed.id)
        for number, message in released.messages:
            lanes[message.channel][not message.urgent].offer(number, message)
        for revived in released.revived:
            lanes[revived.channel][not revived.urgent].reopen()
        for cancelled in released.cancelled:
            self._take_back(cancelled)
        if released.is_changed:
            self._look_again()
        self._overdue.released()
        self._more.set()

    def _take_back(self, cancelled: CancelMessage) -> None:
        """Conclude a message that is not being handed over; what is on disk alone, too."""
        found = [lane.held.get(cancelled.id) for lane in self._each_lane()]
        held = next((one for one in found if one is not None), None)
        if held is None:
            self._report(taken_back(cancelled))
        elif not held.in_flight and not held.done:
            self.conclude(held, "cancelled", cancelled.reason)

    def _look_again(self) -> None:
        """What was set aside may go now."""
        for lane in self._each_lane():
            lane.look_again()
        self._more.set()

    def _wake_lines(self) -> None:
        """A pause of a provider may be over: it is probed with what is ready, or on disk."""
        for channel_id, line in self._lines.items():
            line.wake()
            if is_wide(channel_id) and any(not any(one.ready) for one in line.failing()):
                for lane in self._lanes[channel_id]:
                    lane.look_again()
                self._more.set()

    def start(self) -> None:
        """Begin: first with what the outbox holds from earlier runs, all of it due at once."""
        for attempts in self._attempts:
            self.spawn(attempts.make_all())
        self.spawn(self._tried.run())
        self.spawn(self._prepare_all())
        self.spawn(self._overdue.run())
        self._more.set()

    async def stop(self, within_s: float) -> None:
        """Begin no further attempt; let those under way end, for `within_s` at most."""
        for attempts in self._attempts:
            attempts.is_stopping = True
        under_way = [line.until_idle() for line in self._lines.values()]
        try:
            await asyncio.wait_for(asyncio.gather(*under_way), within_s)
        except TimeoutError:
            cut = sum(line.under_way for line in self._lines.values())
            _log.warning("deliveries.cut", under_way=cut)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._tried.stop()
        for channel in self._channels.values():
            await channel.aclose()

    def spawn(self, work: Coroutine[object, object, None]) -> None:
        """Have something done beside all else, until the end."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not self.broken.done():
            self.broken.set_exception(error)

    # From the outbox to the lanes

    async def _prepare_all(self) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            while await self._prepare_each():
                pass
            # Concluded deliveries make room, and then there may be more on disk.

    async def _prepare_each(self) -> bool:
        """Some of each lane; whether there was anything to do."""
        busy = False
        for lane in self._each_lane():
            if not lane.unrendered and lane.wants_more():
                await lane.refill(self._store)
                busy = True  # what was read may all be held, and there be more behind it
            if lane.unrendered:
                busy = True
                await self._prepare_some(lane)
        return busy

    async def _prepare_some(self, lane: Lane) -> None:
        ready: list[Delivery] = []
        fresh: list[tuple[bytes, str]] = []
        unmade: list[Delivery] = []
        while lane.unrendered and len(ready) + len(unmade) < RENDERED_AT_ONCE:
            delivery = lane.unrendered.popleft()
            if not delivery.done and self.may_go(delivery):
                (ready if delivery.wire is not None else unmade).append(delivery)
        wanted = [delivery.message for delivery in unmade]
        named = await self.composer.names_for(wanted)
        for delivery in unmade:
            if delivery.done or (delivery.message.id in named and not self.may_go(delivery)):
                continue  # it was taken back meanwhile
            delivery.wire = await self._compose(delivery, named)
            if delivery.wire is None:
                continue
            delivery.snapshot = b""
            wire = delivery.wire.to_bytes()
            lane.weigh(delivery, len(wire))
            fresh.append((wire, delivery.message.id))
            await asyncio.sleep(0)  # a rendering takes a good part of a slice
            ready.append(delivery)
        if fresh:
            await until_committed(partial(self._store.keep_rendered, fresh))
        for delivery in ready:
            self.queue(delivery)

    async def _compose(self, delivery: Delivery, named: Named) -> Message | None:
        """The message, rendered; None where that cannot be: then its delivery is over."""
        message = delivery.message
        try:
            names = named.get(message.id, {})
            made = await self.composer.compose(message, delivery.snapshot, names)
        except Unmade as why:
            told = {**whose(delivery), "template": message.template, "outcome": "unmade"}
            _log.warning("delivery", reason=str(why), **told)
            if not delivery.done:
                self.conclude(delivery, why.outcome, str(why))
            return None
        else:
            return None if delivery.done else made  # it was taken back meanwhile

    # Attempts, as `attempts.Desk` has it

    def queue(self, delivery: Delivery) -> None:
        """Have a rendered message attempted, at once or when its time is there.

        Where the lane wants its room, one that has long to wait is left to the outbox.
        """
        if delivery.done:
            return
        lane, channel_id = delivery.lane, delivery.message.channel
        wait_ms = delivery.again_at_ms - self._now_ms()
        if wait_ms > 0:
            if lane.is_crowded() and wait_ms > AGAIN_EVERY_MS:
                lane.set_aside(delivery)
                self._looks.at(-(-delivery.again_at_ms // AGAIN_EVERY_MS) * AGAIN_EVERY_MS)
                return
            loop = asyncio.get_running_loop()
            loop.call_later(wait_ms / 1000 / self._rate, self.queue, delivery)
            return
        line = self._lines[channel_id]
        if is_wide(channel_id) and lane.is_crowded():
            provider = line.provider_for(delivery)
            if provider.breaker.is_open and any(map(len, provider.ready)):
                lane.set_aside(delivery)
                return
        line.put(delivery)

    def opened(self, channel_id: str, provider: Provider) -> None:
        """Have a provider probed when its pause is over, and make room for the others' messages."""
        self._metrics.breakers.labels(channel_id).set(len(self._lines[channel_id].failing()))
        self._probes.at(provider.breaker.until_ms)
        self._overdue.watch()
        if is_wide(channel_id):
            for delivery in self._lines[channel_id].drop(provider, KEPT_OF_OPEN):
                delivery.lane.set_aside(delivery)
            self._more.set()

    def closed(self, channel_id: str) -> None:
        """What waited for a provider may go."""
        self._metrics.breakers.labels(channel_id).set(len(self._lines[channel_id].failing()))
        for lane in self._lanes[channel_id]:
            lane.look_again()
        self._more.set()

    def may_go(self, delivery: Delivery) -> bool:
        """Whether it may be handed over now; where not, it is ended, or put by."""
        now_ms = self._now_ms()  # one instant for both questions: quiet hours may end between
        wire, message = delivery.wire, delivery.message
        address = self._processor.address_of(message) if wire is None else wire.to
        reason = self._processor.verdict(message, now_ms, address)
        if reason == "":
            return True
        if reason is None:
            delivery.done = True
            delivery.lane.close(delivery.message.id)
        elif reason == HELD:
            delivery.lane.set_aside(delivery)
            again_at_ms = self._processor.held_until_ms(message, now_ms)
            if again_at_ms:
                self._looks.at(again_at_ms)
        else:
            bad_address = address if reason == "suppressed" else ""
            self.conclude(delivery, "cancelled", reason, bad_address=bad_address)
        return False

    def conclude(
        self,
        delivery: Delivery,
        outcome: Literal["delivered", "failed", "cancelled"],
        reason: str = "",
        bounce: Bounce | Literal[""] = "",
        gone: tuple[str, ...] = (),
        bad_address: str = "",
    ) -> None:
        """A delivery is over: report it; `bounce`: and that the message has come back.

        `bad_address` is known to be no good, and was not tried.
        """
        if outcome == "delivered" and self._on_delivered is not None:
            assert delivery.wire is not None
            self._on_delivered(delivery.wire)
        told = ended(delivery, outcome, reason, bounce, gone, bad_address, now_ms=self._now_ms())
        delivery.done = True
        delivery.wire = None
        delivery.snapshot = b""
        self._report(told)
