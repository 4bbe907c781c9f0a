"""Erasing a user to the last byte: in memory, in the database, in files of the transport `file`.

Theory of operation. The tombstone is durable first, with his id: from there on an erasure is always
brought to its end, by this process or by the next start, before anybody is read. While it is under
way, whatever comes of him is not taken, so that it ends: it is as of the instant at which it is
done. The input that forgets him is in the journal before his rows go, so that a crash in between
replays a user who is gone. Then rows and files go in slices; then the tombstone loses his id; last
the database's file is written anew, where it is small enough to keep everybody waiting for that.
"""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from channels.file import erase_files
from engine.core.ids import digest
from engine.core.state import NEVER
from engine.failpoints import come_to
from engine.runtime.delivery.sinks import forget_in_files
from engine.store import erasure
from engine.store.erasure import Backup
from engine.store.holdings import ids_of
from engine.store.restore import ASIDE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from typing import TypeAlias

    from channels.base import Channel
    from engine.runtime.catalog.stock import Stock
    from engine.runtime.processor import Processor
    from engine.runtime.shell import Shell
    from engine.store import Store

    Forget: TypeAlias = Callable[[str], Awaitable[int]]

COMPACTED_BYTES_MAX: Final = 256 << 20
"""A larger database is not written anew while a process serves from it: a second or two."""

_log = structlog.get_logger("hairspring.erasing")


class Erased(msgspec.Struct, kw_only=True):
    """What went with a user.

    Attributes:
        at_ms: What happened before this is not taken any more.
        inputs: Taken out of the journal and its archive.
        records: Of what happened to him.
        messages: Waiting or dead, in the outbox.
        quarantined: Items that named him.
        states: Rows with a state of his.
        lines: In files of the transport `file`.
        compacted: Whether the database was written anew: else copies of what went may be left in
            unused parts of its pages.
        backups: Those that were made before and are still there, and databases that a restoration
            put aside (`at_ms` 0): they may hold him.
    """

    at_ms: int
    inputs: int
    records: int
    messages: int
    quarantined: int
    states: int
    lines: int
    compacted: bool
    backups: list[Backup]


def forgetting(outbox: Path) -> Forget:
    """Takes an id out of the files of sinks that nobody writes to."""
    return lambda user_id: asyncio.to_thread(forget_in_files, outbox.parent, user_id)


async def finish_erasures(store: Store, outbox: Path) -> None:
    """Bring to their end what an earlier process began to erase; before anybody is read.

    Raises StoreError, CommitFailed, OSError.
    """
    for one in await store.read(erasure.unfinished):
        if one.user_id:  # who was merged behind the tombstone goes as well
            user_ids = await ids_of(store, one.user_id)
            await store.transact(partial(erasure.begin, user_ids=user_ids, at_ms=one.at_ms))
    left = await store.read(erasure.unfinished)
    for one in left:
        if one.user_id:
            messages = await store.read(partial(erasure.message_ids, user_id=one.user_id))
            await erase_files(outbox, {}, one.user_id, messages)
            await _erase_rows(store, (one.user_id,))
            await forgetting(outbox)(one.user_id)
            at_ms = max(one.at_ms, await store.read(erasure.last_at_ms))
            await store.transact(partial(erasure.forget_ids, digests=(one.digest,), at_ms=at_ms))
        await store.read(partial(erasure.compact, size_max=COMPACTED_BYTES_MAX))
        await store.transact(partial(erasure.finish, digests=(one.digest,)))
        _log.info("erasure.finished")


async def erase_at_rest(
    store: Store, outbox: Path, user_ids: tuple[str, ...], at_ms: int
) -> Erased:
    """Erase a user, all his ids, from a data folder that no process serves from.

    Raises StoreError, CommitFailed, OSError.
    """
    await store.transact(partial(erasure.begin, user_ids=user_ids, at_ms=at_ms))
    forget = forgetting(outbox)
    return await _erase(
        store, outbox, {}, user_ids, lambda: at_ms, forget=forget, compacted_max=None
    )


