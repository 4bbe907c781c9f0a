"""Whether a database can be trusted as it is opened, and what to do where it cannot.

A start reads every user and the journal's tail, and SQLite checks the pages that it reads a little.
After an orderly stop that is enough. Where the last process ended otherwise (its write-ahead log is
still there) the machine may have gone down with it, and a disk that lies about what it wrote leaves
pages that nothing reads until much later: there `quick_check` reads all of a database up to
`CHECKED_BYTES_MAX`, at some 700 MB a second where the file is in memory. Larger ones are checked by
every `hairspring backup`, which reads its copy whole.
"""

from __future__ import annotations

import shlex
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from engine.errors import StoreError
from engine.store import wal

CHECKED_BYTES_MAX: Final = 1 << 30
"""A start that takes two seconds more is worth it after a crash; one of a minute is not."""

DAMAGED: Final = "-damaged"
"""Ends the name of a mark beside a database that did not pass: it is asked again at each start,
until it passes or is replaced. Its write-ahead log does not stay to say so; what was wrong with
that one the mark says, and stays until somebody removes it."""

_SOUND: Final = (
    (
        ("SQLITE_READONLY",),
        "cannot be written",
        "make the file and its folder writable for this user",
        "store.readonly",
    ),
    (  # SHMSIZE: there is no room for what stands beside the log while it is in use
        ("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE"),
        "cannot be opened for want of room",
        "free some disk space, then start again; nothing is lost",
        "store.full",
    ),
    (
        ("SQLITE_BUSY", "SQLITE_LOCKED"),
        "is held by another program",
        "end that one, then start again; nothing is lost",
        "store.held",
    ),
    (
        ("SQLITE_CANTOPEN", "SQLITE_PERM"),
        "cannot be opened",
        "see that it is a file, and that this user may read and write it and its folder",
        "store.unreadable",
    ),
)
"""What keeps a database from being opened and is no damage: how SQLite names it (how the names
begin), what failed, what to do, and the error's code."""


def was_cut_short(path: Path) -> bool:
    """Whether the last process ended without closing its database, or found it damaged.

    Asked before it is opened.
    """
    log = _log(path)
    return _mark(path).exists() or (log.exists() and log.stat().st_size > 0)


def check(connection: sqlite3.Connection, path: Path, *, each_synced: bool) -> None:
    """Read the whole database, unless it is too large for a start, and its log. O(their size).

    `each_synced` is whether a commit was on disk before the next one began. Raises StoreError where
    something is damaged, sqlite3.DatabaseError where it cannot even be read.
    """
    said = _said(path)
    if said:
        raise _log_damaged(path, said)
    _check_pages(connection, path)
    if not each_synced:
        return
    accepted = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1]
    damage = wal.damage(path, accepted)
    if damage:
        # Closing removes the log, and what is left would pass: the mark has to say it.
        with suppress(OSError):
            _mark(path).write_text(damage, "utf-8")
        raise _log_damaged(path, damage)


def _check_pages(connection: sqlite3.Connection, path: Path) -> None:
    if path.stat().st_size > CHECKED_BYTES_MAX:
        return
    with suppress(OSError):  # where no mark can be made there is still the message
        _mark(path).touch()
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise StoreError(
            f"{path} is damaged: quick_check: {' '.join(str(found).split())}",
            hint=way_back(path),
            code="store.corrupt",
        )
    with suppress(OSError):
        _mark(path).unlink(missing_ok=True)


def _mark(path: Path) -> Path:
    return path.with_name(path.name + DAMAGED)


def _log(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _said(path: Path) -> str:
    """What an earlier start found in a log that is gone by now, or ""."""
    try:
        return _mark(path).read_text("utf-8", "replace")
    except OSError:
        return ""


def _log_damaged(path: Path, damage: str) -> StoreError:
    return StoreError(
        f"{_log(path)} is damaged, commits that were acknowledged are lost: {damage}",
        hint=f"{way_back(path)}; or remove {_mark(path)} and go on with what is left",
        code="store.corrupt",
    )


def unusable(path: Path, error: sqlite3.Error) -> StoreError:
    """What SQLite's error means for a database that is being opened or read.

    What is no damage must not be answered by a restoration: it costs whatever happened since.
    """
    name = getattr(error, "sqlite_errorname", "")
    for begins, told, hint, code in _SOUND:
        if name.startswith(begins):
            return StoreError(f"{path} {told}: {error}", hint=hint, code=code)
    return StoreError(
        f"{path} cannot be read: {error} ({name})", hint=way_back(path), code="store.corrupt"
    )


def way_back(path: Path) -> str:
    """The command that restores the last backup, by name where the database can still tell it."""
    data = shlex.quote(str(path.parent))
    backup = _last_backup(path)
    if backup:
        return f"restore the last backup: hairspring restore {shlex.quote(backup)} --data {data}"
    return f"restore the last backup: hairspring restore FILE --data {data}"


def _last_backup(path: Path) -> str:
    """The newest backup that was noted and is still there, or ""."""
    newest_first = "SELECT path FROM backups ORDER BY number DESC"
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            noted = [str(row[0]) for row in connection.execute(newest_first)]
    except sqlite3.Error:
        return ""
    return next((backup for backup in noted if Path(backup).exists()), "")
