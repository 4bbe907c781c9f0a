"""A connection to a mail server that has been greeted: one mail after the other goes over it.

aiosmtplib opens it, with TLS and the login; from then on it is this protocol's. Where the server
takes commands in one go (`PIPELINING`, RFC 2920) the three of an envelope are said in one, and
answered in one: a mail then costs two round trips, and not four. What is said waits for its answer
by a future and a timer, and by nothing else.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, cast

import msgspec
from typing_extensions import override

if TYPE_CHECKING:
    from aiosmtplib import SMTP

    from channels.email import Mail

POSITIVE: Final = range(200, 300)
UNAVAILABLE: Final = 421

REPLY_BYTES_MAX: Final = 32 * 1024
"""What a server may say before it comes to the end of its reply."""

_GO_ON: Final = 354
_CODE_DIGITS: Final = 3
_QUIT_SECONDS: Final = 2.0
_QUOTED_CHARS: Final = 200

Stage: TypeAlias = Literal["MAIL", "RCPT", "DATA", "mail"]
"""What a reply is to: a command, or the mail itself."""


class Reply(msgspec.Struct, frozen=True):
    """What a server has said, its lines joined by newlines; bytes that are no UTF-8 are kept."""

    code: int
    text: str


class Refused(Exception):  # noqa: N818 - named for what happened
    """The server has said no, or not now. The connection is still good, unless the code is 421."""

    def __init__(self, stage: Stage, reply: Reply) -> None:
        super().__init__(f"{reply.code} {reply.text}")
        self.stage = stage
        self.reply = reply


class Lost(Exception):  # noqa: N818 - likewise
    """The connection has ended, or what came over it is no SMTP."""


class SmtpSession(asyncio.Protocol):
    """Mails over one connection; for one at a time.

    Args:
        client: Connected and greeted. Its connection is taken over: it is to be let go of.
        timeout_s: How long the server may take for each reply.
        taken_within_s: And for the one to the mail itself.

    Attributes:
        offered: Whether the last mail itself was sent, so that the server may have taken it.
    """

    def __init__(self, client: SMTP, timeout_s: float, taken_within_s: float) -> None:
        self.offered = False
        self._timeout_s = timeout_s
        self._taken_within_s = taken_within_s
        self._pipelines = client.supports_extension("pipelining")
        self._sizes = client.supports_extension("size")
        self._loop = asyncio.get_running_loop()
        self._awaited = 0
        self._replies: deque[Reply] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._buffer = b""
        self._lines: list[bytes] = []
        self._bytes = 0
        self._why_lost = ""
        transport = client.transport
        assert transport is not None, "it is connected"
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_protocol(self)
        if transport.is_closing():  # nobody will tell: it ended before it was ours
            self._lose("dropped the connection")

    @property
    def is_open(self) -> bool:
        """Whether another mail may go over it, as far as is known."""
        return not self._why_lost and not self._transport.is_closing()

    async def deliver(self, mail: Mail) -> Reply:
        """Hand a mail over; what the server said when it took it.

        Whoever is cancelled meanwhile closes the connection.

        Raises:
            Refused: By the server.
            Lost: The connection ended.
            TimeoutError: A reply did not come in time; the connection is out of step by now.
        """
        self.offered = False
        await self._address(mail)
        self.offered = True
        data = mail.data.replace(b"\r\n.", b"\r\n..")  # RFC 5321, 4.5.2; no header begins so
        end = b".\r\n" if data.endswith(b"\r\n") else b"\r\n.\r\n"
        self._say(data + end)
        reply = await self._reply(self._taken_within_s)
        if reply.code not in POSITIVE:
            raise Refused("mail", reply)
        return reply

    async def reset(self) -> None:
        """Forget the envelope that was refused; closes the connection where that fails."""
        try:
            self._say(b"RSET\r\n")
            reply = await self._reply(self._timeout_s)
        except (Lost, TimeoutError):
            self.close()
        else:
            if reply.code not in POSITIVE:
                self.close()

    async def quit(self) -> None:
        """Part in order, or without it where the server takes too long."""
        with suppress(Lost, TimeoutError):
            self._say(b"QUIT\r\n")
            await self._reply(_QUIT_SECONDS)
        self.close()

    def close(self) -> None:
        """Let go of the connection."""
        self._transport.close()

    async def _address(self, mail: Mail) -> None:
        """Say whom the mail is from and for, and that it comes."""
        size = b" SIZE=%d" % len(mail.data) if self._sizes else b""
        # Addresses are as SMTP takes them: no more than RFC 5321's characters (`parse_address`).
        commands: tuple[tuple[Stage, bytes], ...] = (
            ("MAIL", b"MAIL FROM:<%b>%b\r\n" % (mail.sender.encode(), size)),
            ("RCPT", b"RCPT TO:<%b>\r\n" % mail.recipient.encode()),
            ("DATA", b"DATA\r\n"),
        )
        if self._pipelines:
            self._say(b"".join([command for _, command in commands]), len(commands))
        refused: Refused | None = None
        last = 0
        for stage, command in commands:
            if not self._pipelines:
                self._say(command)
            reply = await self._reply(self._timeout_s)
            last = reply.code
            good = last == _GO_ON if stage == "DATA" else last in POSITIVE
            if refused is None and not good:
                refused = Refused(stage, reply)
                if last == UNAVAILABLE:
                    self.close()
                if last == UNAVAILABLE or not self._pipelines:
                    raise refused
        if refused is not None:
            if last == _GO_ON:  # it waits for a mail to nobody all the same (RFC 2920, 3.1)
                self._say(b".\r\n")
                await self._reply(self._timeout_s)
            raise refused

    def _say(self, data: bytes, replies: int = 1) -> None:
        """Send what will be answered by so many replies."""
        if self._why_lost:
            raise Lost(self._why_lost)
        self._awaited += replies
        self._transport.write(data)

    async def _reply(self, within_s: float) -> Reply:
        """The next reply to what was said."""
        if not self._replies:
            if self._why_lost:
                raise Lost(self._why_lost)
            self._waiter = self._loop.create_future()
            try:
                async with asyncio.timeout(within_s):
                    await self._waiter
            finally:
                self._waiter = None
            if not self._replies:
                raise Lost(self._why_lost)
        return self._replies.popleft()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _lose(self, why: str) -> None:
        """Nothing more is to be had from this connection."""
        self._why_lost = self._why_lost or why
        self._transport.close()
        self._wake()

    # As asyncio calls it

    @override
    def data_received(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            if not self._awaited or not line[:_CODE_DIGITS].isdigit():
                # Said unasked, it is a farewell, or out of step with what will be asked.
                said = line[:_QUOTED_CHARS].strip().decode("utf-8", "surrogateescape")
                self._lose(f"answered what is no SMTP: {said}")
                return
            self._bytes += len(line)
            if self._bytes > REPLY_BYTES_MAX:
                break
            self._lines.append(line[_CODE_DIGITS + 1 :].strip())
            if line[_CODE_DIGITS : _CODE_DIGITS + 1] != b"-":
                text = b"\n".join(self._lines).decode("utf-8", "surrogateescape")
                self._lines.clear()
                self._bytes = 0
                self._awaited -= 1
                self._replies.append(Reply(int(line[:_CODE_DIGITS]), text))
                self._wake()
        if self._bytes + len(self._buffer) > REPLY_BYTES_MAX:
            self._lose("said more than a reply may be")

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._lose("dropped the connection")
