"""Attempts to hand messages of one channel over, and what is made of how each ended.

Outcomes are the channel's (`channels.base`). One that may pass is tried again, later and later, for
as long as the message is worth it; what it tells of the provider goes to that one's breaker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, Protocol, assert_never

import structlog

from channels.backoff import retry_delay_ms
from channels.base import WIDE, Accepted, Rejected, Retry
from engine.failpoints import come_to
from engine.runtime.clock import monotonic_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from channels.base import Channel, Outcome
    from engine.core.effects import SendMessage
    from engine.core.inputs import Bounce
    from engine.runtime.delivery.lane import Delivery
    from engine.runtime.delivery.line import Line, Provider
    from engine.runtime.delivery.tried import Tried
    from engine.runtime.metrics import Metrics

GIVE_UP_MS: Final = 24 * 3_600_000
"""For how long a message without a fallback is tried."""

GIVE_UP_FOR_FALLBACK_MS: Final = 15 * 60_000
"""For how long a message is tried while another channel could stand in."""

KEPT_OF_OPEN: Final = 16
"""Deliveries of each kind that stay in memory of a provider whose breaker is open, where their
room is wanted for others."""

_log = structlog.get_logger("hairspring.delivery")


class Desk(Protocol):
    """What attempts ask of whoever has the deliveries."""

    def may_go(self, delivery: Delivery) -> bool:
        """Whether it may be handed over now; where not, it is dealt with."""
        ...

    def conclude(
        self,
        delivery: Delivery,
        outcome: Literal["delivered", "failed", "cancelled"],
        reason: str = "",
        bounce: Bounce | Literal[""] = "",
        gone: tuple[str, ...] = (),
    ) -> None:
        """Its delivery is over; `bounce`: and the message has come back."""
        ...

    def queue(self, delivery: Delivery) -> None:
        """Have it attempted again once `again_at_ms` is there."""
        ...

    def opened(self, channel_id: str, provider: Provider) -> None:
        """A provider's breaker has opened, or stays so for longer."""
        ...

    def closed(self, channel_id: str) -> None:
        """A provider's breaker has closed."""
        ...

    def spawn(self, work: Coroutine[object, object, None]) -> None:
        """Have an attempt made beside all else."""
        ...


