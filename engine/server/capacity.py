"""How many files, and so connections, this process may have open."""

from __future__ import annotations

import resource
from typing import Final

import structlog

from engine.server.connections import CONNECTIONS_MAX

OPEN_FILES_MAX: Final = 65_536
"""What the limit is raised to at most: some systems allow a billion, and size tables by it."""

FILES_RESERVED: Final = 192
"""Files that are no client's: the store's, the loop's, the log's, the admin port's connections,
those of name look-ups, and those that are turned away. Each delivery under way has one more."""

_SHARE = 4

_log = structlog.get_logger("hairspring")


def connections_for(deliveries: int) -> int:
    """How many connections clients may have open, with files left for all else.

    Args:
        deliveries: How many may be under way at one time.
    """
    files = raise_open_files()
    reserved = FILES_RESERVED + deliveries
    most = connections_within(files, reserved=reserved, most=CONNECTIONS_MAX)
    if most < CONNECTIONS_MAX:
        hint = "raise the limit of open files: ulimit -n, or LimitNOFILE= of a service"
        _log.warning("connections.few", most=most, open_files=files, hint=hint)
    return most


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
