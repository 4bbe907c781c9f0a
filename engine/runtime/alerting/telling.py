"""Notices handed to whom they are for: a log, an address of email, a webhook.

Each target has a queue and a task of its own. What it does not take is tried again, later and
later, for a day; that it did not is logged each time, and with an error once it is given up.
"""

from __future__ import annotations

import asyncio
from collections import deque
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, Protocol

import msgspec
import structlog
from yarl import URL

from channels.backoff import retry_delay_ms
from channels.base import Accepted, ChannelError, Message, Outcome, Retry
from channels.posting import Answer, Poster, judge
from channels.registry import build_channels
from channels.signing import signature, signing_key
from engine.core.instants import format_instant
from engine.errors import ServeError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from channels.base import Channel
    from config import Settings
    from config.alerts import AlertTarget
    from engine.runtime.alerting.book import Notice
    from engine.runtime.metrics import Metrics

GIVE_UP_MS: Final = 24 * 3_600_000
"""For how long a notice is tried."""

QUEUE_MAX: Final = 100
"""Notices that wait for one target; the oldest are given up for newer ones."""

TIMEOUT_MS: Final = 10_000

_log = structlog.get_logger("hairspring.alerts")


class Teller(Protocol):
    """How a target is told."""

    async def tell(self, notice: Notice) -> Outcome:
        """Hand one over."""
        ...

    async def aclose(self) -> None:
        """Let go of connections."""
        ...


class Courier:
    """One target, and what it is still to be told.

    Attributes:
        name: For logs and metrics: its kind and place in `alerts.to`; an address may be a secret.
        key: Tells it from others over restarts.
        waiting: Notices, in order.
    """

    def __init__(
        self,
        name: str,
        target: AlertTarget,
        teller: Teller,
        *,
        wall_ms: Callable[[], int],
        jitter: Callable[[], float],
        metrics: Metrics,
        on_told: Callable[[], Awaitable[None]],
    ) -> None:
        self.name = name
        self.key = blake2b(target.to.encode(), digest_size=8).hexdigest()
        self.waiting: deque[Notice] = deque()
        self._teller = teller
        self._wall_ms = wall_ms
        self._jitter = jitter
        self._count = metrics.alerts.labels
        self._on_told = on_told
        self._news = asyncio.Event()

    def put(self, notice: Notice) -> None:
        """Have it told. O(1)."""
        if len(self.waiting) >= QUEUE_MAX:
            self._lose(self.waiting.popleft(), "too many wait")
        self.waiting.append(notice)
        self._news.set()

    async def run(self) -> None:
        """Tell one after another, for ever."""
        attempt = 0
        while True:
            while not self.waiting:
                self._news.clear()
                await self._news.wait()
            notice = self.waiting[0]
            attempt += 1
            why = await self._attempt(notice)
            if why is None or self._wall_ms() - notice.at_ms >= GIVE_UP_MS:
                attempt = 0
                if self.waiting and self.waiting[0] is notice:
                    self.waiting.popleft()
                if why is not None:
                    self._lose(notice, why.reason)
                await self._on_told()
                continue
            wait_ms = retry_delay_ms(attempt, after_ms=why.after_ms, jitter=self._jitter())
            self._count(self.name, "retry").inc()
            said = {"target": self.name, "alert": notice.cause.key, "reason": why.reason}
            _log.warning("alert.waits", **said, pause_ms=wait_ms)
            await asyncio.sleep(wait_ms / 1000)

    async def aclose(self) -> None:
        """Tell no more."""
        await self._teller.aclose()

    async def _attempt(self, notice: Notice) -> Retry | None:
        """None where it is told."""
        try:
            outcome = await self._teller.tell(notice)
        except Exception as error:  # noqa: BLE001 - as the channels' supervisor: nobody else is hurt
            _log.exception("alert.broke", target=self.name)
            return Retry(f"it broke: {error!r}")
        if isinstance(outcome, Accepted):
            self._count(self.name, "told").inc()
            return None
        # A wrong address or key is mended by a person.
        return outcome if isinstance(outcome, Retry) else Retry(outcome.reason)

    def _lose(self, notice: Notice, reason: str) -> None:
        self._count(self.name, "lost").inc()
        _log.error("alert.lost", target=self.name, alert=notice.cause.key, reason=reason)


