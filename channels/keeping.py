"""A secret in a file of its own: made once, and read by nobody else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def keep_secret(path: Path, secret: str) -> str:
    """Write a secret to a file of mode 0600, durable as its name appears. Returns it.

    Raises OSError. The folder must be there.
    """
    # Under another name first: a crash between leaves no half of a key.
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secret + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)
    return secret
