"""The admin key that a process makes for itself, where the shop names none."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path
from typing import Final

import msgspec

from engine.errors import ServeError

FILE: Final = "admin.key"
"""Its name in the data folder."""

_RANDOM_BYTES = 24
_FORM = re.compile(r"[\x21-\x7e]{16,512}")


class AdminKey(msgspec.Struct, frozen=True):
    """The key that operators show.

    Attributes:
        key: The secret.
        made_at: The file that was made for it just now, or None.
    """

    key: str
    made_at: Path | None = None


def take_admin_key(configured: str, data: Path) -> AdminKey:
    """The key: as configured, else the one in the data folder, which is made at the first start.

    Only the user of the process may read the file. The folder must be locked. Raises ServeError
    where the file cannot be read or written, or holds no key.
    """
    if configured:
        return AdminKey(configured)
    path = data / FILE
    try:
        if not path.exists():
            return AdminKey(_make(path), path)
        key = path.read_text("ascii", "replace").strip()
    except OSError as error:
        raise ServeError(
            f"the admin key in {path} cannot be used: {error.strerror}",
            hint="let this user read and write the data folder, or set keys.admin",
            code="serve.admin_key",
        ) from error
    if not _FORM.fullmatch(key):
        raise ServeError(
            f"{path} holds no admin key",
            hint="remove the file, and the next start makes one; or set keys.admin",
            code="serve.admin_key",
        )
    return AdminKey(key)


def _make(path: Path) -> str:
    key = secrets.token_urlsafe(_RANDOM_BYTES)
    # Under another name first: a crash between leaves no half of a key.
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(key + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)
    return key