class _Log:
    async def tell(self, notice: Notice) -> Outcome:
        cause = notice.cause
        say = _log.error if notice.what == "raised" else _log.info
        said = {"alert": cause.key, "text": cause.text, "hint": cause.hint}
        say(f"alert.{notice.what}", **said, id=notice.id)
        return Accepted()

    async def aclose(self) -> None:
        pass


class _Webhook:
    def __init__(self, target: AlertTarget, shop: str, wall_ms: Callable[[], int]) -> None:
        self._url = URL(target.to)
        self._shop = shop
        self._wall_ms = wall_ms
        self._key = signing_key(target.secret) if target.secret else None
        self._poster = Poster(connections=1, timeout_ms=TIMEOUT_MS, ca_file=target.ca_file)

    async def tell(self, notice: Notice) -> Outcome:
        body = webhook_body(notice, self._shop)
        headers = {"Content-Type": "application/json", "Idempotency-Key": notice.id}
        if self._key is not None:
            timestamp = self._wall_ms() // 1000
            headers["webhook-id"] = notice.id
            headers["webhook-timestamp"] = str(timestamp)
            headers["webhook-signature"] = signature(self._key, notice.id, timestamp, body)
        answer = await self._poster.post(self._url, body, headers, is_trusted=True)
        if not isinstance(answer, Answer):
            return answer
        return judge(answer.status, answer.headers, answer.name)

    async def aclose(self) -> None:
        await self._poster.aclose()


class _Mail:
    def __init__(self, target: AlertTarget, channel: Channel, shop: str) -> None:
        self._to = target.to
        self._channel = channel
        self._shop = shop

    async def tell(self, notice: Notice) -> Outcome:
        message = Message(
            id=notice.id,
            at_ms=notice.at_ms,
            user_id="",
            campaign="",
            step="",
            channel="email",
            to=self._to,
            front={"subject": f"[{self._shop}] {headline(notice)}"},
            body=letter(notice, self._shop),
            purpose="transactional",
        )
        return await self._channel.deliver(message)

    async def aclose(self) -> None:
        await self._channel.aclose()


def make_teller(
    target: AlertTarget, settings: Settings, data: Path, wall_ms: Callable[[], int]
) -> Teller:
    """How a target is told. Raises ServeError: its `ca_file`, or the email channel, is no good."""
    shop = settings.shop.name
    match target.kind:
        case "log":
            return _Log()
        case "webhook":
            try:
                return _Webhook(target, shop, wall_ms)
            except OSError as error:
                told = f"the ca_file of alerts.to cannot be used: {error}"
                hint = "a PEM file with the authorities to trust"
                raise ServeError(told, hint=hint, code="serve.alerts") from error
        case "email":
            # A connection of its own: what users are sent neither waits for it nor holds it up.
            chosen = msgspec.structs.replace(settings.channels["email"], concurrency=1, rate=0.0)
            try:
                built = build_channels({"email": chosen}, data=data, now_ms=wall_ms)
            except ChannelError as error:
                raise ServeError(error.message, hint=error.hint, code="serve.alerts") from error
            return _Mail(target, built["email"], shop)


def headline(notice: Notice) -> str:
    """What it is in a line."""
    return notice.cause.text if notice.what == "raised" else f"Over: {notice.cause.text}"


def letter(notice: Notice, shop: str) -> str:
    """What a mail says."""
    cause = notice.cause
    lines = [headline(notice), ""]
    if notice.what == "raised":
        lines += [f"What to do: {cause.hint}", ""]
    lines += [f"Shop: {shop}", f"Alert: {cause.key}", f"Since: {format_instant(notice.since_ms)}"]
    if notice.what == "recovered":
        lines.append(f"Over at: {format_instant(notice.at_ms)}")
    return "\n".join(lines) + "\n"


def webhook_body(notice: Notice, shop: str) -> bytes:
    """What a webhook is posted; `text` is what chats show of it."""
    cause = notice.cause
    data = {
        "id": notice.id.partition("-")[0],
        "alert": cause.key,
        "kind": cause.kind,
        "about": cause.about,
        "text": cause.text,
        "hint": cause.hint,
        "since": format_instant(notice.since_ms),
        "shop": shop,
    }
    return msgspec.json.encode(
        {
            "type": f"alert.{notice.what}",
            "timestamp": format_instant(notice.at_ms),
            "text": f"[{shop}] {headline(notice)}",
            "data": data,
        }
    )
