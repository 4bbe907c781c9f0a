"""A copy of a database in use: whole, checked, and on disk before it bears its name.

`VACUUM INTO` on a second connection, which only reads: one transaction's view of everything,
without what was deleted, in one file that needs no write-ahead log. Commits go on beside it
(readers do not hold writers up); the write-ahead log grows until it is done. The copy takes place
under another name, is read whole by SQLite's own check, is noted in the database it was made of
(whoever erases a user must know where he still is), and gets its name last.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from engine.errors import StoreError
from engine.failpoints import come_to
from engine.store import keepsakes
from engine.store.migrations import SCHEMA_VERSION
from engine.store.schema import APPLICATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engine.store.database import Store

_TOLD_EVERY_STEPS = 100_000
"""Of SQLite's virtual machine: some milliseconds."""

_SYNCED_BYTES = 4 << 20
"""Bytes after which the copy is synced: a commit waits for whatever the disk has before it."""

_NICE = 15
"""Of the thread that copies (19 would be the least): deadlines and commits go first."""

_COPIED = 3
"""Parts of the work that copying is; the check is one more."""


class Backup(msgspec.Struct, frozen=True):
    """A backup that was made.

    Attributes:
        path: The file.
        size_bytes: Its size.
        at_ms: What it holds is as of no earlier than this instant.
    """

    path: str
    size_bytes: int
    at_ms: int


async def back_up(
    store: Store,
    path: Path,
    at_ms: int,
    *,
    force: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> Backup:
    """Copy what is committed into one file, while commits go on. O(size of the database).

    Args:
        store: Open.
        path: Where to, absolute; nothing may be there, unless `force`.
        at_ms: Now.
        force: Put it in the place of a file that is there, once it is complete.
        on_progress: Told (done, total), on another thread, many times a second.

    Raises StoreError, with nothing left behind; one that is cancelled leaves nothing either.
    """
    assert path.is_absolute()
    part = path.with_name(f".{path.name}.part")
    given_up = threading.Event()
    copy = partial(_copy, store.path, path, part, force, given_up, on_progress)
    try:
        worker = ThreadPoolExecutor(1, initializer=_step_back)
        copying = asyncio.get_running_loop().run_in_executor(worker, copy)
        worker.shutdown(wait=False)
        try:
            await asyncio.shield(copying)
        except asyncio.CancelledError:
            given_up.set()
            await asyncio.wait({copying})
            raise
        await store.transact(partial(note_backup, path=str(path), at_ms=at_ms))
        come_to("in-backup")
        size_bytes = _give_name(part, path, force=force)
    finally:
        part.unlink(missing_ok=True)
    return Backup(str(path), size_bytes, at_ms)


def _step_back() -> None:
    """This thread works while others have nothing to do. Only Linux counts a thread's own time."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


def note_backup(connection: sqlite3.Connection, path: str, at_ms: int) -> None:
    """Noted before the file has its name: rather one that is not there than one nobody knows of."""
    connection.execute("DELETE FROM backups WHERE path = ?", (path,))
    connection.execute("INSERT INTO backups (path, at_ms) VALUES (?, ?)", (path, at_ms))


def check_backup(path: Path, go_on: Callable[[], bool] | None = None) -> None:
    """Read a backup whole, as SQLite's `integrity_check` does. O(its size).

    Raises StoreError where it is no backup of this program or an older one, or is damaged.
    """
    try:
        with closing(read_only(path)) as connection:
            if go_on is not None:
                connection.set_progress_handler(lambda: not go_on(), _TOLD_EVERY_STEPS)
            application = connection.execute("PRAGMA application_id").fetchone()[0]
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        raise StoreError(
            f"{path} cannot be read: {error}",
            hint="give another backup",
            code="backup.damaged",
        ) from error
    if application != APPLICATION_ID:
        raise StoreError(
            f"{path} is no backup of hairspring",
            hint="give a file that `hairspring backup` made",
            code="backup.foreign",
        )
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path} was made by a newer version (its schema is {version}, "
            f"this program knows {SCHEMA_VERSION})",
            hint="restore it with the newer version of hairspring",
            code="backup.newer",
        )
    if found != "ok":
        raise StoreError(
            f"{path} is damaged: integrity_check: {found}",
            hint="give another backup",
            code="backup.damaged",
        )


def sync_folder(path: Path) -> None:
    """Have the names in a folder on disk: a rename is not before that."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copy(
    source: Path,
    path: Path,
    part: Path,
    force: bool,  # noqa: FBT001 - as `back_up` was given it
    given_up: threading.Event,
    on_progress: Callable[[int, int], None] | None,
) -> None:
    told = on_progress or _tell_nobody
    try:
        _refuse_place(source, path, force=force)
        part.unlink(missing_ok=True)
        made = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(made, "rb") as file, closing(read_only(source)) as connection:
            size = _size(connection)
            total = max(1, size * (_COPIED + 1))
            synced = 0

            def copying() -> bool:
                nonlocal synced
                written = os.fstat(made).st_size
                if written - synced >= _SYNCED_BYTES:
                    synced = written
                    os.fdatasync(made)
                told(min(written, size) * _COPIED, total)
                return given_up.is_set()

            connection.set_progress_handler(copying, _TOLD_EVERY_STEPS)
            connection.execute("VACUUM INTO ?", (str(part),))
            told(size * _COPIED, total)
            keepsakes.put_into(part, source.parent)
            os.fsync(file.fileno())
        check_backup(part, lambda: not given_up.is_set())
    except OSError as error:
        raise _failed(path, str(error.strerror)) from error
    except sqlite3.Error as error:
        raise _failed(path, str(error)) from error
    told(total, total)


def _size(connection: sqlite3.Connection) -> int:
    """Bytes that the copy will have: pages in use."""
    pages, free, page_bytes = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int(pages - free) * int(page_bytes)


def read_only(path: Path) -> sqlite3.Connection:
    """A connection that holds no writer up, outside of transactions. Raises sqlite3.Error."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    connection.isolation_level = None
    return connection


def _refuse_place(source: Path, path: Path, *, force: bool) -> None:
    if not path.parent.is_dir():
        raise StoreError(
            f"there is no folder {path.parent}", hint="make it first", code="backup.place"
        )
    if path.is_dir() or (path.exists() and source.exists() and path.samefile(source)):
        raise StoreError(
            f"{path} is no place for a backup", hint="give a file of its own", code="backup.place"
        )
    if path.exists() and not force:
        raise _there_is(path)


def _give_name(part: Path, path: Path, *, force: bool) -> int:
    """Returns how large it is."""
    if path.exists() and not force:
        raise _there_is(path)
    try:
        part.rename(path)
        sync_folder(path.parent)
        return path.stat().st_size
    except OSError as error:
        raise _failed(path, str(error.strerror)) from error


def _there_is(path: Path) -> StoreError:
    return StoreError(
        f"{path} is there already",
        hint="give another name, or --force to put the new one in its place",
        code="backup.exists",
    )


def _failed(path: Path, why: str) -> StoreError:
    return StoreError(
        f"the backup {path} could not be made: {why}",
        hint="see that its folder can be written and has room; nothing was left there",
        code="backup.failed",
    )


def _tell_nobody(_done: int, _total: int) -> None:
    pass
