"""The data folder belongs to one process at a time: `flock` on a file in it.

The file says who that is, and where he can be asked: commands find a running process by the data
folder alone. Only its user may read it. What it says counts only while it is locked, so that no end
of a process, however sudden, leaves anything behind that has to be cleared away.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING, Final

import msgspec

from engine.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

LOCK: Final = "lock"
"""Its name in the data folder."""

_SAID_BYTES_MAX: Final = 4_096


class Holder(msgspec.Struct, frozen=True):
    """Who has a data folder.

    Attributes:
        pid: His process; "" where he has not said it yet.
        url: Where his admin port answers, or "": he is still starting, or is a command.
        token: What admits there, as the admin key does, for as long as this process lives.
    """

    pid: str = ""
    url: str = ""
    token: str = ""


def holder_of(path: Path) -> Holder:
    """What the one who has a data folder says of himself. Raises StoreError if it is unreadable."""
    try:
        said = (path / LOCK).read_text("utf-8", "replace")
    except OSError as error:
        raise StoreError(
            f"who has the data folder {path} cannot be read: {error.strerror}",
            hint="run this as the user of the running process",
            code="store.folder",
        ) from error
    return Holder(*said.split("\n")[:3])


class DataFolder:
    """An open, locked data folder; the lock goes with the process, however it ends."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def take(cls, path: Path) -> Self:
        """Make the folder where it is missing, and lock it.

        Raises StoreError where another process has it (`store.in_use`), or it cannot be written.
        """
        try:
            path.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(
                f"the data folder {path} cannot be used: {error.strerror}",
                hint="give a folder that this user may write with --data",
                code="store.folder",
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            said = os.pread(descriptor, _SAID_BYTES_MAX, 0).decode("utf-8", "replace")
            holder = said.partition("\n")[0]
            os.close(descriptor)
            raise StoreError(
                f"the data folder {path} is in use by another process"
                + (f" (pid {holder})" if holder else ""),
                hint="stop that process, or give another folder with --data",
                code="store.in_use",
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return cls(path, descriptor)

    def announce(self, url: str, token: str) -> None:
        """Say where the admin port answers, and what admits there (`holder_of`)."""
        os.pwrite(self._descriptor, f"{os.getpid()}\n{url}\n{token}\n".encode(), 0)

    def release(self) -> None:
        """Give the folder back; harmless when done twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
