"""The data folder belongs to one process at a time: `flock` on a file in it."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from engine.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self


class DataFolder:
    """An open, locked data folder; the lock goes with the process, however it ends."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def take(cls, path: Path) -> Self:
        """Make the folder where it is missing, and lock it.

        Raises StoreError where another process has it, or it cannot be written.
        """
        try:
            path.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(
                f"the data folder {path} cannot be used: {error.strerror}",
                hint="give a folder that this user may write with --data",
                code="store.folder",
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
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

    def release(self) -> None:
        """Give the folder back; harmless when done twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
