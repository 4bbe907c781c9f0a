"""How many files, and so connections, this process may have open."""

from __future__ import annotations

import resource
from typing import Final

OPEN_FILES_MAX: Final = 65_536
"""What the limit is raised to at most: some systems allow a billion, and size tables by it."""

_SHARE = 4


def raise_open_files() -> int:
    """Raise the process's limit of open files as far as it may, and say what it is then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = OPEN_FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES_MAX)
    if soft == resource.RLIM_INFINITY or soft >= most:
        return OPEN_FILES_MAX if soft == resource.RLIM_INFINITY else soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError):
        return soft  # some systems have a lower bound of their own, which nobody tells
    return most


def connections_within(files: int, *, reserved: int, most: int) -> int:
    """How many connections of `files` may be clients', `reserved` being for all else; at least 1.

    Where `reserved` is nearly everything, clients still get a quarter: some of it is only ever
    needed at once when much is under way.
    """
    return max(1, min(most, max(files - reserved, files // _SHARE)))
