"""Chains of enrollments, each brought about by what one before it made.

What follows at one instant is bounded by the queue (`turn.CHANGES_MAX`); campaigns that start each
other over a wait have all the time there is. So an enrollment knows how long the chain is that it
ends. A chain may be `LINKS_MAX` long, and a link is forgotten with every `LINK_MS` that pass: one
that goes round more slowly than that goes on for ever, as a shop that writes every week means it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from engine.core.state import Enrollment

LINKS_MAX: Final = 100
"""Enrollments that may bring each other about, one after the other, faster than `LINK_MS`."""

LINK_MS: Final = 60_000


def is_spent(maker: Enrollment | None, at_ms: int) -> bool:
    """Whether what an enrollment makes now would bring about one more than may be."""
    return maker is not None and bool(maker.chain) and _links(maker, at_ms) >= LINKS_MAX


def next_link(maker: Enrollment | None, at_ms: int) -> tuple[int, ...]:
    """The chain of those whom it brings in by what it makes now; () where it is none's doing."""
    return () if maker is None else (_links(maker, at_ms) + 1, at_ms)


def _links(maker: Enrollment, at_ms: int) -> int:
    """How many of the links that led to it count at an instant."""
    if not maker.chain:
        return 0
    links, began_at_ms = maker.chain
    return max(0, links - max(0, at_ms - began_at_ms) // LINK_MS)
