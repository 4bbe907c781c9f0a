"""A request by POST and what its answer means, as every channel over HTTP needs them.

Redirections are not followed, cookies are not kept, and no outcome tells more of an address than
host and port: the rest may be a secret.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp
import msgspec
from yarl import URL

from channels.base import Accepted, Outcome, Rejected, Retry
from channels.guard import Inward, guarded_socket

_ANSWER_BYTES_MAX: Final = 64 * 1024
_TRY_AGAIN: Final = frozenset({408, 409, 425, 429})
"""409: a request with the same key is being worked on (draft-ietf-httpapi-idempotency-key-header,
2.7); the others as RFC 9110, 8470 and 6585 say."""

_OF_THE_REQUEST: Final = frozenset({409, 425})
_SUCCESSES: Final = range(200, 300)
_REDIRECTS: Final = range(300, 400)
_SERVER_FAULTS: Final = range(500, 600)


class Answer(msgspec.Struct, frozen=True):
    """What a server answered.

    Attributes:
        status: HTTP status.
        headers: Of the answer.
        body: As much of it as came, 64 KiB at the most.
        name: Host and port, for outcomes.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    name: str


class Poster:
    """Posts bodies over a few kept connections.

    Args:
        connections: Open at one time, 1 or more.
        timeout_ms: For a whole exchange.
        ca_file: A PEM file of authorities to trust instead of the system's; read here.

    Raises:
        OSError: The `ca_file` cannot be read, or holds no certificate.
    """

    def __init__(self, *, connections: int, timeout_ms: int, ca_file: str = "") -> None:
        self._connections = connections
        self._timeout_s = timeout_ms / 1000
        self._tls = ssl.create_default_context(cafile=ca_file or None)
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def post(
        self, url: URL, body: bytes, headers: Mapping[str, str], *, is_trusted: bool
    ) -> Answer | Retry | Rejected:
        """Post once.

        Args:
            url: As `address_fault` has nothing against.
            body: Sent as it is.
            headers: With a `Content-Type`.
            is_trusted: The shop wrote the address; else it must be a public one (`guard`).
        """
        name = f"{url.host}:{url.port}"  # the rest of an address may be a secret of its own
        try:
            async with self._session(is_trusted=is_trusted).post(
                url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                said = b""
                # Or the connection is not kept. What was answered stands, however the rest ends.
                with suppress(TimeoutError, aiohttp.ClientError, OSError, ValueError):
                    said = await answer.content.read(_ANSWER_BYTES_MAX)
                return Answer(answer.status, answer.headers, said, name)
        except TimeoutError:
            return Retry(f"{name} did not answer within {self._timeout_s:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as fault:
            why = _why_unreachable(fault)
            if isinstance(getattr(fault, "os_error", None), Inward):
                return Rejected(f"{name} {why}")
            return Retry(f"{name} {why}")

    async def aclose(self) -> None:
        """Let go of all connections. May be called again."""
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()

    def _session(self, *, is_trusted: bool) -> aiohttp.ClientSession:
        session = self._sessions.get(is_trusted)
        if session is None:
            session = self._sessions[is_trusted] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=self._connections,
                    ssl=self._tls,
                    socket_factory=None if is_trusted else guarded_socket,
                ),
                timeout=aiohttp.ClientTimeout(total=self._timeout_s),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                # What is not unpacked (a bomb would be) is not asked for packed.
                headers={"User-Agent": "Hairspring", "Accept-Encoding": "identity"},
            )
        return session


def judge(status: int, headers: Mapping[str, str], name: str) -> Outcome:
    """What an answer means (RFC 9110, 15): what may pass is tried again, the rest is refused."""
    if status in _SUCCESSES:
        return Accepted(str(status))
    if status in _TRY_AGAIN or status in _SERVER_FAULTS:
        of_provider = status not in _OF_THE_REQUEST
        said = f"{name} answered {status}"
        return Retry(said, retry_after_ms(headers), of_provider=of_provider)
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
        case Inward() as inward:
            why = str(inward.strerror)
        case socket.gaierror():
            why = "has a name that cannot be resolved"
        case aiohttp.ServerDisconnectedError() | ConnectionError():
            why = "dropped the connection"
        case aiohttp.ClientResponseError():
            why = "answered with what is no HTTP"
        case other:
            why = f"cannot be reached: {getattr(other, 'strerror', None) or type(other).__name__}"
    return why
