"""The keys that a process makes for itself, where the shop names none: to operate, and to sign."""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from channels.keeping import keep_secret
from engine.errors import ServeError

if TYPE_CHECKING:
    from config.serving import Keys

FILE: Final = "admin.key"
"""The admin key's name in the data folder."""

SIGNING_FILE: Final = "signing.key"
"""The signing key's."""

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
    return _take(configured, data / FILE, "admin")


def take_signing_keys(keys: Keys, data: Path) -> list[str]:
    """What links and users' tokens are signed with, and then what they were signed with before.

    As `take_admin_key`. A key that is configured does not make links of before invalid that the
    data folder's own has signed.
    """
    made = data / SIGNING_FILE
    own = [] if keys.signing and not made.exists() else [_take("", made, "signing").key]
    known = [keys.signing, *own, *keys.signing_previous]
    return [*dict.fromkeys(key for key in known if key)]


def _take(configured: str, path: Path, name: str) -> AdminKey:
    if configured:
        return AdminKey(configured)
    try:
        if not path.exists():
            return AdminKey(keep_secret(path, secrets.token_urlsafe(_RANDOM_BYTES)), path)
        key = path.read_text("ascii", "replace").strip()
    except OSError as error:
        raise ServeError(
            f"the {name} key in {path} cannot be used: {error.strerror}",
            hint=f"let this user read and write the data folder, or set keys.{name}",
            code=f"serve.{name}_key",
        ) from error
    if not _FORM.fullmatch(key):
        raise ServeError(
            f"{path} holds no {name} key",
            hint=f"remove the file, and the next start makes one; or set keys.{name}",
            code=f"serve.{name}_key",
        )
    return AdminKey(key)
