"""A backup in the place of a database, whole or not at all, whatever ends the process half way.

The backup is checked and copied beside the database under a name that says so; that file, complete
and on disk, is the decision. From there on whoever opens the database first brings it to its end:
what was there is moved aside with its write-ahead log, and the copy gets the name. Without that a
crash could leave a new database beside an old log, or no database, as of a new shop.
"""

from __future__ import annotations

import glob
import os
import shutil
from typing import TYPE_CHECKING, Final

from engine.errors import StoreError
from engine.failpoints import come_to
from engine.store.backup import check_backup, sync_folder
from engine.store.soundness import DAMAGED

if TYPE_CHECKING:
    from pathlib import Path

STAGED: Final = ".restoring-"
"""Stands between the name of a database and the instant of its restoration."""

ASIDE: Final = ".before-"
"""Stands between the name of a database that was replaced and that instant."""

_FILES: Final = ("", "-wal", "-shm", DAMAGED)
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
        part.unlink(missing_ok=True)
        made = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with backup.open("rb") as source, os.fdopen(made, "wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
            copy.flush()
            os.fsync(copy.fileno())
        check_backup(part)  # what was read is what was written
        part.rename(path.with_name(path.name + STAGED + stamp))
        sync_folder(path.parent)
    except OSError as error:
        raise StoreError(
            f"{backup} could not be copied to {path.parent}: {error.strerror}",
            hint="see that the data folder can be written and has room; nothing was changed",
            code="restore.failed",
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return finish_restore(path)


def finish_restore(path: Path) -> Path | None:
    """Bring a restoration of this database to its end, if there is one. Raises StoreError.

    Returns what the database that was there is called now, where one was.
    """
    staged = max(path.parent.glob(glob.escape(path.name) + STAGED + "*"), default=None)
    if staged is None:
        return None
    aside = path.with_name(path.name + ASIDE + staged.name.rpartition(STAGED)[2])
    try:
        # The log first: without it the old database is still one, and with it the new is none.
        for end in reversed(_FILES):
            old = path.with_name(path.name + end)
            if old.exists():
                old.rename(aside.with_name(aside.name + end))
                sync_folder(path.parent)
                come_to("in-restore")
        staged.rename(path)
        sync_folder(path.parent)
    except OSError as error:
        raise StoreError(
            f"{staged} could not be put in the place of {path}: {error.strerror}",
            hint="make the data folder writable; the next start, or restore, goes on with it",
            code="restore.failed",
        ) from error
    return aside if aside.exists() else None
