from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from channels.base import Accepted, Rejected, Retry
from channels.registry import EmailSettings
from channels.smtp import SmtpChannel
from tests.channels.providers import SmtpProvider, message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import trustme


@pytest.fixture
async def channel(mail_server: SmtpProvider) -> AsyncIterator[SmtpChannel]:
    made = mail_server.make()
    assert isinstance(made, SmtpChannel)
    yield made
    await made.aclose()


async def _outcome(settings: EmailSettings) -> Any:
    made = SmtpChannel(settings)
    try:
        return await made.deliver(message("email"))
    finally:
        await made.aclose()


async def test_mails_one_after_the_other_share_a_connection(
    mail_server: SmtpProvider, channel: SmtpChannel
) -> None:
    for number in range(5):
        assert isinstance(await channel.deliver(message("email", number)), Accepted)
    assert len(mail_server.mailbox.mails) == 5
    assert len(mail_server.mailbox.connections) == 1


async def test_no_more_connections_than_deliveries_allowed_at_once(
    mail_server: SmtpProvider,
) -> None:
    channel = mail_server.make(concurrency=3)
    await asyncio.gather(*(channel.deliver(message("email", number)) for number in range(30)))
    await channel.aclose()
    assert len(mail_server.mailbox.mails) == 30
    assert len(mail_server.mailbox.connections) == 3


async def test_what_the_server_says_of_a_mail_is_kept(channel: SmtpChannel) -> None:
    assert await channel.deliver(message("email")) == Accepted("2.0.0 queued as 42")


async def test_a_kept_connection_that_died_is_replaced_and_the_mail_arrives_once(
    mail_server: SmtpProvider, channel: SmtpChannel
) -> None:
    await channel.deliver(message("email", 1))
    mail_server.mailbox.drop_connections()
    assert isinstance(await channel.deliver(message("email", 2)), Accepted)
    assert len(mail_server.mailbox.mails) == 2
    assert len(mail_server.mailbox.connections) == 2


async def test_a_kept_connection_that_died_unseen_is_replaced_too(
    mail_server: SmtpProvider, channel: SmtpChannel
) -> None:
    await channel.deliver(message("email", 1))
    mail_server.mailbox.replies["MAIL"] = ["421 4.3.2 closing idle connections"]
    assert isinstance(await channel.deliver(message("email", 2)), Accepted)
    assert len(mail_server.mailbox.mails) == 2
    assert len(mail_server.mailbox.connections) == 2


async def test_a_fresh_connection_that_is_dropped_is_a_reason_to_retry(
    mail_server: SmtpProvider, channel: SmtpChannel
) -> None:
    mail_server.mailbox.drop_at = "RCPT"
    outcome = await channel.deliver(message("email"))
    assert outcome == Retry(f"SMTP server 127.0.0.1:{mail_server.port} dropped the connection")
    assert mail_server.mailbox.mails == []


async def test_a_server_that_goes_away_after_data_is_not_sent_the_mail_again(
    mail_server: SmtpProvider, channel: SmtpChannel
) -> None:
    await channel.deliver(message("email", 1))
    mail_server.mailbox.drop_at = "DATA"
    outcome = await channel.deliver(message("email", 2))
    assert isinstance(outcome, Retry)
    assert len(mail_server.mailbox.mails) == 2
    assert len(mail_server.mailbox.connections) == 1


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
async def test_a_4xx_puts_off_and_a_5xx_refuses_wherever_it_comes(
    mail_server: SmtpProvider, channel: SmtpChannel, command: str
) -> None:
    mail_server.mailbox.replies[command] = ["451 4.3.0 try later", "554 5.7.1 spam"]
    name = f"SMTP server 127.0.0.1:{mail_server.port}"
    first = await channel.deliver(message("email", 1))
    second = await channel.deliver(message("email", 2))
    third = await channel.deliver(message("email", 3))
    assert first == Retry(f"{name} put the mail off: 451 4.3.0 try later")
    is_bounce = command != "MAIL"  # there it is we who are refused
    assert second == Rejected(f"{name} refused the mail: 554 5.7.1 spam", is_bounce=is_bounce)
    assert isinstance(third, Accepted)
    assert len(mail_server.mailbox.connections) == 1


