"""What a backup holds of the files that stand beside a database.

Links in mails that went out are good as long as there is the key that signed them, and browsers
are subscribed to one push key for good: without them a restoration on another machine would leave
dead unsubscribe links and no subscription. Configured keys are the shop's to keep. The admin key is
not among them: a backup in the wrong hands must open no running process.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

FILES: Final = ("push.key", "signing.key")

_ROW: Final = "beside:"
"""Begins the name of such a row in `meta`."""


def put_into(backup: Path, folder: Path) -> None:
    """Have a backup hold the files of a data folder. Raises OSError and sqlite3.Error."""
    with closing(sqlite3.connect(backup)) as connection, connection:
        # It has its name yet to get: a kill leaves no journal beside it, which the next would take.
        connection.execute("PRAGMA journal_mode = MEMORY").fetchone()
        for name in FILES:
            file = folder / name
            connection.execute("DELETE FROM meta WHERE name = ?", (_ROW + name,))
            if file.exists():
                row = (_ROW + name, file.read_text("utf-8", "replace"))
                connection.execute("INSERT INTO meta (name, value) VALUES (?, ?)", row)


def take_out(database: Path, folder: Path, aside: str) -> None:
    """Have a data folder hold the files that a database brings; what differs is moved aside.

    Done again, it changes nothing. `aside` ends the names of what was there. Raises OSError and
    sqlite3.Error.
    """
    with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as source:
        rows = source.execute("SELECT name, value FROM meta WHERE name GLOB ?", (f"{_ROW}*",))
        brought = {name.removeprefix(_ROW): value for name, value in rows}
    for name in FILES:
        file = folder / name
        if name not in brought:
            continue
        there = file.read_text("utf-8", "replace") if file.exists() else None
        if there == brought[name]:
            continue
        fresh = folder / f".{name}.part"
        fresh.unlink(missing_ok=True)
        made = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(made, "w", encoding="utf-8") as written:
            written.write(brought[name])
            written.flush()
            os.fsync(written.fileno())
        if there is not None:
            file.rename(folder / f"{name}{aside}")
        fresh.rename(file)
