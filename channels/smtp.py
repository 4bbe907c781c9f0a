"""The transport `smtp`: mails over a few kept connections (RFC 5321).

A connection carries one mail at a time, so there are as many as deliveries may be under way. One
that died while it was idle shows it before the mail itself has gone: the mail then goes over a
fresh one, once. After that nothing is tried again here, since the server may have taken the mail.
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
    SMTPResponseException,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)
from typing_extensions import override

from channels.base import CLOSED, Accepted, Channel, Message, Outcome, Rejected, Retry, legible
from channels.bounces import is_hard
from channels.dkim import DkimSigner
from channels.email import EmailFault, Mail, build_mail, parse_from
from channels.smtp_session import UNAVAILABLE, Lost, Refused, Reply, SmtpSession

if TYPE_CHECKING:
    from channels.settings import EmailSettings

PORTS: Final = {"none": 25, "starttls": 587, "implicit": 465}
"""The port of each `tls` where the settings name none."""

TAKEN_WITHIN_S: Final = 600.0
"""How long a server may take to confirm a mail that it was given (RFC 5321, 4.5.3.2.6): whoever
gives up sooner sends it again, and the server, which was still looking at the first, has two."""

_COMPLETED: Final = 250
_LOGIN_WANTED: Final = frozenset({530, 534, 535, 538})
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
    """The connection ended before the mail was sent: it has certainly not left."""


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
        self._idle: list[SmtpSession] = []
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
        await asyncio.gather(*(session.quit() for session in idle))

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

    def _take(self) -> SmtpSession | None:
        while self._idle:
            session = self._idle.pop()
            if session.is_open:
                return session
        return None

    async def _connect(self) -> SmtpSession | Retry:
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
            if client.is_ehlo_or_helo_needed:  # a login or STARTTLS has said it already
                await _greet(client)
            return SmtpSession(client, self._timeout, self._taken_within)
        except (SMTPException, OSError, ValueError) as fault:
            client.close()
            return Retry(f"{self._name} {self._why_unreachable(fault)}")
        except BaseException:
            client.close()
            raise

    async def _attempt(self, session: SmtpSession, mail: Mail) -> Outcome:
        """One transaction; the connection goes back to the idle ones if it is still good.

        Raises:
            _Gone: The connection ended before the mail was sent.
        """
        try:
            outcome = await self._transact(session, mail)
        except BaseException:  # also cancelled half way: what comes next must not be a command
            session.close()
            raise
        if self._closed:
            await session.quit()
        elif session.is_open:
            self._idle.append(session)
        return outcome

    async def _transact(self, session: SmtpSession, mail: Mail) -> Outcome:
        try:
            reply = await session.deliver(mail)
        except Refused as refused:
            if refused.reply.code == UNAVAILABLE and not session.offered:
                said = self._quote(refused.reply, mail)
                raise _Gone(f"is closing connections: {said}") from refused
            outcome = self._judge(refused, mail)
            await session.reset()
            return outcome
        except TimeoutError:
            session.close()
            within_s = self._taken_within if session.offered else self._timeout
            return Retry(f"{self._name} did not answer within {within_s:g} s")
        except Lost as lost:
            why = legible(str(lost)).replace(mail.recipient, "(recipient)")
            if not session.offered:
                raise _Gone(why) from lost
            return Retry(f"{self._name} {why} before it confirmed the mail")
        if reply.code != _COMPLETED:
            return Accepted(self._quote(reply, mail))
        return Accepted(legible(reply.text))

    def _judge(self, refused: Refused, mail: Mail) -> Outcome:
        """RFC 5321, 4.2.1: 4yz may pass, 5yz will not; a login that is wanted is ours to mend."""
        stage, code, text = refused.stage, refused.reply.code, refused.reply.text
        said = self._quote(refused.reply, mail)
        if code in _LOGIN_WANTED:
            return Retry(f"{self._name} wants a login: {said}; set username and password")
        if code in _PERMANENT:
            told = f"{self._name} refused the mail: {said}"
            if stage == "MAIL":  # it is we who are refused
                return Rejected(told)
            return Rejected(told, is_hard(code, text, at_recipient=stage == "RCPT"), is_bounce=True)
        of_server = code == UNAVAILABLE or stage == "MAIL" or _SYSTEM.match(text) is not None
        told = f"{self._name} put the mail off: {said}"
        return Retry(told, of_provider=of_server, is_bounce=not of_server)

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

    def _quote(self, reply: Reply, mail: Mail) -> str:
        """The server's words, without the address that many of them repeat."""
        return legible(f"{reply.code} {reply.text}").replace(mail.recipient, "(recipient)")


async def _greet(client: SMTP) -> None:
    """Say who we are; in the old way to a server that knows no other (RFC 5321, 3.2)."""
    try:
        await client.ehlo()
    except SMTPHeloError:
        await client.helo()


def _reply(fault: Exception) -> str:
    assert isinstance(fault, SMTPResponseException)
    return legible(f"{fault.code} {fault.message}")
