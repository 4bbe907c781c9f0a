"""How long a failed delivery waits before its next attempt."""

from __future__ import annotations

from typing import Final

BASE_MS: Final = 1_000
"""The ceiling of the first wait, milliseconds."""

CAP_MS: Final = 15 * 60 * 1_000
"""No wait of our own choosing is longer, milliseconds."""

AFTER_MS_MAX: Final = 24 * 60 * 60 * 1_000
"""A provider's wish for a longer wait is cut to this, milliseconds."""

_EXPONENT_MAX: Final = 32


def retry_delay_ms(attempt: int, *, after_ms: int | None, jitter: float) -> int:
    """How long to wait after an attempt failed: exponential, capped, with equal jitter.

    The ceiling doubles with each attempt; half of it is waited for sure and the other half is
    spread, so that what failed together does not come back together and nothing comes back at
    once (Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015). What the
    provider asked for is the least that is waited, with the same spread on top of it.

    Args:
        attempt: How many attempts have failed, 1 or more.
        after_ms: The provider's wish (`Retry.after_ms`), if any.
        jitter: In [0, 1), drawn by the caller, who owns the randomness.

    Returns:
        Milliseconds, from `BASE_MS // 2` to `AFTER_MS_MAX + CAP_MS // 2`.
    """
    assert attempt >= 1
    assert 0 <= jitter < 1
    ceiling_ms = min(CAP_MS, BASE_MS << min(attempt - 1, _EXPONENT_MAX))
    half_ms = ceiling_ms // 2
    spread_ms = int((ceiling_ms - half_ms) * jitter)
    return max(half_ms, min(after_ms or 0, AFTER_MS_MAX)) + spread_ms
