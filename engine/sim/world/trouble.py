"""When the machine stands still, its wall clock is set, and its disk is full, busy or slow."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from engine.sim.world.machine import MS

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.sim.world.disk import Disk
    from engine.sim.world.machine import Machine
    from engine.sim.world.scenario import Chance

TIMES: Final = 2
"""How often each kind of trouble may begin."""

HOUR_MS: Final = 3_600_000

LENGTHS_MS: Final = (20, 900, 3_000, 70_000, HOUR_MS, 20 * HOUR_MS)
"""How long the machine stands still, or how far its clock is set."""

SPOILED_MS_MAX: Final = 10_000
"""A disk is full, busy or slow for no longer than this at a time."""


class Trouble:
    """What befalls the machine and its disk, at instants drawn once."""

    def __init__(
        self,
        machine: Machine,
        disk: Disk,
        chance: Chance,
        may: Callable[[str], bool],
        reach: Callable[[str], None],
    ) -> None:
        self._machine = machine
        self._disk = disk
        self._chance = chance
        self._may = may
        self._reach = reach

    def begin(self, unsafe_ms: int) -> None:
        """Draw it all, for so long from now."""
        chance = self._chance
        for kind, act in (
            ("stall", self._stall),
            ("wall_ahead", self._set_wall),
            ("wall_back", self._set_wall),
            ("wall_drift", self._set_wall),
            ("disk_full", self._spoil),
            ("disk_busy", self._spoil),
            ("disk_slow", self._spoil),
        ):
            for _ in range(TIMES):
                at_ns = chance.randrange(unsafe_ms) * MS
                self._machine.after(at_ns, partial(act, kind, chance.choice(LENGTHS_MS)))

    def _stall(self, kind: str, by_ms: int) -> None:
        if self._may(kind):
            self._reach(kind)
            self._machine.now_ns += by_ms * MS

    def _set_wall(self, kind: str, by_ms: int) -> None:
        machine = self._machine
        if not self._may(kind):
            return
        self._reach(kind)
        if kind == "wall_drift":
            machine.set_wall(0, by_ms % 1_999 - 1_000)
        else:
            machine.set_wall(by_ms if kind == "wall_ahead" else -by_ms, machine.drift_ppm)

    def _spoil(self, kind: str, by_ms: int) -> None:
        """What it spoils is told by the disk, once it meets it."""
        disk = self._disk
        until_ns = self._machine.now_ns + min(by_ms, SPOILED_MS_MAX) * MS
        if kind == "disk_full":
            disk.full_until_ns = until_ns
        elif kind == "disk_busy":
            disk.busy_until_ns = until_ns
        else:
            disk.slow_until_ns = until_ns
