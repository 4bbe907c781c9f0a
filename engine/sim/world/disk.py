"""A disk that is slow, full, held by another, broken or torn; what SQLite makes of it is real.

Theory of operation. The store's work runs on a real connection to a real file, inline, at an
instant that the seed draws; the process learns of it at a later one, so that it can die in between.
A full disk is a file that SQLite may not grow, a busy one is locked by a second connection; an I/O
error is raised in the place of a statement, or after a COMMIT that happened.

A killed process leaves the files as they are, a power cut what SQLite's order of syncs allows
(`tearing`). The next process finds those bytes and nothing else.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeVar

from typing_extensions import override

from engine.sim.world.machine import MS
from engine.sim.world.tearing import Image, tear
from engine.store.worker import Worker

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from engine.sim.world.loop import WorldLoop
    from engine.sim.world.machine import Machine
    from engine.sim.world.scenario import Chance

_T = TypeVar("_T")

PAGES_MAX = 1_073_741_823
"""SQLite's own bound, while the disk is not full."""

BUSY_TIMEOUT_NS = 2_000 * MS
"""How long SQLite waits for a lock, as the store has set it."""


class FaultyConnection(sqlite3.Connection):
    """A connection one statement of which may fail."""

    fails_in = -1
    """How many statements are done before it; below 0: none fails."""
    lies = False
    """Whether a transaction is committed, and told to have failed."""
    failed = ""
    """The kind of fault that a statement met."""
    on_cut: Callable[[], None] | None = None
    """Told before the log is checkpointed to be cut."""

    @override
    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        self._count(sql)
        if sql.startswith("PRAGMA busy_timeout"):
            sql = "PRAGMA busy_timeout = 0"  # the wait is virtual: `BUSY_TIMEOUT_NS`
        if self.on_cut is not None and sql == "PRAGMA wal_checkpoint(TRUNCATE)":
            self.on_cut()
        cursor = super().execute(sql, *parameters)
        is_commit = sql == "COMMIT" or (sql.startswith("INSERT") and not self.in_transaction)
        if self.lies and is_commit:
            raise self._error("disk_lied")
        return cursor

    @override
    def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:
        self._count(sql)
        return super().executemany(sql, parameters)

    def quietly(self, sql: str, parameters: tuple[object, ...] = ()) -> list[Any]:
        """A statement of the world's own."""
        return super().execute(sql, parameters).fetchall()

    def _count(self, sql: str) -> None:
        if self.fails_in < 0 or sql == "ROLLBACK":
            return
        self.fails_in -= 1
        if self.fails_in < 0:
            raise self._error("disk_error")

    def _error(self, kind: str) -> sqlite3.OperationalError:
        self.lies = False
        self.failed = kind
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_WRITE
        error.sqlite_errorname = "SQLITE_IOERR_WRITE"
        return error


class Disk:
    """The database file of a world, through all lives of its process.

    Args:
        folder: Where the files are; the world's own.
        chance: Draws what happens.
        may: Whether a kind of fault may happen now.
        reach: Told of each fault that did.

    Attributes:
        path: The database file of the present life.
        full_until_ns: Until when the file may not grow.
        busy_until_ns: Until when somebody else holds the lock.
        slow_until_ns: Until when it is slow.
        torn_in: How many transactions are done before the power goes; below 0: it stays.
        on_torn: Called once it went.
        checkpoint_pages: After how many pages in the log SQLite checkpoints.
    """

    def __init__(
        self,
        folder: Path,
        machine: Machine,
        chance: Chance,
        may: Callable[[str], bool],
        reach: Callable[[str], None],
    ) -> None:
        self.machine = machine
        self.chance = chance
        self.may = may
        self.reach = reach
        self.full_until_ns = self.busy_until_ns = self.slow_until_ns = 0
        self.torn_in = -1
        self.on_torn: Callable[[], None] = lambda: None
        self.on_done: Callable[[], None] = lambda: None
        self.checkpoint_pages = 1000
        self._folder = folder
        self._life = 0
        self.path = folder / "life-0.db"
        self.worker: DiskWorker | None = None

    @property
    def connection(self) -> FaultyConnection | None:
        """What the present process works by, for whoever looks on."""
        return self.worker.connection if self.worker is not None else None

    def serve(self, loop: WorldLoop) -> DiskWorker:
        """A worker for a new process."""
        self.worker = DiskWorker(self, loop)
        return self.worker

    def crash(self) -> None:
        """The process is gone: go on with the bytes that it leaves."""
        self.move(self.read())

    def read(self) -> tuple[bytes, bytes]:
        """Database and log, as they are."""
        log = self.path.with_name(self.path.name + "-wal")
        return (
            self.path.read_bytes() if self.path.exists() else b"",
            log.read_bytes() if log.exists() else b"",
        )

    def files(self) -> list[tuple[str, bytes]]:
        """What is on the disk, with a name each."""
        return list(zip(("database", "log"), self.read(), strict=True))

    def move(self, image: tuple[bytes, bytes]) -> None:
        """Have the next process find these bytes; what the last one still had open is let go."""
        old, worker, self.worker = self.path, self.worker, None
        self.torn_in = -1
        self._life += 1
        self.path = self._folder / f"life-{self._life}.db"
        database, log = image
        if database:
            self.path.write_bytes(database)
        if log:
            self.path.with_name(self.path.name + "-wal").write_bytes(log)
        if worker is not None:
            worker.cut()
        for suffix in ("", "-wal", "-shm"):
            old.with_name(old.name + suffix).unlink(missing_ok=True)