class Erasing:
    """Erases users from a running process, one at a time.

    Args:
        processor: Whose tombstones were read from the store.
        now_ms: Logical time.
        channels: Those at work, by id.
        outbox: The folder of the transport `file`.
        forget: Takes an id out of the files of sinks, while those are written to.
        stock: What else knows of users in memory.

    Attributes:
        outbox: As it was given.
    """

    def __init__(
        self,
        *,
        store: Store,
        shell: Shell,
        processor: Processor,
        now_ms: Callable[[], int],
        channels: Mapping[str, Channel],
        outbox: Path,
        forget: Forget | None = None,
        stock: Stock | None = None,
    ) -> None:
        self._stock = stock
        self._forget = forget or forgetting(outbox)
        self._store = store
        self._shell = shell
        self._processor = processor
        self._now_ms = now_ms
        self._channels = channels
        self.outbox = outbox
        self._begun: dict[str, tuple[str, ...]] = {}
        self._left: dict[str, int] = {}
        self._one_at_a_time = asyncio.Lock()

    def is_unfinished(self, user_id: str) -> bool:
        """Whether his erasure was begun and has not come to its end: it may have failed."""
        return user_id in self._begun or user_id in self._left

    async def erase(self, user_id: str) -> Erased:
        """Erase a user, known or not, with all his ids.

        What fails may be asked again; the next start does, too. Raises StoreError, CommitFailed,
        Unavailable, OSError.
        """
        async with self._one_at_a_time:
            store, processor = self._store, self._processor
            ids: tuple[str, ...] = ()
            while (known := self._all_ids(user_id)) != ids:  # he may be merged meanwhile
                ids = known
                await store.transact(partial(erasure.begin, user_ids=ids, at_ms=self._now_ms()))
            self._begun.update(dict.fromkeys(ids, ids))
            # Of earlier tries: who came again since is not erased again, unless somebody asks for
            # it. Then his tombstone has to tell a start that there are rows to go.
            left = {one: at_ms for one, at_ms in self._left.items() if one not in self._begun}
            for one, at_ms in left.items():
                forget_one = partial(erasure.forget_ids, digests=[digest(one)], at_ms=at_ms)
                await store.transact(forget_one)
            for one in ids:
                processor.tombstones.add(one, NEVER)
            processor.erase(ids[0], self._now_ms())
            if self._stock is not None:
                self._stock.forget(ids)
            await self._shell.submit(())  # durable, with all that it stands behind

            def done() -> int:
                at_ms = self._now_ms()
                for one in ids:
                    processor.tombstones.add(one, at_ms)
                    self._begun.pop(one, None)
                    self._left[one] = at_ms
                return at_ms

            erased = await _erase(
                store, self.outbox, self._channels, ids, done,
                forget=self._forget, compacted_max=COMPACTED_BYTES_MAX,
            )  # fmt: skip
            if self._stock is not None:  # again: it reads the journal, which has nothing now
                self._stock.forget(ids)
            finish = partial(erasure.finish, digests=[digest(one) for one in left])
            await store.transact(finish)
            for one in (*left, *ids):
                self._left.pop(one, None)
            return erased

    def _all_ids(self, user_id: str) -> tuple[str, ...]:
        """His ids, and those that went with one of them in a try that failed half way.

        By then nobody knows any more that they were his.
        """
        known = self._processor.ids_of(user_id)
        left = [other for one in known for other in self._begun.get(one, ())]
        return tuple(dict.fromkeys((*known, *left)))


async def _erase(
    store: Store,
    outbox: Path,
    channels: Mapping[str, Channel],
    user_ids: tuple[str, ...],
    done: Callable[[], int],
    *,
    forget: Forget,
    compacted_max: int | None,
) -> Erased:
    """All that is left to do behind the tombstone."""
    come_to("in-erasure")
    lines = 0
    for user_id in user_ids:
        messages = await store.read(partial(erasure.message_ids, user_id=user_id))
        lines += await erase_files(outbox, channels, user_id, messages)
    come_to("in-erasure")
    counts = await _erase_rows(store, user_ids)
    # Behind the records, from which they are made.
    lines += sum([await forget(user_id) for user_id in user_ids])
    digests = [digest(user_id) for user_id in user_ids]
    at_ms = done()
    await store.transact(partial(erasure.forget_ids, digests=digests, at_ms=at_ms))
    come_to("in-erasure")
    compacted = await store.read(partial(erasure.compact, size_max=compacted_max))
    come_to("in-erasure")
    await store.transact(partial(erasure.finish, digests=digests))
    noted = await store.read(erasure.backups)
    there = await asyncio.to_thread(_still_there, noted, store.path)
    _log.info("erased", compacted=compacted, **msgspec.structs.asdict(counts))
    return Erased(
        at_ms=at_ms,
        lines=lines,
        compacted=compacted,
        backups=there,
        **msgspec.structs.asdict(counts),
    )


def _still_there(noted: list[Backup], database: Path) -> list[Backup]:
    """Of the backups, and of what restoring one put aside, that which nobody removed."""
    aside = sorted(database.parent.glob(f"{database.name}{ASIDE}*"))
    return [
        *(one for one in noted if Path(one.path).exists()),
        *(Backup(str(path), 0) for path in aside),
    ]


async def _erase_rows(store: Store, user_ids: tuple[str, ...]) -> erasure.Counts:
    rows = erasure.Erasure(*user_ids, forget=store.floors.forget)
    while await store.transact(rows.go_on):
        come_to("in-erasure")
    return rows.counts
