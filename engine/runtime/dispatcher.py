"""Takes committed messages to their channels, and reports how it ended.

A message is rendered once; its bytes are stored before the first attempt, so that a retry, or a
restart, sends the same again under the same id. Each channel is a lane of its own with workers of
its own: a slow provider holds up nobody else. Before every attempt the user's state is asked
whether the message may still go. The outbox on disk may grow without bound; what is held in memory
is bounded, and the rest is read from the outbox as there is room.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal, assert_never

import msgspec
import structlog

from channels.backoff import retry_delay_ms
from channels.base import Accepted, Message, Rejected, Retry, address_of
from channels.rendering import RenderFailed
from engine.core.holding import HELD
from engine.core.inputs import DeliveryReported
from engine.failpoints import come_to
from engine.runtime.clock import monotonic_ns
from engine.runtime.lane import Delivery, Lane
from engine.runtime.looks import Looks
from engine.store import CommitFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from channels.base import Channel, Outcome
    from channels.rendering import Template
    from engine.core.effects import CancelMessage
    from engine.runtime.metrics import Metrics
    from engine.runtime.processor import Processor, Released
    from engine.store import Store

RENDERED_AT_ONCE = 64
"""Messages rendered before their bytes are stored in one transaction."""

CONCURRENCY = 8
"""Attempts under way at once on one channel, unless its settings say otherwise."""

GIVE_UP_MS = 24 * 3_600_000
"""For how long a message without a fallback is tried."""

GIVE_UP_FOR_FALLBACK_MS = 15 * 60_000
"""For how long a message is tried while another channel could stand in."""

STORE_AGAIN_S = 0.25

_log = structlog.get_logger("hairspring.delivery")
_decode_snapshot = msgspec.json.Decoder(dict).decode


class Dispatcher:
    """Delivers what the processor released.

    Args:
        store: Where the outbox is.
        channels: By channel id.
        templates: By (name, channel).
        front: What a message's front matter has where its template is silent, by channel id.
        processor: Says whether a message may go, and when to ask again for one that is `HELD`.
        report: Takes the outcome as an input.
        now_ms: Logical now.
        jitter: Draws from [0, 1).
        on_delivered: Told of each message that its channel took.
        concurrency: Attempts at once, by channel id.
        rate: Logical milliseconds a real one; waits between attempts are logical.
    """

    def __init__(
        self,
        *,
        store: Store,
        channels: Mapping[str, Channel],
        templates: Mapping[tuple[str, str], Template],
        front: Mapping[str, Mapping[str, str]],
        processor: Processor,
        report: Callable[[DeliveryReported], None],
        now_ms: Callable[[], int],
        jitter: Callable[[], float],
        metrics: Metrics,
        on_delivered: Callable[[Message], None] | None = None,
        concurrency: Mapping[str, int] | None = None,
        rate: float = 1.0,
    ) -> None:
        self.templates = templates
        self._front = front
        self._store = store
        self._channels = channels
        self._processor = processor
        self._looks = Looks(self._look_again, now_ms=now_ms, rate=rate)
        self._report = report
        self._now_ms = now_ms
        self._jitter = jitter
        self._metrics = metrics
        self._on_delivered = on_delivered
        self._concurrency = concurrency or {}
        self._rate = rate
        self._lanes = {channel_id: Lane(channel_id) for channel_id in channels}
        self._tasks: set[asyncio.Task[None]] = set()
        self._more = asyncio.Event()
        self._attempts_under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopping = False
        self.broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Ends with the error of a task that nothing here can mend."""

    def __len__(self) -> int:
        """Messages held in memory."""
        return sum(len(lane.held) for lane in self._lanes.values())

    def release(self, released: Released) -> None:
        """Take what a finished batch let out."""
        lanes = self._lanes
        for closed in released.closed:
            for lane in lanes.values():
                lane.close(closed.id)
        for number, message in released.messages:
            lanes[message.channel].offer(number, message)
        for cancelled in released.cancelled:
            self._take_back(cancelled)
        if released.is_changed:
            self._look_again()
        self._more.set()

    def _take_back(self, cancelled: CancelMessage) -> None:
        """Conclude a message that is not being handed over; what is on disk alone, too."""
        found = [lane.held.get(cancelled.id) for lane in self._lanes.values()]
        held = next((one for one in found if one is not None), None)
        if held is None:
            report = DeliveryReported(
                cancelled.user_id, cancelled.id, "cancelled", cancelled.reason
            )
            self._report(report)
        elif not held.in_flight and not held.done:
            self._conclude(held, "cancelled", cancelled.reason)

    def _look_again(self) -> None:
        """What was set aside may go now."""
        for lane in self._lanes.values():
            lane.look_again()
        self._more.set()

    def start(self) -> None:
        """Begin: first with what the outbox holds from earlier runs, all of it due at once."""
        for channel_id in self._channels:
            for _ in range(self._concurrency.get(channel_id, CONCURRENCY)):
                self._spawn(self._deliver_all(channel_id))
        self._spawn(self._prepare_all())
        self._more.set()

    async def stop(self, within_s: float) -> None:
        """Begin no further attempt; let those under way end, for `within_s` at most."""
        self._stopping = True
        try:
            await asyncio.wait_for(self._idle.wait(), within_s)
        except TimeoutError:
            _log.warning("deliveries.cut", under_way=self._attempts_under_way)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for channel in self._channels.values():
            await channel.aclose()

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
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
        for lane in self._lanes.values():
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
        while lane.unrendered and len(ready) < RENDERED_AT_ONCE:
            delivery = lane.unrendered.popleft()
            if delivery.done or not self._may_go(delivery):
                continue
            if delivery.wire is None:
                delivery.wire = self._render(delivery)
                if delivery.wire is None:
                    continue
                fresh.append((delivery.wire.to_bytes(), delivery.message.id))
                await asyncio.sleep(0)  # a rendering takes a good part of a slice
            ready.append(delivery)
        if fresh:
            await self._keep(fresh)
        for delivery in ready:
            lane.ready.put_nowait(delivery)

    async def _keep(self, fresh: list[tuple[bytes, str]]) -> None:
        while True:
            try:
                await self._store.keep_rendered(fresh)
            except CommitFailed as error:
                if not error.again:
                    raise
                await asyncio.sleep(STORE_AGAIN_S)
            else:
                return

    def _render(self, delivery: Delivery) -> Message | None:
        message = delivery.message
        template = self.templates.get((message.template, message.channel))
        if template is None:
            reason = f"template: there is no {message.template}.{message.channel}.liquid"
            self._give_up(delivery, reason)
            return None
        context = _decode_snapshot(delivery.snapshot)
        to = address_of(message.channel, context["user"])
        if to is None:
            self._give_up(delivery, f"no {message.channel} address that can be used")
            return None
        try:
            rendered = template.render(context, now_at_ms=message.at_ms)
        except RenderFailed as error:
            self._give_up(delivery, f"template: {error}")
            return None
        except Exception as error:  # noqa: BLE001 - one message must not end all others
            self._give_up(delivery, f"template: rendering broke: {error!r}")
            _log.error("rendering.broke", template=message.template, exc_info=True)
            return None
        if rendered.undefined:
            self._metrics.undefined.labels(message.template).inc(rendered.undefined)
        return Message(
            id=message.id,
            at_ms=message.at_ms,
            user_id=message.user_id,
            campaign=message.campaign,
            step=message.step,
            channel=message.channel,
            to=to,
            body=rendered.body,
            front={**self._front.get(message.channel, {}), **rendered.front},
            html=rendered.html,
            purpose=context.get("campaign", {}).get("purpose", "marketing"),
            expires_at_ms=message.expires_at_ms,
        )

    def _give_up(self, delivery: Delivery, reason: str) -> None:
        """What cannot be made has no attempt that would tell of it."""
        template = delivery.message.template
        _log.warning(
            "delivery", **_whose(delivery), template=template, outcome="unmade", reason=reason
        )
        self._conclude(delivery, "failed", reason)

    # Attempts

    async def _deliver_all(self, channel_id: str) -> None:
        lane = self._lanes[channel_id]
        channel = self._channels[channel_id]
        while True:
            delivery = await lane.ready.get()
            if self._stopping or delivery.done or not self._may_go(delivery):
                continue
            delivery.in_flight = True
            self._attempts_under_way += 1
            self._idle.clear()
            try:
                await self._attempt(channel, delivery)
            finally:
                delivery.in_flight = False
                self._attempts_under_way -= 1
                if not self._attempts_under_way:
                    self._idle.set()

    async def _attempt(self, channel: Channel, delivery: Delivery) -> None:
        assert delivery.wire is not None
        message = delivery.message
        started_ns = monotonic_ns()
        delivery.attempts += 1
        if delivery.attempts == 1:
            delivery.first_tried_at_ms = self._now_ms()
        outcome: Outcome
        try:
            come_to("before-hand-over")
            outcome = await channel.deliver(delivery.wire)
            come_to("after-hand-over")
        except Exception as error:  # noqa: BLE001 - this is the channels' supervisor
            outcome = Retry(f"the {message.channel} channel broke: {error!r}")
            _log.error("channel.broke", channel=message.channel, exc_info=True)
        took_s = (monotonic_ns() - started_ns) / 1e9
        said = type(outcome).__name__.lower()
        self._metrics.deliveries.labels(message.channel, said).inc()
        self._metrics.delivery_seconds.labels(message.channel).observe(took_s)
        _log.info(
            "delivery",
            **_whose(delivery),
            outcome=said,
            reason=getattr(outcome, "reason", ""),
            took_ms=round(took_s * 1000, 1),
        )
        match outcome:
            case Accepted():
                if self._on_delivered is not None:
                    self._on_delivered(delivery.wire)
                self._conclude(delivery, "delivered", gone=outcome.gone)
            case Rejected():
                bad = delivery.wire.to if outcome.address_invalid else ""
                self._conclude(delivery, "failed", outcome.reason, bad, outcome.gone)
            case Retry():
                self._again(delivery, outcome)
            case _:
                assert_never(outcome)

    def _again(self, delivery: Delivery, outcome: Retry) -> None:
        if not self._may_go(delivery):
            return  # taken back while the attempt was under way: nobody waits for the next one
        tried_ms = self._now_ms() - delivery.first_tried_at_ms
        limit_ms = GIVE_UP_FOR_FALLBACK_MS if delivery.message.more else GIVE_UP_MS
        if tried_ms >= limit_ms:
            self._conclude(delivery, "failed", f"gave up: {outcome.reason}")
            return
        delay_ms = retry_delay_ms(
            delivery.attempts, after_ms=outcome.after_ms, jitter=self._jitter()
        )
        lane = self._lanes[delivery.message.channel]
        asyncio.get_running_loop().call_later(
            delay_ms / 1000 / self._rate, lane.ready.put_nowait, delivery
        )

    def _may_go(self, delivery: Delivery) -> bool:
        now_ms = self._now_ms()  # one instant for both questions: quiet hours may end between
        reason = self._processor.verdict(delivery.message, now_ms)
        if reason == "":
            return True
        if reason is None:
            delivery.done = True
            self._lanes[delivery.message.channel].held.pop(delivery.message.id, None)
        elif reason == HELD:
            self._lanes[delivery.message.channel].set_aside(delivery)
            again_at_ms = self._processor.held_until_ms(delivery.message, now_ms)
            if again_at_ms:
                self._looks.at(again_at_ms)
        else:
            self._conclude(delivery, "cancelled", reason)
        return False

    def _conclude(
        self,
        delivery: Delivery,
        outcome: Literal["delivered", "failed", "cancelled"],
        reason: str = "",
        bad_address: str = "",
        gone: tuple[str, ...] = (),
    ) -> None:
        delivery.done = True
        delivery.wire = None
        delivery.snapshot = b""
        message = delivery.message
        # The journal holds UTF-8; what a channel or a library says may hold anything.
        reason = reason.encode(errors="replace").decode()
        self._report(
            DeliveryReported(message.user_id, message.id, outcome, reason, bad_address, gone)
        )


def _whose(delivery: Delivery) -> dict[str, str | int]:
    """What a line of the log says of a delivery; 0 attempts: there was nothing to hand over."""
    message = delivery.message
    return {
        "id": message.id,
        "campaign": message.campaign,
        "channel": message.channel,
        "attempt": delivery.attempts,
    }
