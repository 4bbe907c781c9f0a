"""Where a process can be told to die: a testing tool, off unless it is asked for.

`HAIRSPRING_FAILPOINTS=in-commit=3` has the process send itself SIGKILL as it comes to that point
for the third time; several are given with commas. No exception, no `finally`, no flush: what is on
the disk then is what the next start gets. A point that is not armed costs a look at an empty dict;
none is in the way of a single event.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Final

from engine.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE: Final = "HAIRSPRING_FAILPOINTS"
"""The environment variable that arms points."""

POINTS: Final[Mapping[str, str]] = {
    "before-commit": "a batch is sealed, and nothing of it is written",
    "in-commit": "all of a batch with messages is written, and not committed",
    "after-commit": "a batch is durable, and nobody has heard of it",
    "before-release": "clients were answered, and no message was let out",
    "after-coupons": "codes are somebody's, and the messages that tell them are not rendered",
    "before-hand-over": "a message's bytes are stored, and its channel has not got it",
    "after-hand-over": "a channel has taken a message, and nobody has heard of it",
    "before-outcome": "an outcome is about to be put behind what waits to be taken",
    "in-pruning": "a slice of what is old was deleted, and that is not committed",
    "in-archive": "a slice of the archive's index and floors is written, and not committed",
    "in-drain": "everything taken is durable, and not everybody is saved",
    "in-recovery": "all is read, and nothing is replayed",
    "after-recovery": "all is replayed, and nothing new was taken or delivered",
    "in-plan-change": "another plan is in force, and that is not durable",
    "in-finding": "a slice of the archive was read, or some of what it has was found, for a plan",
    "in-erasure": "between two steps of the erasure of a user",
    "in-migration": "a change of the schema is made, and not committed",
    "in-backup": "a backup is complete, and does not bear its name yet",
    "in-restore": "between two files of a restoration that change their names",
}
"""Every point, and what holds as it is come to."""

_left: dict[str, int] = {}
"""Armed points: how often each is still come to, the last time to die there."""


def arm(said: str) -> None:
    """Arm points, as `NAME=N,NAME=N`; N counts from 1.

    Raises UsageError for what names no point, and arms none then: a test of one that is never come
    to tests nothing.
    """
    armed: dict[str, int] = {}
    for one in said.split(","):
        name, _, count = one.strip().partition("=")
        if name not in POINTS:
            raise UsageError(
                f"{VARIABLE} names a failpoint that there is not: {name or 'an empty one'}",
                hint=f"there are {', '.join(POINTS)}",
            )
        if not count.isdecimal() or not int(count):
            raise UsageError(
                f"{VARIABLE} does not say how often {name} is come to: {one.strip()}",
                hint=f"write {name}=1 to die there the first time",
            )
        armed[name] = int(count)
    _left.update(armed)


def come_to(name: str) -> None:
    """Die here where that was asked for. O(1)."""
    if _left:
        _count(name)


def _count(name: str) -> None:
    assert name in POINTS, name
    if name in _left:
        _left[name] -= 1
        if not _left[name]:
            os.kill(os.getpid(), signal.SIGKILL)
