"""Is anything holding the loop up? A timer that says how late it is called.

All of the process is one loop: what works for longer than a slice makes everybody wait, be it a
callback, a collection of garbage, or a neighbour on the machine. A stall of any kind is seen by the
timer that was due meanwhile; one that is shorter than the interval, by the share of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    import asyncio

    from prometheus_client import Histogram

LOOK_EVERY_S: Final = 0.02
"""Costs some ten microseconds a look: a two-thousandth of a core."""

TOLD_FROM_S: Final = 0.25
"""A stall this long is logged: clients notice it."""

_log = structlog.get_logger("hairspring")


class StallWatch:
    """Measures how late the loop is.

    Args:
        loop: Whose.
        seconds: Gets every measurement.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: Histogram) -> None:
        self._loop = loop
        self._seconds = seconds
        self._due_s = loop.time() + LOOK_EVERY_S
        self._timer = loop.call_at(self._due_s, self._look)

    def stop(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _look(self) -> None:
        now_s = self._loop.time()
        late_s = max(0.0, now_s - self._due_s)
        self._seconds.observe(late_s)
        if late_s >= TOLD_FROM_S:
            _log.warning("loop.stalled", ms=round(late_s * 1_000))
        self._due_s = now_s + LOOK_EVERY_S
        self._timer = self._loop.call_at(self._due_s, self._look)
