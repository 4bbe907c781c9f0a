"""The transport `http`: a webhook's body, byte for byte, by POST.

Retried requests have the same key, in `Idempotency-Key`, and the same body. Where there is a
secret, the signature by the Standard Webhooks specification covers the key, the instant of the
attempt (a receiver refuses what is minutes old) and the body.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

import aiohttp
from typing_extensions import override
from yarl import URL

from channels.base import CLOSED, Accepted, Channel, Message, Outcome, Rejected, Retry
from channels.signing import signature, signing_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from channels.settings import WebhookSettings

_ANSWER_BYTES_MAX: Final = 64 * 1024
_TRY_AGAIN: Final = frozenset({408, 425, 429})
_SUCCESSES: Final = range(200, 300)
_REDIRECTS: Final = range(300, 400)
_SERVER_FAULTS: Final = range(500, 600)


class WebhookChannel(Channel):
    """Posts bodies to the address in the settings, or to the one that the template names.

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
        self._tls = ssl.create_default_context(cafile=settings.ca_file or None)
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._session: aiohttp.ClientSession | None = None
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
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _post(self, url: URL, message: Message) -> Outcome:
        name = f"{url.host}:{url.port}"  # the rest of an address may be a secret of its own
        body = message.body.encode()
        try:
            async with self._opened().post(
                url, data=body, headers=self._headers(message, body), allow_redirects=False
            ) as answer:
                outcome = judge(answer.status, answer.headers, name)
                # Or the connection is not kept. What was answered stands, however the rest ends.
                with suppress(TimeoutError, aiohttp.ClientError, OSError, ValueError):
                    await answer.content.read(_ANSWER_BYTES_MAX)
        except TimeoutError:
            return Retry(f"{name} did not answer within {self._settings.timeout_ms / 1000:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as fault:
            return Retry(f"{name} {_why_unreachable(fault)}")
        return outcome

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._settings.concurrency, ssl=self._tls),
                timeout=aiohttp.ClientTimeout(total=self._settings.timeout_ms / 1000),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                headers={"User-Agent": "Hairspring"},
            )
        return self._session

    def _headers(self, message: Message, body: bytes) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Idempotency-Key": message.key}
        if self._key is not None:
            timestamp = (message.at_ms if self._now_ms is None else self._now_ms()) // 1000
            headers["webhook-id"] = message.key
            headers["webhook-timestamp"] = str(timestamp)
            headers["webhook-signature"] = signature(self._key, message.key, timestamp, body)
        return headers


def judge(status: int, headers: Mapping[str, str], name: str) -> Outcome:
    """What an answer means (RFC 9110, 15): what may pass is tried again, the rest is refused."""
    if status in _SUCCESSES:
        return Accepted(str(status))
    if status in _TRY_AGAIN or status in _SERVER_FAULTS:
        return Retry(f"{name} answered {status}", retry_after_ms(headers))
    if status in _REDIRECTS:
        return Rejected(f"{name} answered {status}: redirects are not followed; set the new url")
    return Rejected(f"{name} answered {status}")


def retry_after_ms(headers: Mapping[str, str]) -> int | None:
    """The wait that `Retry-After` asks for (RFC 9110, 10.2.3), or None.

    A date is measured against the answer's own `Date`, so that nobody's clock matters but theirs.
    """
    asked = headers.get("Retry-After", "").strip()
    if asked.isascii() and asked.isdecimal():
        return int(asked[:10]) * 1000
    try:
        wait = parsedate_to_datetime(asked) - parsedate_to_datetime(headers.get("Date", ""))
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0, round(wait.total_seconds() * 1000))


def address_fault(address: str) -> str | None:
    """Why a text is no address to post to, or None where it is one."""
    try:
        url = URL(address)
        if url.scheme not in {"http", "https"} or not url.host:
            return "an address begins with https:// or http:// and names a host"
        url.host.encode("idna")  # as a look-up of the name will
    except ValueError as fault:
        return f"not an address: {fault}"
    return None


def _why_unreachable(fault: Exception) -> str:
    """Why, without aiohttp's own words: they tell the whole address."""
    cause = fault.os_error if isinstance(fault, aiohttp.ClientConnectorError) else fault
    match cause:
        case ssl.SSLCertVerificationError() as bad:
            why = f"has a certificate that cannot be trusted: {bad.verify_message}"
        case ssl.SSLError() as bad:
            why = f"cannot speak TLS here ({bad.reason})"
        case ConnectionRefusedError():
            why = "refused the connection"
        case socket.gaierror():
            why = "has a name that cannot be resolved"
        case aiohttp.ServerDisconnectedError() | ConnectionError():
            why = "dropped the connection"
        case aiohttp.ClientResponseError():
            why = "answered with what is no HTTP"
        case other:
            why = f"cannot be reached: {getattr(other, 'strerror', None) or type(other).__name__}"
    return why
