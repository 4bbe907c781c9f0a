"""A user's instants by event name: sorted tuples, bounded by what the plan asks for."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.core.state import User


def insert(user: User, name: str, occurred_at_ms: int, keep: int) -> None:
    """Note that `name` happened; late events find their place, past `keep` the oldest go.

    O(keep), O(1) amortised for an event in order and a small `keep`.
    """
    instants = user.history.get(name, ())
    if not instants or instants[-1] <= occurred_at_ms:
        instants = (*instants, occurred_at_ms)
    else:
        place = bisect_right(instants, occurred_at_ms)
        instants = (*instants[:place], occurred_at_ms, *instants[place:])
    if user.history:
        user.history[name] = instants[-keep:]
    else:
        user.history = {name: instants[-keep:]}


def newest(user: User, name: str) -> int:
    """The newest instant of `name`, or -1 where none is known. O(1)."""
    instants = user.history.get(name)
    return instants[-1] if instants else -1
