"""Whether a provider is worth an attempt: the circuit breaker (Nygard, "Release It!", 2007).

| state     | attempts                    | leaves it                                         |
| --------- | --------------------------- | ------------------------------------------------- |
| closed    | as many as there may be     | opens once `FAILURES_MAX` in a row have failed    |
| open      | none, and none is used up   | half open once its pause is over                  |
| half open | one, the probe              | closes if the provider answers, else opens longer |

What fails here is the provider: a message that it puts off alone (`Retry.of_provider`) and one that
it refuses for good are answers of a provider that is there.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from channels.backoff import AFTER_MS_MAX

FAILURES_MAX: Final = 5
"""Attempts that fail in a row before it opens."""

PAUSE_MS: Final = 5_000
"""The ceiling of its first pause; it doubles with each probe that fails."""

PAUSE_MS_MAX: Final = 5 * 60_000
"""No pause of our own choosing is longer."""

_EXPONENT_MAX: Final = 16

State: TypeAlias = Literal["closed", "open", "half_open"]


class Breaker:
    """One provider's. Instants are logical, in milliseconds.

    Attributes:
        until_ms: While it is open: when it may be probed.
        failing_since_ms: Of the first attempt of those in a row that failed; 0: none did.
        reason: Why the last one failed.
    """

    __slots__ = ("_failures", "_is_open", "_is_probed", "_pauses", "failing_since_ms", "reason",
                 "until_ms")  # fmt: skip

    def __init__(self) -> None:
        self.until_ms = 0
        self.failing_since_ms = 0
        self.reason = ""
        self._failures = 0
        self._pauses = 0
        self._is_open = False
        self._is_probed = False

    @property
    def is_open(self) -> bool:
        """Whether it is open or half open."""
        return self._is_open

    def state(self, now_ms: int) -> State:
        """As the table above has it."""
        if not self._is_open:
            return "closed"
        return "half_open" if now_ms >= self.until_ms else "open"

    def admits(self, now_ms: int) -> bool:
        """Whether an attempt may be made: any while it is closed, one while it is half open."""
        return not self._is_open or (now_ms >= self.until_ms and not self._is_probed)

    def begin(self) -> None:
        """An attempt that it admits begins."""
        self._is_probed = self._is_open

    def let_go(self) -> None:
        """The attempt came to no end: nobody knows how the provider is."""
        self._is_probed = False

    def answered(self) -> bool:
        """The provider answered, be it with a no; whether that closes it."""
        was_open = self._is_open
        self._failures = self._pauses = self.failing_since_ms = 0
        self._is_open = self._is_probed = False
        return was_open

    def failed(self, reason: str, now_ms: int, *, after_ms: int | None, jitter: float) -> bool:
        """The provider failed; whether that opens it, or leaves it open for longer.

        Args:
            reason: What happened.
            now_ms: Logical now.
            after_ms: The provider's wish for how long to wait, if any: the least that is waited.
            jitter: In [0, 1), drawn by the caller.
        """
        self.reason = reason
        self._failures += 1
        self.failing_since_ms = self.failing_since_ms or now_ms
        if self._is_open and not self._is_probed:
            return False  # one that was under way as it opened
        if not self._is_open and self._failures < FAILURES_MAX:
            return False
        ceiling_ms = min(PAUSE_MS_MAX, PAUSE_MS << min(self._pauses, _EXPONENT_MAX))
        half_ms = ceiling_ms // 2
        pause_ms = max(half_ms, min(after_ms or 0, AFTER_MS_MAX)) + int(half_ms * jitter)
        self.until_ms = now_ms + pause_ms
        self._pauses += 1
        self._is_open = True
        self._is_probed = False
        return True
