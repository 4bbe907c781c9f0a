"""The last refusals of a user: one text, a line each, newest last.

As tuples they were forty objects all over memory, each touched by every further refusal and each
time that the user was saved; and an event that is refused entry is the commonest of all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

REFUSALS_MAX: Final = 20
"""Refusals kept of a user."""


def add(lines: str, at_ms: int, campaign: str, reason: str) -> str:
    """The lines with one more, and the oldest gone where they are too many. O(`REFUSALS_MAX`)."""
    if lines.count("\n") >= REFUSALS_MAX:
        lines = lines[lines.index("\n") + 1 :]
    # Ids of campaigns hold no line feed: they are checked as the shop is read.
    return f"{lines}{at_ms} {reason} {campaign}\n"


def pack(refusals: Iterable[tuple[int, str, str]]) -> str:
    """The lines of (at_ms, campaign, reason), oldest first."""
    lines = ""
    for refusal in refusals:
        lines = add(lines, *refusal)
    return lines


def unpack(lines: str) -> list[tuple[int, str, str]]:
    """The inverse of `pack`."""
    split = [line.split(" ", 2) for line in lines.splitlines()]
    return [(int(at_ms), campaign, reason) for at_ms, reason, campaign in split]
