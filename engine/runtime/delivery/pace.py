"""How fast attempts may follow one another on a channel: `rate` of its settings."""

from __future__ import annotations

from typing import Final

SLACK_S: Final = 0.01
"""How far an attempt that a busy loop began late may be made up for by the ones behind it."""


class Pace:
    """Attempts evenly spaced, at most `rate` a second.

    By the generic cell rate algorithm (ITU-T I.371), with a tolerance of `SLACK_S`.

    Args:
        rate: Attempts a second, real time; 0: no limit.
    """

    def __init__(self, rate: float) -> None:
        self._each_s = 1 / rate if rate else 0.0
        self._next_s = 0.0

    def wait_s(self, now_s: float) -> float:
        """How long until the next attempt may begin; 0 where it may at once."""
        return max(0.0, self._next_s - now_s) if self._each_s else 0.0

    def spend(self, now_s: float) -> None:
        """An attempt begins."""
        if self._each_s:
            self._next_s = max(self._next_s, now_s - SLACK_S) + self._each_s
