"""The transport `http`: a webhook's body, byte for byte, by POST.

Retried requests have the same key, in `Idempotency-Key`, and the same body. Where there is a
secret, the signature by the Standard Webhooks specification covers the key, the instant of the
attempt (a receiver refuses what is minutes old) and the body.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from typing_extensions import override
from yarl import URL

from channels.base import CLOSED, SPREAD, Channel, Message, Outcome, Rejected
from channels.posting import Answer, Poster, address_fault, judge
from channels.signing import signature, signing_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from channels.settings import WebhookSettings


class WebhookChannel(Channel):
    """Posts bodies to the address in the settings, or to the one that the template names.

    What a template, and so a trait or an event, names has to be a public address (`guard`), unless
    the settings have it among those that are trusted.

    Args:
        settings: A `ca_file` is read here.
        now_ms: The wall clock, for signatures. Without it they bear the message's own instant.

    Raises:
        OSError: The `ca_file` cannot be read, or holds no certificate.
    """

    def __init__(self, settings: WebhookSettings, now_ms: Callable[[], int] | None = None) -> None:
        self._now_ms = now_ms
        self._settings = settings
        self._key = signing_key(settings.secret) if settings.secret else None
        # As many at one time as the dispatcher has under way where there are many hosts.
        connections = settings.concurrency * SPREAD
        self._poster = Poster(
            connections=connections,
            timeout_ms=settings.timeout_ms,
            ca_file=settings.ca_file,
        )
        self._slots = asyncio.Semaphore(connections)
        self._closed = False

    @override
    async def deliver(self, message: Message) -> Outcome:
        address = message.front.get("url") or self._settings.url
        if not address:
            return Rejected("the webhook has no url; set channels.webhook.url, or url in the front")
        if fault := address_fault(address):
            return Rejected(f"the webhook's url cannot be used: {fault}")
        async with self._slots:
            return CLOSED if self._closed else await self._post(URL(address), message)

    @override
    async def aclose(self) -> None:
        self._closed = True
        await self._poster.aclose()

    async def _post(self, url: URL, message: Message) -> Outcome:
        body = message.body.encode()
        headers = self._headers(message, body)
        is_trusted = self._is_trusted(url, message)
        answer = await self._poster.post(url, body, headers, is_trusted=is_trusted)
        if not isinstance(answer, Answer):
            return answer
        return judge(answer.status, answer.headers, answer.name)

    def _is_trusted(self, url: URL, message: Message) -> bool:
        """Whether the shop itself wrote the address into its settings."""
        if message.meant_for:
            return True  # redirected, by the settings (`redirecting`)
        address = message.front.get("url") or self._settings.url
        return address == self._settings.url or url.host in self._settings.trusted

    def _headers(self, message: Message, body: bytes) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Idempotency-Key": message.key}
        if self._key is not None:
            timestamp = (message.at_ms if self._now_ms is None else self._now_ms()) // 1000
            headers["webhook-id"] = message.key
            headers["webhook-timestamp"] = str(timestamp)
            headers["webhook-signature"] = signature(self._key, message.key, timestamp, body)
        return headers
