"""Backups made while the process serves, and the day on which the newest has to stand in.

The machine's disk is lost, or somebody makes a mistake that he wants undone: while no process runs,
the backup is restored, onto a new disk or over what is there. What came since is gone, but for what
clients send again; who was erased since is erased once more, as the reference tells operators to.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from engine.sim.world.machine import MS
from engine.store.restore import restore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engine.sim.world.disk import Disk
    from engine.sim.world.machine import Machine
    from engine.sim.world.operator import Operator
    from engine.sim.world.process import Process
    from engine.sim.world.scenario import Chance
    from engine.sim.world.witness import Witness

BACKUPS: Final = 3
"""How often the shop may be backed up."""

RESTORED: Final = 0.7
"""How often the end of a process is the end of its disk, once there is a backup."""


class Backup(NamedTuple):
    """One that somebody was told is made; `erased` are those who had been erased before it."""

    path: Path
    erased: frozenset[str]


class Safekeeping:
    """All backups of a world.

    Args:
        folder: Where they are.
        chance: Draws what happens.
        may: Whether a kind of fault may happen now.
        reach: Told of each fault that did.
        running: The process, where one serves.
    """

    def __init__(
        self,
        folder: Path,
        machine: Machine,
        chance: Chance,
        may: Callable[[str], bool],
        reach: Callable[[str], None],
        running: Callable[[], Process | None],
    ) -> None:
        self._folder = folder
        self._machine = machine
        self._chance = chance
        self._may = may
        self._reach = reach
        self._running = running
        self._made: list[Backup] = []
        self._begun = 0

    def begin(self, operator: Operator, unsafe_ms: int) -> None:
        """Draw when backups are made, in so long from now."""
        for _ in range(BACKUPS):
            at_ns = self._chance.randrange(unsafe_ms) * MS
            self._machine.after(at_ns, partial(self._back_up, operator))

    def _back_up(self, operator: Operator) -> None:
        process = self._running()
        if process is None or not self._may("backed_up"):
            return
        self._begun += 1
        backup = Backup(self._folder / f"backup-{self._begun}.db", frozenset(operator.erased))

        def made() -> None:
            self._reach("backed_up")
            self._made.append(backup)

        process.back_up(backup.path, made)

    def stand_in(self, disk: Disk, operator: Operator, witness: Witness) -> None:
        """No process runs: restore the newest backup, now and then."""
        chance = self._chance
        if not self._made or not self._may("restored") or chance.random() >= RESTORED:
            return
        self._reach("restored")
        backup = self._made[-1]
        if chance.random() < 0.5:  # noqa: PLR2004 - half
            disk.move((b"", b""))
        restore(backup.path, disk.path, "19700101T000000Z")
        witness.see_restored(backup.path)
        operator.erase_again(backup.erased)
