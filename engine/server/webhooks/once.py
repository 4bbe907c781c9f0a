"""Tokens that are good for one call (Mailgun's), known again as long as their signature is good.

Such a signature is over the token and an instant, and not over the call: whoever has heard one
could say anything by it, until it is too old. What a call had said is known again by its message
ids in any case; a call that had said nothing of anybody has none.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from engine.server.answers import Refusal
from engine.server.webhooks.signatures import TOLERANCE_MS

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKENS_MAX: Final = 100_000
"""Of ten minutes; the oldest go. None gets here that its source has not signed."""


def again() -> Refusal:
    """The call was taken before, and is not to be sent any more."""
    return Refusal(406, "webhook.again", "this call was taken before")


class Tokens:
    """Those of calls that were taken, or are being taken."""

    def __init__(self) -> None:
        self._taken_at_ms: dict[str, int] = {}  # in order of time

    @contextmanager
    def taken(self, token: str, now_ms: int) -> Iterator[None]:
        """While a call is taken: where that fails, its token is good once more. O(1), in the mean.

        Raises Refusal (406) for a token that was taken before.
        """
        if token in self._taken_at_ms:
            raise again()
        self._forget(now_ms)
        self._taken_at_ms[token] = now_ms
        try:
            yield
        except BaseException:
            self._taken_at_ms.pop(token, None)
            raise

    def _forget(self, now_ms: int) -> None:
        # A signature may be ahead by the tolerance, and is good for as long after its instant.
        while self._taken_at_ms:
            oldest, at_ms = next(iter(self._taken_at_ms.items()))
            if at_ms >= now_ms - 2 * TOLERANCE_MS and len(self._taken_at_ms) < TOKENS_MAX:
                return
            del self._taken_at_ms[oldest]