@pytest.mark.parametrize("command", ["MAIL", "RCPT"])
async def test_any_yes_to_an_address_is_a_yes_and_the_mail_itself_still_has_to_go(
    mail_server: SmtpProvider, channel: SmtpChannel, command: str
) -> None:
    mail_server.mailbox.replies[command] = ["252 2.5.2 cannot say, will try"]
    assert await channel.deliver(message("email")) == Accepted("2.0.0 queued as 42")
    assert len(mail_server.mailbox.mails) == 1


async def test_an_unusual_yes_to_the_mail_is_a_yes(
    mail_server: SmtpProvider, channel: SmtpChannel
) -> None:
    mail_server.mailbox.replies["DATA"] = ["252 2.5.2 taken, I think"]
    assert await channel.deliver(message("email")) == Accepted("252 2.5.2 taken, I think")


async def _outcome_where(replies: dict[bytes, bytes]) -> Any:
    """What comes of a mail where a server answers a command with these bytes, and 250 otherwise."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while command := (await reader.readline())[:4]:
            writer.write(replies.get(command, b"250 as you like\r\n"))
        writer.close()
        ended.set()

    ended = asyncio.Event()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    outcome = await _outcome(EmailSettings(transport="smtp", host="127.0.0.1", port=port))
    await ended.wait()
    server.close()
    return outcome


class _Pipeline:
    """A server that takes commands in one go, and says to each what it is told to, else 250.

    Attributes:
        heard: What came with each round trip.
    """

    def __init__(self, replies: dict[bytes, list[bytes]]) -> None:
        self.heard: list[bytes] = []
        self._replies = replies
        self._open: set[asyncio.Event] = set()

    async def start(self) -> EmailSettings:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        return EmailSettings(transport="smtp", host="127.0.0.1", port=port, timeout_ms=20_000)

    async def stop(self) -> None:
        for ended in self._open:
            await ended.wait()
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended = asyncio.Event()
        self._open.add(ended)
        writer.write(b"220 here\r\n")
        with suppress(ConnectionError):
            await self._converse(reader, writer)
        writer.close()
        ended.set()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while heard := await reader.read(65_536):
            replies = [self._said(line[:4]) for line in heard.splitlines()]
            self.heard.append(heard)
            writer.write(b"".join(replies))
            if replies[-1].startswith(b"354"):
                mail = b"\r\n"
                while not mail.endswith(b"\r\n.\r\n"):
                    mail += await reader.read(65_536)
                self.heard.append(mail[2:])
                writer.write(b"250 taken\r\n")

    def _said(self, command: bytes) -> bytes:
        if self._replies.get(command):
            return self._replies[command].pop(0) + b"\r\n"
        usual = {b"EHLO": b"250-here\r\n250 PIPELINING\r\n", b"DATA": b"354 go on\r\n"}
        return usual.get(command, b"250 OK\r\n")


async def _pipelined(
    replies: dict[bytes, list[bytes]], count: int = 1
) -> tuple[list[Any], list[bytes]]:
    """What comes of so many mails, and what the server heard."""
    server = _Pipeline(replies)
    made = SmtpChannel(await server.start())
    try:
        outcomes = [await made.deliver(message("email", number)) for number in range(count)]
    finally:
        await made.aclose()
        await server.stop()
    return outcomes, server.heard


async def test_an_envelope_goes_in_one_piece_to_a_server_that_takes_it_so() -> None:
    (outcome,), heard = await _pipelined({})
    assert isinstance(outcome, Accepted)
    hello, envelope, mail = heard[:3]
    assert hello.startswith(b"EHLO ")
    assert [line[:4] for line in envelope.splitlines()] == [b"MAIL", b"RCPT", b"DATA"]
    assert mail.endswith(b"\r\n.\r\n")


async def test_a_server_that_waits_for_a_mail_to_nobody_gets_an_empty_one_and_the_next_whole() -> (
    None
):
    refusal = b"550 5.1.1 no such user"
    outcomes, heard = await _pipelined({b"RCPT": [refusal]}, 2)
    assert isinstance(outcomes[0], Rejected)
    assert outcomes[0].address_invalid
    assert isinstance(outcomes[1], Accepted)
    assert heard[2:4] == [b".\r\n", b"RSET\r\n"]
    assert heard[5].startswith(b"Message-ID: ")


async def test_a_refused_sender_is_told_and_not_what_followed_from_it() -> None:
    out_of_turn = b"503 5.5.1 MAIL first"
    replies = {
        b"MAIL": [b"451 4.7.1 come again"], b"RCPT": [out_of_turn], b"DATA": [out_of_turn],
    }  # fmt: skip
    outcomes, heard = await _pipelined(replies, 2)
    assert isinstance(outcomes[0], Retry)
    assert "451 4.7.1 come again" in outcomes[0].reason
    assert isinstance(outcomes[1], Accepted)
    assert heard[2] == b"RSET\r\n"


async def test_a_reply_that_nobody_asked_for_ends_its_connection_and_no_mail() -> None:
    unasked = b"250 OK\r\n250 OK"
    outcomes, heard = await _pipelined({b"RSET": [unasked], b"MAIL": [b"450 busy"]}, 2)
    assert isinstance(outcomes[1], Accepted)
    assert sum(one.startswith(b"EHLO") for one in heard) == 2


async def test_a_reply_without_an_end_is_cut_off() -> None:
    (outcome,), _ = await _pipelined({b"MAIL": [b"250-and on\r\n" * 9_000 + b"250 OK"]})
    assert isinstance(outcome, Retry)
    assert "more than a reply may be" in outcome.reason


async def test_a_server_that_looks_at_a_mail_for_longer_than_the_timeout_gets_it_once(
    mail_server: SmtpProvider,
) -> None:
    mail_server.mailbox.looks_for_s = 0.6
    channel = mail_server.make(timeout_ms=500)
    assert isinstance(await channel.deliver(message("email")), Accepted)
    await channel.aclose()
    assert len(mail_server.mailbox.mails) == 1


async def test_a_yes_before_the_mail_was_said_is_no_delivery() -> None:
    assert isinstance(await _outcome_where({b"DATA": b"250 in advance\r\n"}), Retry)


@pytest.mark.parametrize("command", [b"EHLO", b"MAIL", b"RCPT", b"DATA"])
async def test_a_reply_that_is_no_utf_8_can_be_journaled(command: bytes) -> None:
    latin_1 = {command: b"450 bo\xeete\t\x1b[31m pleine\r\n", b"HELO": b"450 bo\xeete\r\n"}
    outcome = await _outcome_where(latin_1)
    assert isinstance(outcome, Retry)
    assert "450 bo?te" in outcome.reason
    assert "\x1b" not in outcome.reason
    assert msgspec.json.encode(outcome)


async def test_a_refusal_is_told_without_the_address(
    mail_server: SmtpProvider, channel: SmtpChannel
) -> None:
    outcome = await channel.deliver(mail_server.refused)
    assert outcome == Rejected(
        f"SMTP server 127.0.0.1:{mail_server.port} refused the mail: "
        "550 5.1.1 <(recipient)>: no such user",
        address_invalid=True,
        is_bounce=True,
    )


async def test_a_login_that_is_wanted_is_ours_to_mend_and_no_refusal(
    mail_server: SmtpProvider, channel: SmtpChannel
) -> None:
    mail_server.mailbox.replies["MAIL"] = ["530 5.7.0 Authentication required"]
    outcome = await channel.deliver(message("email"))
    assert isinstance(outcome, Retry)
    assert "set username and password" in outcome.reason


async def test_an_address_that_is_none_is_refused_before_the_server_is_asked(
    mail_server: SmtpProvider, channel: SmtpChannel
) -> None:
    outcome = await channel.deliver(message("email", to="a@b.example\r\nRCPT TO:<c@d.example>"))
    assert isinstance(outcome, Rejected)
    assert mail_server.mailbox.connections == []


async def test_a_server_that_is_not_there_is_named(mail_server: SmtpProvider) -> None:
    await mail_server.stop()
    outcome = await _outcome(mail_server.settings())
    assert outcome == Retry(
        f"SMTP server 127.0.0.1:{mail_server.port} refused the connection; "
        "check host, port and that it is running"
    )


async def test_a_server_that_says_nothing_is_given_up_on() -> None:
    silent = await asyncio.start_server(lambda _reader, writer: writers.append(writer), "127.0.0.1")
    writers: list[asyncio.StreamWriter] = []
    port = silent.sockets[0].getsockname()[1]
    settings = EmailSettings(transport="smtp", host="127.0.0.1", port=port, timeout_ms=50)
    outcome = await _outcome(settings)
    for writer in writers:
        writer.close()
    silent.close()
    assert outcome == Retry(f"SMTP server 127.0.0.1:{port} did not answer within 0.05 s")


async def test_a_server_without_starttls_gets_no_mail_where_it_is_asked_for(
    mail_server: SmtpProvider,
) -> None:
    outcome = await _outcome(mail_server.settings(tls="starttls"))
    assert isinstance(outcome, Retry)
    assert "STARTTLS" in outcome.reason
    assert mail_server.mailbox.mails == []


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_a_certificate_of_nobody_we_trust_stops_the_mail(
    authority: trustme.CA, ca_file: Path, tls: str
) -> None:
    server = SmtpProvider(tls, authority, ca_file)
    await server.start()
    outcome = await _outcome(server.settings(ca_file=""))
    await server.close()
    assert isinstance(outcome, Retry)
    assert "certificate that cannot be trusted" in outcome.reason
    assert server.mailbox.mails == []


async def test_a_certificate_for_another_name_stops_the_mail(
    authority: trustme.CA, ca_file: Path
) -> None:
    server = SmtpProvider("implicit", authority, ca_file)
    await server.start()
    outcome = await _outcome(server.settings(host="localhost"))
    await server.close()
    assert isinstance(outcome, Retry)
    assert "certificate that cannot be trusted" in outcome.reason


async def test_a_wrong_password_is_a_reason_to_retry_that_says_so(
    authority: trustme.CA, ca_file: Path
) -> None:
    server = SmtpProvider("starttls", authority, ca_file, auth=True)
    await server.start()
    outcome = await _outcome(server.settings(password="guess"))
    await server.close()
    assert isinstance(outcome, Retry)
    assert "refused the login" in outcome.reason
    assert "check username and password" in outcome.reason


async def test_tls_spoken_to_a_plain_server_is_a_reason_to_retry(
    mail_server: SmtpProvider,
) -> None:
    outcome = await _outcome(mail_server.settings(tls="implicit", timeout_ms=2_000))
    assert isinstance(outcome, Retry)
    assert mail_server.mailbox.mails == []


@pytest.mark.parametrize(("tls", "port"), [("none", 25), ("starttls", 587), ("implicit", 465)])
def test_each_tls_has_its_usual_port(tls: str, port: int) -> None:
    settings = msgspec.convert({"transport": "smtp", "host": "mail", "tls": tls}, EmailSettings)
    assert SmtpChannel(settings)._port == port


@pytest.mark.parametrize(
    ("command", "reply", "is_bounce"),
    [
        ("RCPT", "452 4.2.2 mailbox full", True),
        ("RCPT", "451 4.3.2 shutting down", False),
        ("MAIL", "451 4.7.1 not now", False),
        ("DATA", "451 4.7.1 looks like spam", True),
        ("RCPT", "552 5.2.2 mailbox full", True),
        ("MAIL", "550 5.7.1 not you", False),
        ("DATA", "554 5.7.1 spam", True),
    ],
)
async def test_what_is_refused_for_its_own_sake_has_come_back_and_not_for_ours(
    mail_server: SmtpProvider, channel: SmtpChannel, command: str, reply: str, *, is_bounce: bool
) -> None:
    mail_server.mailbox.replies[command] = [reply]
    outcome = await channel.deliver(message("email", 1))
    assert isinstance(outcome, Rejected | Retry)
    assert outcome.is_bounce is is_bounce


@pytest.mark.parametrize(
    ("command", "reply", "bad"),
    [
        ("RCPT", "550 5.1.1 no such user", True),
        ("RCPT", "550 5.1.10 takes no mail", True),
        ("RCPT", "552 5.2.2 mailbox full", False),
        ("RCPT", "550 go away", False),
        ("MAIL", "550 5.1.1 not you", False),
    ],
)
async def test_only_a_recipient_that_does_not_exist_makes_the_address_invalid(
    mail_server: SmtpProvider, channel: SmtpChannel, command: str, reply: str, *, bad: bool
) -> None:
    mail_server.mailbox.replies[command] = [reply]
    outcome = await channel.deliver(message("email", 1))
    assert isinstance(outcome, Rejected)
    assert outcome.address_invalid is bad
