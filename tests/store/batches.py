"""A batch of nothing, for tests to put something into."""

from __future__ import annotations

from engine.store import Batch
from tests.core.world import START

EMPTY = Batch(1, START, 1, 0, b"", b"", set(), [], [], [], 1, [], [], [], [], 1, 1)
