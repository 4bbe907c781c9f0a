"""The witness itself: who keeps a promise is not blamed, and who breaks it is."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from engine.core import ids
from engine.core.inputs import InputErased, TriggerReceived, encode_inputs
from engine.sim.world.disk import Disk, FaultyConnection
from engine.sim.world.loop import WorldLoop
from engine.sim.world.machine import Machine
from engine.sim.world.scenario import stream
from engine.sim.world.shop import world_shop
from engine.sim.world.violation import Violation
from engine.sim.world.witness import Witness
from engine.store.schema import prepare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.core.inputs import Input

AGAIN = TriggerReceived("who", "hand", 9, message_id="who-1")
"""What was sent before, and not answered; it happens as it is received."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path, Machine(), stream(0, "disk"), lambda _: False, lambda _: None)
    worker = disk.serve(loop := WorldLoop(disk.machine))
    with closing(FaultyConnection(disk.path, isolation_level=None)) as worker.connection:
        prepare(worker.connection, disk.path, "full")
        yield disk
    loop.bury()


def keep(disk: Disk, happened: Input) -> None:
    assert disk.connection is not None
    row = (1, 1, 5, b"", encode_inputs([happened]))
    disk.connection.execute("INSERT OR REPLACE INTO journal VALUES (?, ?, ?, ?, ?)", row)


def erase(disk: Disk) -> None:
    """As the start does that finds the erasure begun."""
    assert disk.connection is not None
    keep(disk, InputErased(5))
    row = (ids.digest("who"), 7, None, 1)
    disk.connection.execute("INSERT INTO tombstones VALUES (?, ?, ?, ?)", row)


def test_what_a_torn_commit_held_and_a_start_erased_may_be_known_by_its_id(disk: Disk) -> None:
    witness = Witness(disk, [world_shop()])
    witness.see_erasure_begun("who")
    keep(disk, TriggerReceived("who", "hand", 5, message_id="who-1", at_ms=5))
    witness.see_end()  # the power goes in the commit: nobody looked at what it held
    witness.see_opened()
    erase(disk)
    witness.see_what_is_there()
    witness.see_answered([AGAIN])


def test_what_no_start_found_may_not_be_acknowledged_behind_an_erasure(disk: Disk) -> None:
    witness = Witness(disk, [world_shop()])
    witness.see_erasure_begun("who")
    witness.see_end()
    witness.see_opened()
    erase(disk)
    witness.see_what_is_there()
    with pytest.raises(Violation, match="200 means on disk"):
        witness.see_answered([AGAIN])
