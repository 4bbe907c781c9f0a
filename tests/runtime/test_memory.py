"""Each object is looked at once; what nobody refers to is freed all the same."""

from __future__ import annotations

import gc
import platform
import subprocess
import sys
import weakref
from typing import TYPE_CHECKING

import pytest

from engine.runtime.memory import YOUNG_MAX, release_collector, settle_collector

if TYPE_CHECKING:
    from collections.abc import Iterator


class Node:
    """Something that may refer to itself."""

    def __init__(self) -> None:
        self.itself: Node | None = None


@pytest.fixture
def seen() -> Iterator[list[int]]:
    """Generations of the collections that there were, since the collector was settled."""
    generations: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            generations.append(info["generation"])

    settle_collector()
    gc.callbacks.append(note)
    yield generations
    gc.callbacks.remove(note)
    release_collector()


def test_what_outlives_a_young_collection_is_never_looked_at_again(seen: list[int]) -> None:
    before = gc.get_freeze_count()
    kept = [[number] for number in range(20 * YOUNG_MAX)]
    assert set(seen) == {0}
    assert gc.get_freeze_count() - before > len(kept) - 2 * YOUNG_MAX
    assert gc.get_count()[0] <= YOUNG_MAX


def test_a_cycle_that_nobody_refers_to_is_freed_by_the_next_young_collection(
    seen: list[int],
) -> None:
    node = Node()
    node.itself = node
    gone = weakref.ref(node)
    del node
    kept = [[number] for number in range(2 * YOUNG_MAX)]
    assert gone() is None
    assert (set(seen), len(kept)) == ({0}, 2 * YOUNG_MAX)


def test_what_was_frozen_is_freed_with_its_last_reference(seen: list[int]) -> None:
    node = Node()
    kept = [[number] for number in range(2 * YOUNG_MAX)]
    gone = weakref.ref(node)
    del node
    assert gone() is None
    assert (set(seen), len(kept)) == ({0}, 2 * YOUNG_MAX)


def test_released_the_collector_is_as_it_comes() -> None:
    callbacks, threshold = list(gc.callbacks), gc.get_threshold()
    settle_collector()
    settle_collector()
    release_collector()
    assert (gc.callbacks, gc.get_threshold()) == (callbacks, threshold)
    assert gc.get_freeze_count() == 0


_HOLES = """
from engine.runtime.memory import return_large_buffers

def held():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

return_large_buffers()
del_at_once = b"x" * 2_000_000
del del_at_once
before = held()
large, stays = [], []
for _ in range(200):
    large.append(b"x" * 500_000)
    stays.append(b"x" * 20_000)
large.clear()
print(held() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator alone keeps them")
def test_large_buffers_leave_no_holes_among_what_stays() -> None:
    command = [sys.executable, "-c", _HOLES]
    grown = int(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
    assert grown < 20_000_000  # of the hundred million that were there
