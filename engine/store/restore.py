"""A backup in the place of a database, whole or not at all, whatever ends the process half way.

The backup is checked and copied beside the database under a name that says so; so is the log of a
database that an earlier restoration put aside after a kill. What backups there are is noted in the
copy: whoever erases a user must know where he still is, and a backup knows neither of itself nor of
those behind it. That file, complete and on disk, is the decision. From there on whoever opens the
database first brings it to its end: what was there is moved aside with its write-ahead log, and the
copy gets the name. Without that a crash could leave a new database beside an old log, or no
database, as of a new shop.
"""

from __future__ import annotations

import glob
import os
import shutil
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final

from engine.errors import StoreError
from engine.failpoints import come_to
from engine.store import keepsakes, wal
from engine.store.backup import check_backup, note_backup, read_only, sync_folder
from engine.store.erasure import Backup, backups
from engine.store.soundness import DAMAGED

if TYPE_CHECKING:
    from pathlib import Path

STAGED: Final = ".restoring-"
"""Stands between the name of a database and the instant of its restoration."""

ASIDE: Final = ".before-"
"""Stands between the name of a database that was replaced and that instant."""

_LOG: Final = "-wal"

_FILES: Final = ("", _LOG, "-shm", DAMAGED)
"""What belongs to one database, by the end of its name."""


def restore(backup: Path, path: Path, stamp: str) -> Path | None:
    """Put a backup in the place of a database. O(its size).

    Args:
        backup: A file that `back_up` made.
        path: The database; its folder is locked by this process, and nothing has it open.
        stamp: Tells this restoration from others in names of files, as `20261122T083000Z`.

    Returns what the database that was there is called now; None where there was none. Raises
    StoreError, and the database is as it was.
    """
    finish_restore(path)
    check_backup(backup)
    part = path.with_name(f".{path.name}.part")
    try:
        _remove(part)
        for end in ("", _LOG):
            _copy(backup.with_name(backup.name + end), part.with_name(part.name + end))
        _make_whole(part, backup, _noted(path))
        check_backup(part)  # what was read is what was written
        part.rename(path.with_name(path.name + STAGED + stamp))
        sync_folder(path.parent)
    except (OSError, sqlite3.Error) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise StoreError(
            f"{backup} could not be copied to {path.parent}: {why}",
            hint="see that the data folder can be written and has room; nothing was changed",
            code="restore.failed",
        ) from error
    finally:
        _remove(part)
    return finish_restore(path)


def _copy(source: Path, to: Path) -> None:
    """Nothing, where there is no such file: a backup has no log."""
    if not source.exists():
        return
    made = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with source.open("rb") as file, os.fdopen(made, "wb") as copy:
        shutil.copyfileobj(file, copy, 1 << 20)
        copy.flush()
        os.fsync(copy.fileno())


def _make_whole(part: Path, backup: Path, noted: list[Backup]) -> None:
    """What is in the log goes into the file, and what backups there are is noted in it."""
    with closing(sqlite3.connect(part)) as connection, connection:
        accepted = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1]
        damage = wal.damage(part, accepted) if accepted >= 0 else ""
        if damage:
            raise StoreError(
                f"{backup}{_LOG} is damaged: {damage}",
                hint="give another backup",
                code="backup.damaged",
            )
        connection.execute("PRAGMA journal_mode = DELETE").fetchone()
        if _knows_of_none(connection):
            return
        known = {one.path for one in backups(connection)}
        # Behind those that it knows, by age: a damaged database names the newest as the way back.
        new = [one for one in noted if one.path not in known]
        if str(backup.absolute()) not in known.union(one.path for one in new):
            new.insert(0, Backup(str(backup.absolute()), 0))
        for one in new:
            note_backup(connection, one.path, one.at_ms)


def _noted(path: Path) -> list[Backup]:
    """Backups that the database knows which is replaced, oldest first, as far as it can be read."""
    if path.exists():
        with suppress(sqlite3.Error), closing(read_only(path)) as connection:
            return backups(connection)
    return []


def _knows_of_none(connection: sqlite3.Connection) -> bool:
    """Whether it is of before there were backups: a file that somebody copied."""
    named = "SELECT count(*) = 0 FROM sqlite_schema WHERE name = 'backups'"
    return bool(connection.execute(named).fetchone()[0])


def _remove(part: Path) -> None:
    for end in (_LOG, "-shm", "-journal", ""):
        part.with_name(part.name + end).unlink(missing_ok=True)


def finish_restore(path: Path) -> Path | None:
    """Bring a restoration of this database to its end, if there is one. Raises StoreError.

    Returns what the database that was there is called now, where one was.
    """
    staged = max(path.parent.glob(glob.escape(path.name) + STAGED + "*"), default=None)
    if staged is None:
        return None
    ending = ASIDE + staged.name.rpartition(STAGED)[2]
    aside = path.with_name(path.name + ending)
    try:
        # The log first: without it the old database is still one, and with it the new is none.
        for end in reversed(_FILES):
            old = path.with_name(path.name + end)
            if old.exists():
                old.rename(aside.with_name(aside.name + end))
                sync_folder(path.parent)
                come_to("in-restore")
        keepsakes.take_out(staged, path.parent, ending)
        staged.rename(path)
        sync_folder(path.parent)
    except (OSError, sqlite3.Error) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise StoreError(
            f"{staged} could not be put in the place of {path}: {why}",
            hint="make the data folder writable; the next start, or restore, goes on with it",
            code="restore.failed",
        ) from error
    return aside if aside.exists() else None
