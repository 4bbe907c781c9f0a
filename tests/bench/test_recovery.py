"""What the benchmark of a restart restarts on."""

from __future__ import annotations

from bench.recovery import Recovery
from engine.store.soundness import was_cut_short


def test_each_start_finds_the_files_that_a_kill_leaves() -> None:
    recovery = Recovery()
    with recovery.prepare(1_000) as left:
        outcomes = [recovery.ours(left).outcome, recovery.ours(left).outcome]

        assert outcomes == [recovery.reference(left).outcome] * 2
        with left.again() as path:
            assert was_cut_short(path)