class Attempts:
    """Those of one channel.

    Attributes:
        is_stopping: No further attempt begins.
    """

    def __init__(
        self,
        channel_id: str,
        channel: Channel,
        line: Line,
        desk: Desk,
        *,
        now_ms: Callable[[], int],
        jitter: Callable[[], float],
        metrics: Metrics,
        tried: Tried,
    ) -> None:
        self.is_stopping = False
        self._tried = tried
        self._channel_id = channel_id
        self._channel = channel
        self._line = line
        self._desk = desk
        self._now_ms = now_ms
        self._jitter = jitter
        self._metrics = metrics

    async def make_all(self) -> None:
        """Begin one attempt after another, as the line lets them; for ever."""
        line, desk = self._line, self._desk
        await self._tried.is_known.wait()
        while True:
            provider, delivery = await line.next()
            if self.is_stopping or delivery.done or not desk.may_go(delivery):
                provider.breaker.let_go()
                line.ended(provider)
                continue
            line.spend()
            delivery.in_flight = True
            desk.spawn(self._make(provider, delivery))

    async def _make(self, provider: Provider, delivery: Delivery) -> None:
        try:
            # Asked anew: until a task begins its user may be erased, the machine stand still.
            if not delivery.done and self._desk.may_go(delivery):
                await self._attempt(provider, delivery)
        finally:
            delivery.in_flight = False
            provider.breaker.let_go()
            self._line.ended(provider)

    async def _attempt(self, provider: Provider, delivery: Delivery) -> None:
        assert delivery.wire is not None
        started_ns = monotonic_ns()
        delivery.attempts += 1
        if delivery.attempts == 1:
            delivery.first_tried_at_ms = self._now_ms()
        outcome: Outcome
        try:
            come_to("before-hand-over")
            outcome = await self._channel.deliver(delivery.wire)
            come_to("after-hand-over")
        except Exception as error:  # noqa: BLE001 - this is the channels' supervisor
            outcome = Retry(f"the {self._channel_id} channel broke: {error!r}")
            _log.error("channel.broke", channel=self._channel_id, exc_info=True)
        took_s = (monotonic_ns() - started_ns) / 1e9
        self._tell(delivery, outcome, took_s)
        self._hear(provider, outcome)
        match outcome:
            case Accepted():
                self._desk.conclude(delivery, "delivered", gone=outcome.gone)
            case Rejected():
                bounce = _bounce_of(outcome)
                self._desk.conclude(delivery, "failed", outcome.reason, bounce, outcome.gone)
            case Retry():
                self._again(provider, delivery, outcome)
            case _:
                assert_never(outcome)

    def _tell(self, delivery: Delivery, outcome: Outcome, took_s: float) -> None:
        said = type(outcome).__name__.lower()
        self._metrics.deliveries.labels(self._channel_id, said).inc()
        self._metrics.delivery_seconds.labels(self._channel_id).observe(took_s)
        _log.info(
            "delivery",
            **whose(delivery),
            outcome=said,
            reason=getattr(outcome, "reason", ""),
            took_ms=round(took_s * 1000, 1),
        )

    def _hear(self, provider: Provider, outcome: Outcome) -> None:
        """What an outcome tells of the provider."""
        breaker, told = provider.breaker, {"channel": self._channel_id, "provider": provider.name}
        if not isinstance(outcome, Retry) or not outcome.of_provider:
            self._tried.answers(self._channel_id, provider.name)
            if breaker.answered():
                _log.info("breaker.closed", **told)
                self._desk.closed(self._channel_id)
            return
        now_ms = self._now_ms()
        after_ms, jitter = outcome.after_ms, self._jitter()
        if breaker.failed(outcome.reason, now_ms, after_ms=after_ms, jitter=jitter):
            pause_ms = breaker.until_ms - now_ms
            _log.warning("breaker.opened", **told, reason=outcome.reason, pause_ms=pause_ms)
            self._tried.fails(self._channel_id, provider.name, breaker.failing_since_ms)
            self._desk.opened(self._channel_id, provider)

    def _again(self, provider: Provider, delivery: Delivery, outcome: Retry) -> None:
        if not self._desk.may_go(delivery):
            return  # taken back while the attempt was under way: nobody waits for the next one
        now_ms = self._now_ms()
        if is_over(delivery.message, delivery.first_tried_at_ms, provider, now_ms):
            self._desk.conclude(
                delivery, "failed", f"gave up: {outcome.reason}", _bounce_of(outcome)
            )
            return
        delivery.again_at_ms = now_ms + retry_delay_ms(
            delivery.attempts, after_ms=outcome.after_ms, jitter=self._jitter()
        )
        self._tried.put_off(delivery)
        self._desk.queue(delivery)


def _bounce_of(outcome: Rejected | Retry) -> Bounce | Literal[""]:
    """How a message came back whose last attempt ended so; "" where it did not."""
    if isinstance(outcome, Rejected) and outcome.address_invalid:
        return "hard"
    return "soft" if outcome.is_bounce else ""


def is_over(message: SendMessage, first_tried_at_ms: int, provider: Provider, now_ms: int) -> bool:
    """Whether a message has been tried, or has waited for a provider that fails, for long enough.

    `first_tried_at_ms` is 0 where it was not tried.
    """
    failing_ms = provider.breaker.failing_since_ms
    waited = [max(message.at_ms, failing_ms)] if failing_ms else []
    since_ms = min(waited + ([first_tried_at_ms] if first_tried_at_ms else []), default=now_ms)
    return now_ms - since_ms >= (GIVE_UP_FOR_FALLBACK_MS if message.more else GIVE_UP_MS)


def is_wide(channel_id: str) -> bool:
    """Whether a channel has many providers, so that one of them may not fill its lanes."""
    return channel_id in WIDE


def whose(delivery: Delivery) -> dict[str, str | int]:
    """What a line of the log says of a delivery; 0 attempts: there was nothing to hand over."""
    message = delivery.message
    return {
        "id": message.id,
        "campaign": message.campaign,
        "channel": message.channel,
        "attempt": delivery.attempts,
    }
