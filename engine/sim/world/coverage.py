"""Which states worlds were seen in, so that it can be told whether more seeds find anything new."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from zlib import crc32

from engine.core.messages.waiting import each_message

if TYPE_CHECKING:
    from engine.sim.world.process import Process

FEW: Final = 3
"""What is counted is told apart up to here."""


def state_of(process: Process, lives: int, *, healed: bool) -> int:
    """A hash of where everybody is, with names, instants and most numbers taken away. O(users).

    The same for the same state in any process.
    """
    shell, processor = process.shell, process.processor
    users = sorted(
        (
            min(len(user.enrollments), FEW),
            min(len(user.pending), FEW),
            user.held_until_ms > processor.now_ms,
            any(one.cancelled for one in each_message(user.pending)),
            bool(user.suppressed),
        )
        for user in processor.users.values()
    )
    seen = (
        bool(shell.failure),
        min(shell.inbox.waiting, FEW),
        processor.awaited() > processor.finished,
        min(len(process.dispatcher), FEW),
        min(lives, FEW),
        healed,
        users,
    )
    return crc32(repr(seen).encode())
