"""The transport `smtp`: mails over a few kept connections (RFC 5321).

A connection carries one mail at a time, so there are as many as deliveries may be under way. One
that died while it was idle shows it at the next `MAIL` or `RCPT`: the mail then goes over a fresh
one, once. From `DATA` on nothing is tried again here, since the server may have taken the mail.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec
from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPException,
    SMTPHeloError,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)
from typing_extensions import override

from channels.base import CLOSED, Accepted, Channel, Message, Outcome, Rejected, Retry, legible
from channels.bounces import is_hard
from channels.dkim import DkimSigner
from channels.email import EmailFault, Mail, build_mail, parse_from

if TYPE_CHECKING:
    from channels.settings import EmailSettings

PORTS: Final = {"none": 25, "starttls": 587, "implicit": 465}
"""The port of each `tls` where the settings name none."""

TAKEN_WITHIN_S: Final = 600.0
"""How long a server may take to confirm a mail that it was given (RFC 5321, 4.5.3.2.6): whoever
gives up sooner sends it again, and the server, which was still looking at the first, has two."""

_QUIT_SECONDS: Final = 2.0
_COMPLETED: Final = 250
_UNAVAILABLE: Final = 421
_LOGIN_WANTED: Final = frozenset({530, 534, 535, 538})
_POSITIVE: Final = range(200, 300)
_PERMANENT: Final = range(500, 600)
_SYSTEM: Final = re.compile(r"\s*4\.3\.\d")
"""Enhanced codes (RFC 3463) that tell of the server itself: any other mail would meet the same."""

_UNREACHABLE: Final = (
    (ConnectionRefusedError, "refused the connection; check host, port and that it is running"),
    ((SMTPServerDisconnected, ConnectionError), "dropped the connection; check tls and port"),
    (ssl.SSLError, "cannot speak TLS here; check tls and port"),
    (socket.gaierror, "has a name that cannot be resolved; check host"),
)


class _Gone(Exception):  # noqa: N818 - not an error: a kept connection has ended, as they do
    """The connection ended before `DATA`: the mail has certainly not left."""


class SmtpChannel(Channel):
    """Sends mails to one server.

    Args:
        settings: With a `host`. A `ca_file` is read here.

    Raises:
        OSError: The `ca_file` cannot be read, or holds no certificate.
        DkimFault: A key of `dkim` cannot be read or used.
    """

    def __init__(self, settings: EmailSettings) -> None:
        self._settings = settings
        self._port = settings.port or PORTS[settings.tls]
        self._name = f"SMTP server {settings.host}:{self._port}"
        self._timeout = settings.timeout_ms / 1000
        self._taken_within = max(self._timeout, TAKEN_WITHIN_S)
        self._hello = parse_from(settings.from_).domain
        self._tls = ssl.create_default_context(cafile=settings.ca_file or None)
        self._signers = [DkimSigner(one) for one in reversed(settings.dkim)]
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._idle: list[SMTP] = []
        self._closed = False

    @override
    async def deliver(self, message: Message) -> Outcome:
        try:
            mail = build_mail(message, self._settings.from_)
        except EmailFault as fault:
            return Rejected(fault.message)
        for signer in self._signers:
            signed = signer.signed(mail.data, message.at_ms)
            mail = msgspec.structs.replace(mail, data=signed)
        async with self._slots:
            if self._closed:
                return CLOSED
            return await self._deliver(mail)

    @override
    async def aclose(self) -> None:
        self._closed = True
        idle, self._idle = self._idle, []
        await asyncio.gather(*(self._part(client) for client in idle))

    async def _deliver(self, mail: Mail) -> Outcome:
        kept = self._take()
        if kept is not None:
            with suppress(_Gone):
                return await self._attempt(kept, mail)
        fresh = await self._connect()
        if isinstance(fresh, Retry):
            return fresh
        try:
            return await self._attempt(fresh, mail)
        except _Gone as gone:
            return Retry(f"{self._name} {gone}")

    def _take(self) -> SMTP | None:
        while self._idle:
            client = self._idle.pop()
            if client.is_connected:
                return client
        return None

    async def _connect(self) -> SMTP | Retry:
        settings = self._settings
        client = SMTP(
            hostname=settings.host,
            port=self._port,
            username=settings.username or None,
            password=settings.password or None,
            local_hostname=self._hello,
            timeout=self._timeout,
            use_tls=settings.tls == "implicit",
            start_tls=settings.tls == "starttls",
            tls_context=self._tls,
        )
        try:
            await client.connect()
        except (SMTPException, OSError, ValueError) as fault:
            return Retry(f"{self._name} {self._why_unreachable(fault)}")
        return client

    async def _attempt(self, client: SMTP, mail: Mail) -> Outcome:
        """One transaction; the connection goes back to the idle ones if it is still good.

        Raises:
            _Gone: The connection ended before `DATA`.
        """
        try:
            outcome = await self._transact(client, mail)
        except BaseException:  # also cancelled half way: what comes next must not be a command
            client.close()
            raise
        await self._give_back(client)
        return outcome

    async def _transact(self, client: SMTP, mail: Mail) -> Outcome:
        offered = False
        try:
            if client.is_ehlo_or_helo_needed:  # a login or STARTTLS has said it already
                await _greet(client)
            await self._address(client, mail)
            offered = True
            reply = await client.data(mail.data, timeout=self._taken_within)
        except SMTPResponseException as fault:
            if fault.code == _UNAVAILABLE and not offered:
                raise _Gone(f"is closing connections: {self._quote(fault, mail)}") from fault
            outcome = self._judge(fault, mail)
            await self._reset(client)
            return outcome
        except SMTPTimeoutError:
            client.close()
            within_s = self._taken_within if offered else self._timeout
            return Retry(f"{self._name} did not answer within {within_s:g} s")
        except (SMTPException, OSError) as fault:
            if not offered:
                raise _Gone("dropped the connection") from fault
            client.close()
            return Retry(f"{self._name} dropped the connection before it confirmed the mail")
        return Accepted(legible(reply.message))

    async def _address(self, client: SMTP, mail: Mail) -> None:
        """Say whom the mail is from and for."""
        size = [b"SIZE=%d" % len(mail.data)] if client.supports_extension("size") else []
        # Addresses are as SMTP takes them by now; aiosmtplib's own way would parse them again, and
        # takes 250 (and 251) alone for a yes, where RFC 5321 (4.2.1) says any 2yz.
        said = await client.execute_command(b"MAIL", b"FROM:<%b>" % mail.sender.encode(), *size)
        if said.code not in _POSITIVE:
            raise SMTPSenderRefused(said.code, said.message, mail.sender)
        said = await client.execute_command(b"RCPT", b"TO:<%b>" % mail.recipient.encode())
        if said.code not in _POSITIVE:
            raise SMTPRecipientRefused(said.code, said.message, mail.recipient)

    async def _reset(self, client: SMTP) -> None:
        try:
            await client.rset()
        except (SMTPException, OSError):
            client.close()

    async def _give_back(self, client: SMTP) -> None:
        if self._closed:
            await self._part(client)
        elif client.is_connected:
            self._idle.append(client)

    async def _part(self, client: SMTP) -> None:
        with suppress(SMTPException, OSError):
            await client.quit(timeout=_QUIT_SECONDS)
        client.close()

    def _judge(self, fault: SMTPResponseException, mail: Mail) -> Outcome:
        """RFC 5321, 4.2.1: 4yz may pass, 5yz will not; a login that is wanted is ours to mend."""
        said = self._quote(fault, mail)
        if fault.code in _LOGIN_WANTED:
            return Retry(f"{self._name} wants a login: {said}; set username and password")
        if fault.code in _POSITIVE and fault.code != _COMPLETED:
            return Accepted(said)  # of the mail; 250 is no fault unless it answers `DATA` itself
        if fault.code in _PERMANENT:
            at_recipient = isinstance(fault, SMTPRecipientRefused)
            ours = isinstance(fault, SMTPSenderRefused)
            hard = not ours and is_hard(fault.code, fault.message, at_recipient=at_recipient)
            return Rejected(f"{self._name} refused the mail: {said}", hard)
        of_server = (
            fault.code == _UNAVAILABLE
            or isinstance(fault, SMTPSenderRefused)
            or _SYSTEM.match(fault.message) is not None
        )
        return Retry(f"{self._name} put the mail off: {said}", of_provider=of_server)

    def _why_unreachable(self, fault: Exception) -> str:
        cause = (fault.__cause__ if isinstance(fault, SMTPConnectError) else None) or fault
        if isinstance(cause, SMTPAuthenticationError):
            return f"refused the login: {_reply(cause)}; check username and password"
        if isinstance(cause, SMTPResponseException):
            return f"took no mail: {_reply(cause)}"
        if isinstance(cause, (SMTPTimeoutError, TimeoutError)):
            return f"did not answer within {self._timeout:g} s"
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"has a certificate that cannot be trusted: {cause.verify_message}"
        for kind, why in _UNREACHABLE:
            if isinstance(cause, kind):
                return why
        return f"cannot be used: {legible(str(cause))}"

    def _quote(self, fault: SMTPResponseException, mail: Mail) -> str:
        """The server's words, without the address that many of them repeat."""
        return _reply(fault).replace(mail.recipient, "(recipient)")


async def _greet(client: SMTP) -> None:
    """Say who we are; in the old way to a server that knows no other (RFC 5321, 3.2)."""
    try:
        await client.ehlo()
    except SMTPHeloError:
        await client.helo()


def _reply(fault: Exception) -> str:
    assert isinstance(fault, SMTPResponseException)
    return legible(f"{fault.code} {fault.message}")
