"""The transport `file`: one JSON line a message in `OUTBOX/CHANNEL.ndjson`, for every channel.

What waits while one append is under way shares the next: one open, one write and one flush to disk
for the whole batch, on a thread. A line counts once it is flushed; a torn one is cut off before the
next append, and a message whose line is there is not written again, by the ids of the file's tail.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec
from typing_extensions import override

from channels.base import CLOSED, Accepted, Channel, Message, Outcome, Rejected, Retry, key_of
from channels.email import EmailFault, build_mail
from channels.lines import LineLog, create_private

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

BATCH_MAX: Final = 1_000
"""Messages of one append at most."""

_HEADINGS: Final = {"email": "subject", "push": "title", "in_app": "title"}
_KEY_CHARS_MAX: Final = 200


class _Waiting(msgspec.Struct):
    message: Message
    outcome: asyncio.Future[Outcome]


class FileChannel(Channel):
    """Writes messages to a file instead of sending them.

    Args:
        channel_id: Names the file; `email` also writes each mail as `ID.eml` beside it.
        outbox: The folder; made at the first append.
        sender: email: who a mail is from where its template does not say.
    """

    def __init__(
        self, channel_id: str, outbox: Path, *, sender: str = "My shop <shop@example.com>"
    ) -> None:
        self._channel_id = channel_id
        self._log = LineLog(outbox / f"{channel_id}.ndjson")
        self._outbox = outbox
        self._sender = sender
        self._waiting: list[_Waiting] = []
        self._writer: asyncio.Task[None] | None = None
        self._one_at_a_time = asyncio.Lock()
        self._closed = False

    @override
    async def deliver(self, message: Message) -> Outcome:
        if self._closed:
            return CLOSED
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(message, outcome))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_waiting())
        return await outcome

    @override
    async def aclose(self) -> None:
        self._closed = True
        if self._writer is not None:
            await self._writer

    async def erase_user(self, user_id: str, message_ids: Iterable[str] = ()) -> int:
        """Take a user's messages out of the file, and their mails; the number of lines taken out.

        Those that wait to be written are rejected. `message_ids` are further ids whose mails may be
        there without a line. Linear in the file. Deliveries wait meanwhile.

        Raises:
            OSError: The file cannot be read or replaced; it is then as it was.
        """
        async with self._one_at_a_time:
            his = [one for one in self._waiting if one.message.user_id == user_id]
            self._waiting = [one for one in self._waiting if one.message.user_id != user_id]
            for one in his:
                _settle(one, Rejected("the user was erased"))
            self._remove_mails(message_ids)
            erased = await asyncio.to_thread(self._log.without, user_id, self._remove_mails)
        return len(erased)

    def _remove_mails(self, message_ids: Iterable[str]) -> None:
        for message_id in message_ids:
            self._mail_path(message_id).unlink(missing_ok=True)

    async def _write_waiting(self) -> None:
        while self._waiting:
            batch: list[_Waiting] = []
            try:
                async with self._one_at_a_time:
                    batch, self._waiting = self._waiting[:BATCH_MAX], self._waiting[BATCH_MAX:]
                    outcomes = await asyncio.to_thread(self._write, [one.message for one in batch])
                for one, outcome in zip(batch, outcomes, strict=True):
                    _settle(one, outcome)
            finally:  # the loop is going down, or a bug: nobody may wait for ever
                for one in batch:
                    _settle(one, CLOSED)

    def _write(self, messages: list[Message]) -> list[Outcome]:
        """On a thread: mails first, then all lines in one append: a line's mail is there."""
        lines: dict[str, bytes] = {}
        try:
            self._outbox.mkdir(parents=True, exist_ok=True)
            outcomes = [self._prepare(message, lines) for message in messages]
            self._log.append(lines)
        except OSError as fault:
            reason = f"cannot write to {self._log.path}: {fault.strerror or fault}"
            return [Retry(reason)] * len(messages)
        return outcomes

    def _prepare(self, message: Message, lines: dict[str, bytes]) -> Outcome:
        if self._log.has(message.id) or message.id in lines:
            return Accepted("already in the file")
        if self._channel_id == "email":
            try:
                mail = build_mail(message, self._sender)
            except EmailFault as fault:
                return Rejected(fault.message)
            with create_private(self._mail_path(message.id)) as file:
                file.write(mail.data)
        lines[message.id] = line_of(message)
        return Accepted(self._log.path.name)

    def _mail_path(self, message_id: str) -> Path:
        return self._outbox / f"{key_of(message_id)[:_KEY_CHARS_MAX]}.eml"


def _settle(one: _Waiting, outcome: Outcome) -> None:
    if not one.outcome.done():  # done: settled before, or its deliverer was cancelled
        one.outcome.set_result(outcome)


async def erase_files(
    outbox: Path, channels: Mapping[str, Channel], user_id: str, message_ids: Collection[str]
) -> int:
    """Take a user out of every file of the transport `file`; the number of lines taken out.

    Also out of those of channels that have another transport by now. `channels` are those at work.

    Raises:
        OSError: A file cannot be read or replaced.
    """
    erased = 0
    for channel_id in await asyncio.to_thread(_written, outbox):
        channel = channels.get(channel_id)
        if not isinstance(channel, FileChannel):
            channel = FileChannel(channel_id, outbox)
        erased += await channel.erase_user(user_id, message_ids)
    return erased


def lines_in_files(outbox: Path, user_ids: Iterable[str]) -> dict[str, list[bytes]]:
    """By channel, the lines of a user, by each of his ids, in the files of the transport `file`.

    Raises:
        OSError: A file cannot be read.
    """
    found: dict[str, list[bytes]] = {}
    for channel_id in _written(outbox):
        log = LineLog(outbox / f"{channel_id}.ndjson")
        found[channel_id] = [line for user_id in user_ids for line in log.lines_of(user_id)]
    return {channel_id: lines for channel_id, lines in found.items() if lines}


def _written(outbox: Path) -> list[str]:
    """The channels of which something is there; a mail may be without its line after a crash."""
    if not outbox.is_dir():
        return []
    names = {path.stem for path in outbox.glob("*.ndjson")}
    return sorted(names | {"email"})


def line_of(message: Message) -> bytes:
    """The line that stands for a message, newline included."""
    line = {
        "id": message.id,
        "at": _iso(message.at_ms),
        "user_id": message.user_id,
        "campaign": message.campaign,
        "step": message.step,
        "channel": message.channel,
        "to": message.to,
    }
    if message.meant_for:
        line["meant_for"] = message.meant_for
    if heading := _HEADINGS.get(message.channel):
        line[heading] = message.front.get(heading, "")
    line["body"] = message.body
    return msgspec.json.encode(line) + b"\n"


def _iso(at_ms: int) -> str:
    seconds, ms = divmod(at_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{ms:03d}Z"
