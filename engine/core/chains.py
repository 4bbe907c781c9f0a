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
    return maker is not None and _left(maker, at_ms)[0] >= LINKS_MAX


def next_link(maker: Enrollment | None, at_ms: int) -> tuple[int, ...]:
    """The chain of those whom it brings in by what it makes now; () where it is none's doing."""
    if maker is None:
        return ()
    links, since_ms = _left(maker, at_ms)
    return links + 1, since_ms


def _left(maker: Enrollment, at_ms: int) -> tuple[int, int]:
    """How many of the links that led to it count at an instant, and since when.

    What is left over of a minute counts for the next link: two short waits take as much as a long
    one.
    """
    if not maker.chain:
        return 0, at_ms
    links, since_ms = maker.chain
    forgotten = max(0, at_ms - since_ms) // LINK_MS
    if forgotten >= links:
        return 0, at_ms
    return links - forgotten, since_ms + forgotten * LINK_MS
