"""A file with what is known of users: written whole or not at all, and readable for one alone."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.errors import HairspringError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO


@contextmanager
def private_file(file: Path, data: Path) -> Iterator[BinaryIO]:
    """A file to write to, which gets its name, in the place of another, once it is whole.

    Args:
        file: Its name. A link is followed.
        data: The data folder that is told of; no file of its own is put out of its place.

    Raises HairspringError where it cannot be written; nothing is left of it then.
    """
    file = file.resolve()
    if file.exists() and (not file.is_file() or data.resolve() in file.parents):
        raise HairspringError(
            f"{file} is no place for an export",
            hint="give a file of its own, whose place is not in the data folder",
            code="export.place",
        )
    part = file.with_name(f".{file.name}.part")
    try:
        part.unlink(missing_ok=True)
        made = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(made, "wb") as raw:
            yield raw
        part.rename(file)
    except OSError as error:
        raise HairspringError(
            f"{file} cannot be written: {error.strerror}",
            hint="see that its folder is there, can be written and has room",
            code="export.failed",
        ) from error
    finally:
        part.unlink(missing_ok=True)
