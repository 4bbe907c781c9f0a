"""The store: one writing connection on its own thread, one round trip a commit."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import msgspec

from engine.core.effects import SendMessage
from engine.errors import StoreError
from engine.failpoints import come_to
from engine.store import archive, outbox, pruning, recovery, schema
from engine.store.floors import Floors
from engine.store.indexing import Indexing
from engine.store.pruning import LettersMax
from engine.store.restore import finish_restore
from engine.store.soundness import unusable
from engine.store.worker import Thread
from engine.store.writing import Written, is_one_statement, write_batch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Self

    from engine.store.batch import Batch
    from engine.store.migrations import OnProgress
    from engine.store.outbox import Parts
    from engine.store.pruning import Letters, Quarantine
    from engine.store.recovery import Recovered
    from engine.store.worker import Worker

_T = TypeVar("_T")

_decode_message = msgspec.json.Decoder(SendMessage).decode

_RETRIED = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


class CommitFailed(StoreError):  # noqa: N818 - an operating state more than an error
    """A commit did not go through.

    Attributes:
        again: Whether the same batch may go through later (disk full, busy); otherwise the
            process must end and let recovery decide.
    """

    code = "store.commit"

    def __init__(self, message: str, *, hint: str, again: bool) -> None:
        super().__init__(message, hint=hint)
        self.again = again


class OutboxRow(msgspec.Struct):
    """A message whose delivery has not come to its end.

    Attributes:
        number: Rows count up; the order of the sends.
        snapshot: Empty where it was not asked for, or once the message is rendered.
        rendered: What goes over the wire, once it was rendered; else None.
        attempts: How many have failed.
        tried_at_ms: Logical instant of the first of them; 0: none was made.
    """

    number: int
    message: SendMessage
    snapshot: bytes
    rendered: bytes | None
    attempts: int = 0
    tried_at_ms: int = 0


class Store:
    """The database of one data folder. All methods but `open` run one at a time, in order.

    Attributes:
        committed_at_ms: Stamp of the newest batch that was committed since it was opened; 0: none.
        keep_ms: How long journal rows that no replay needs, records, dead letters and quarantined
            items are kept.
        quarantine: How full the quarantine is.
        letters: How many dead letters are kept, and how many went to make room for others.
        letters_stay: Held while dead letters were read and are to be revived: none is let go of.
        floors: Where the archive can be replayed from; for the connection's thread alone.
        indexing: Builds the archive's index; for that thread alone.
    """

    def __init__(
        self,
        worker: Worker,
        path: Path,
        keep_ms: int,
        quarantine: Quarantine,
        next_record: int,
        letters_max: LettersMax,
    ) -> None:
        self._connection = worker
        self._fresh_rows = 0
        self.letters = pruning.unknown_letters(letters_max)
        self.letters_stay = asyncio.Lock()
        self._unnoted: tuple[Batch, Written] | None = None
        self._next_record = next_record
        self.path = path
        self.committed_at_ms = 0
        self.keep_ms = keep_ms
        self.quarantine = quarantine
        self.floors = Floors()
        self.indexing = Indexing()

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        sync: str = "full",
        keep_ms: int = 2_592_000_000,
        letters_max: LettersMax = LettersMax(),  # noqa: B008 - it is immutable
        on_progress: OnProgress | None = None,
        worker: Worker | None = None,
    ) -> Self:
        """Open or make the database, and bring one of an earlier schema to the present one.

        Args:
            path: The file; its folder exists and is locked by this process.
            sync: `full` survives a power cut, `normal` may lose the last instants to one.
            keep_ms: How long what nothing needs any more is kept (`prune`).
            letters_max: Dead letters that are kept, about.
            on_progress: Told where a migration is, many times a second, on another thread.
            worker: Who does the work on that file; a thread unless told otherwise.

        Raises StoreError for a database that is foreign, newer, unreadable or not writable.
        """
        finish_restore(path)
        _make_private(path)
        worker = worker or Thread(path)
        try:
            await worker.begin()
            quarantine, next_record = await worker.run(
                partial(_prepare, path=path, sync=sync, on_progress=on_progress)
            )
        except sqlite3.Error as error:
            await worker.end()
            raise StoreError(
                f"{path} cannot be opened: {error}",
                hint="give a folder that this user may write with --data",
                code="store.open",
            ) from error
        except BaseException:
            await worker.end()
            raise
        return cls(worker, path, keep_ms, quarantine, next_record, letters_max)

    async def close(self) -> None:
        """Checkpoint and close."""
        await self._connection.end()

    async def recover(self, dedupe_window_ms: int, dedupe_max: int = 5_000_000) -> Recovered:
        """Everything that a restart needs; see `recovery.recover`.

        Raises StoreError where the database cannot be read, or lacks what was written.
        """
        return await self._read(
            partial(
                recovery.recover,
                path=self.path,
                dedupe_window_ms=dedupe_window_ms,
                dedupe_max=dedupe_max,
            )
        )

    async def commit(self, batch: Batch) -> None:
        """Make a batch durable, whole or not at all. Raises CommitFailed."""
        await self._write(partial(self._commit, batch=batch))
        self.committed_at_ms = batch.at_ms

    async def prune(self, now_ms: int) -> bool:
        """Let go of a slice of what is too old, or has expired; whether there may be more.

        Takes twice as many rows as the largest commit since the last slice added records, so that
        it keeps up with any load. O(what goes). Raises CommitFailed.
        """
        async with self.letters_stay:
            return await self._write(partial(self._prune, now_ms=now_ms))

    async def keep_archive(self, now_ms: int) -> bool:
        """Do a slice of the archive's index and of its floors; whether there may be more.

        Raises CommitFailed.
        """
        return await self._write(partial(self._keep_archive, now_ms=now_ms))

    async def read(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Have something read, between two commits. Raises StoreError."""
        return await self._read(work)

    async def transact(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Have something done whole or not at all, between two commits. Raises CommitFailed."""
        return await self._write(partial(_in_transaction, work=work))

    async def outbox(
        self,
        channel: str,
        after_number: int,
        limit: int,
        *,
        urgent: bool = False,
        bytes_max: int = 1 << 30,
        parts: Parts = "all",
    ) -> list[OutboxRow]:
        """Unfinished deliveries by one channel beyond a row number, in order. O(limit).

        Args:
            channel: The channel's id.
            after_number: Of the last row that was read; 0: from the first.
            limit: Rows at most.
            urgent: The transactional ones; else the others.
            bytes_max: Of snapshots and what is rendered, and one row more.
            parts: What is read of each beside its message: all, what is rendered, or nothing.

        Raises StoreError.
        """
        rows = await self._read(
            partial(
                outbox.read,
                channel=channel,
                after_number=after_number,
                limit=limit,
                urgent=urgent,
                bytes_max=bytes_max,
                parts=parts,
            )
        )
        return [OutboxRow(number, _decode_message(head), *rest) for number, head, *rest in rows]

    async def keep_rendered(self, rendered: list[tuple[bytes, str]]) -> None:
        """Store what goes over the wire, (bytes, effect id) each, before it is first tried."""

        def keep(connection: sqlite3.Connection) -> None:
            connection.executemany("UPDATE outbox SET rendered = ? WHERE id = ?", rendered)

        await self._write(partial(_in_transaction, work=keep))

    async def count(self, table: str) -> int:
        """Rows of `users`, `outbox`, `records`, `quarantine` or `journal`. O(rows)."""
        assert table in {"users", "outbox", "records", "quarantine", "journal"}
        row = await self._read(
            lambda c: c.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - one of the names above
        )
        return int(row[0])

    # These run on the connection's thread, and so does what they note here: a commit and a slice
    # of pruning are under way side by side, and the later must see what the earlier left.

    def _commit(self, connection: sqlite3.Connection, batch: Batch) -> None:
        self._note(connection)
        write = partial(
            write_batch,
            batch=batch,
            quarantine=self.quarantine,
            next_record=self._next_record,
            due=self.indexing.due(),
        )

        def write_all(connection: sqlite3.Connection) -> Written:
            written = write(connection)
            come_to("in-commit")
            return written

        try:
            # One statement is a transaction by itself: to begin and to end one are two more, each
            # of which has to win the interpreter's lock back.
            written = (
                write(connection)
                if is_one_statement(batch)
                else _in_transaction(connection, write_all)
            )
        except BaseException:
            self.indexing.forget()
            raise
        come_to("after-commit")
        self._unnoted = batch, written
        self.quarantine = written.quarantine
        self._next_record = written.next_record
        self._fresh_rows = max(self._fresh_rows, len(batch.records))
        dead = sum(closed.dead for closed in batch.closed)
        self.letters = self.letters.and_more(dead, written.dead_bytes)

    def _note(self, connection: sqlite3.Connection) -> None:
        """Note for the index what was committed last: it is no matter of whoever awaits that."""
        if self._unnoted is not None:
            self.indexing.note(connection, *self._unnoted)
            self._unnoted = None

    def _prune(self, connection: sqlite3.Connection, now_ms: int) -> bool:
        before_ms = now_ms - self.keep_ms
        rows_max = max(pruning.SLICE_ROWS_MAX, 2 * self._fresh_rows)

        def prune(connection: sqlite3.Connection) -> tuple[bool, Quarantine, Letters]:
            more, left = pruning.prune(connection, before_ms, rows_max, self.quarantine)
            letters = pruning.prune_letters(connection, self.letters, rows_max)
            expired = pruning.prune_inboxes(connection, now_ms, rows_max)
            come_to("in-pruning")
            return more or expired or bool(letters.goes_to), left, letters

        more, self.quarantine, self.letters = _in_transaction(connection, prune)
        self._fresh_rows = 0
        return more

    def _keep_archive(self, connection: sqlite3.Connection, now_ms: int) -> bool:
        self._note(connection)

        def keep(connection: sqlite3.Connection) -> bool:
            indexed = self.indexing.catch_up(connection)
            dropped = archive.drop_below(connection)
            moved = self.floors.work(connection, now_ms, self.keep_ms)
            come_to("in-archive")
            return moved or indexed or dropped

        try:
            return _in_transaction(connection, keep)
        except BaseException:
            # They count as done what is rolled back, most often by a COMMIT without room.
            self.indexing.forget()
            self.floors.forget()
            raise

    async def _write(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        try:
            return await self._connection.run(work)
        except sqlite3.Error as error:
            raise _explain(self.path, error) from error

    async def _read(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        try:
            return await self._connection.run(work)
        except sqlite3.Error as error:
            raise unusable(self.path, error) from error


def _in_transaction(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], _T]) -> _T:
    """Have it done whole or not at all."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        done = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return done


def _make_private(path: Path) -> None:
    """Make the file where there is none, for this user alone: so are the logs that follow it."""
    with suppress(OSError):  # what is wrong with the place, SQLite tells
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _prepare(
    connection: sqlite3.Connection, path: Path, sync: str, on_progress: OnProgress | None
) -> tuple[Quarantine, int]:
    schema.prepare(connection, path, sync, on_progress)
    try:
        return pruning.measure(connection), archive.next_record(connection)
    except sqlite3.DatabaseError as error:
        raise unusable(path, error) from error


def _explain(path: Path, error: sqlite3.Error) -> CommitFailed:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    again = code in _RETRIED
    if code == sqlite3.SQLITE_FULL:
        hint = "free some disk space; the process goes on by itself once there is room"
    elif again:
        hint = "another program holds the database; end it, the process goes on by itself"
    else:
        hint = "check the disk, then start again; recovery takes it from the last commit"
    return CommitFailed(f"{path} could not be written: {error}", hint=hint, again=again)
