"""Instants at which something is to be looked at again, each once, however many ask for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

ASLEEP_MAX_S: Final = 60.0
"""How long is slept at once: logical time is slewed, and jumps where the machine was asleep."""


class Looks:
    """Looks that are still to come; in memory alone, at instants of logical time.

    Args:
        look: Called at each of them, or a little later.
        now_ms: Logical now.
        rate: Logical milliseconds a real one.
    """

    def __init__(
        self, look: Callable[[], None], *, now_ms: Callable[[], int], rate: float = 1.0
    ) -> None:
        self._look = look
        self._now_ms = now_ms
        self._rate = rate
        self._at_ms: set[int] = set()

    def at(self, at_ms: int) -> None:
        """Look once it is that instant. O(1)."""
        if at_ms not in self._at_ms:
            self._at_ms.add(at_ms)
            self._sleep_until(at_ms)

    def _sleep_until(self, at_ms: int) -> None:
        left_s = max(at_ms - self._now_ms(), 1) / 1000 / self._rate
        asyncio.get_running_loop().call_later(min(left_s, ASLEEP_MAX_S), self._wake, at_ms)

    def _wake(self, at_ms: int) -> None:
        if self._now_ms() < at_ms:
            self._sleep_until(at_ms)
            return
        self._at_ms.discard(at_ms)
        self._look()
