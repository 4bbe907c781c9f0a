"""The wall clock in whole milliseconds, as campaigns and events say when something is due."""

from __future__ import annotations

import time

NS_PER_MS = 1_000_000


def now_ms() -> int:
    """The present instant."""
    return time.time_ns() // NS_PER_MS


def sleep_until(at_ms: int) -> None:
    """Return at an instant, or at once where that is past."""
    time.sleep(max(0.0, at_ms / 1_000 - time.time()))
