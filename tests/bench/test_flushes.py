"""Bare flushes beside a measurement."""

from __future__ import annotations

from threading import active_count
from typing import TYPE_CHECKING

from bench.flushes import FILE_BYTES, Flushes

if TYPE_CHECKING:
    from pathlib import Path


def test_flushes_go_on_until_they_are_ended_and_the_file_does_not_grow(tmp_path: Path) -> None:
    path, threads = tmp_path / "flushed", active_count()
    flushes = Flushes(path, gap_ms=0.0)
    while len(flushes.late_ns) < FILE_BYTES // 40_000:
        pass
    flushes.end()

    assert active_count() == threads
    assert path.stat().st_size == FILE_BYTES
    assert min(flushes.late_ns) > 0