class DiskWorker(Worker):
    """Does the store's work for one process.

    Attributes:
        connection: To the real file; None before it is open, and once it is closed.
    """

    def __init__(self, disk: Disk, loop: WorldLoop) -> None:
        self.connection: FaultyConnection | None = None
        self._disk = disk
        self._loop = loop
        self._waiting: deque[tuple[Callable[[Any], Any], asyncio.Future[Any]]] = deque()
        self._is_busy = False
        self._is_cut = False
        self._waited_ns = 0

    @override
    async def begin(self) -> None:
        await self._submit(self._connect)

    @override
    async def run(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        done: _T = await self._submit(work)
        return done

    @override
    async def end(self) -> None:
        if self.connection is not None and not self._is_gone():
            await self._submit(self._close)

    def cut(self) -> None:
        """The process is gone: do nothing for it any more."""
        self._is_cut = True
        self._waiting.clear()
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def _is_gone(self) -> bool:
        return self._is_cut

    async def _submit(self, work: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - of any work
        future = self._loop.create_future()
        self._waiting.append((work, future))
        self._next()
        return await future

    def _next(self) -> None:
        if self._waiting and not self._is_busy:
            self._is_busy = True
            self._disk.machine.after(self._latency_ns(), self._perform)

    def _perform(self) -> None:
        if self._is_gone():
            return
        work, future = self._waiting.popleft()
        result, error = None, None
        try:
            result = self._do(work)
        except BaseException as raised:  # noqa: BLE001 - whoever asked for the work gets it
            error = raised
        if self._is_gone():
            return
        self._disk.on_done()

        def tell() -> None:
            if self._is_gone() or future.done():
                return
            with self._loop.running():
                if error is not None:
                    future.set_exception(error)
                else:
                    future.set_result(result)

        waited_ns, self._waited_ns = self._waited_ns, 0
        self._disk.machine.after(waited_ns + self._disk.chance.randrange(20_000, 2 * MS), tell)
        self._is_busy = False
        self._next()

    def _do(self, work: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - of any work
        disk, connection = self._disk, self.connection
        if connection is None or work == self._close:
            return work(connection)
        disk.torn_in -= 1
        if disk.torn_in or not disk.may("torn"):
            return self._under_faults(connection, work)
        before, cuts = disk.read(), list[Image]()
        connection.on_cut = lambda: cuts.append(disk.read())
        try:
            return self._under_faults(connection, work)
        finally:
            connection.on_cut = None
            synchronous = connection.quietly("PRAGMA synchronous")[0][0]
            disk.reach("torn")
            before_cut = cuts[-1] if cuts else None
            disk.move(tear(disk.chance, before, disk.read(), synchronous, before_cut))
            disk.on_torn()

    def _under_faults(self, connection: FaultyConnection, work: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - of any work
        disk = self._disk
        now_ns, chance = disk.machine.now_ns, disk.chance
        connection.failed = ""
        if disk.may("disk_error") and chance.random() < 0.03:  # noqa: PLR2004 - now and then
            connection.fails_in = chance.randrange(8)
        connection.lies = disk.may("disk_lied") and chance.random() < 0.02  # noqa: PLR2004 - as above
        is_full = disk.may("disk_full") and now_ns < disk.full_until_ns
        holder = None
        if is_full:
            pages = connection.quietly("PRAGMA page_count")[0][0]
            connection.quietly(f"PRAGMA max_page_count = {pages}")
        elif disk.may("disk_busy") and now_ns < disk.busy_until_ns:
            holder = sqlite3.connect(disk.path, isolation_level=None, timeout=0)
            holder.execute("BEGIN IMMEDIATE")
        try:
            return work(connection)
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code == sqlite3.SQLITE_FULL:
                disk.reach("disk_full")
            elif code == sqlite3.SQLITE_BUSY:
                disk.reach("disk_busy")
                self._waited_ns = BUSY_TIMEOUT_NS
            raise
        finally:
            if connection.failed:
                disk.reach(connection.failed)
            connection.fails_in, connection.lies = -1, False
            if holder is not None:
                holder.close()
            if is_full:
                connection.quietly(f"PRAGMA max_page_count = {PAGES_MAX}")

    def _latency_ns(self) -> int:
        disk = self._disk
        chance = disk.chance
        if disk.may("disk_hang") and chance.random() < 0.01:  # noqa: PLR2004 - now and then
            disk.reach("disk_hang")
            return chance.randrange(20_000, 60_000) * MS
        if disk.may("disk_slow") and disk.machine.now_ns < disk.slow_until_ns:
            disk.reach("disk_slow")
            return chance.randrange(5, 500) * MS
        return chance.randrange(30_000, 3 * MS)

    def _connect(self, _: None) -> None:
        self.connection = connection = sqlite3.connect(
            self._disk.path,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=64,
            timeout=0,
            factory=FaultyConnection,
        )
        connection.quietly(f"PRAGMA wal_autocheckpoint = {self._disk.checkpoint_pages}")

    def _close(self, connection: FaultyConnection | None) -> None:
        self.connection = None
        if connection is not None:
            connection.close()


def reader_of(path: Path) -> AbstractContextManager[sqlite3.Connection]:
    """Look into a copy of a database."""
    return closing(sqlite3.connect(path))
