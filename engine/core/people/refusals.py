"""The last refusals of a user: one text, a line each, newest last.

Once it has as many lines as it may it begins with an empty one, so that nobody needs to count them:
from then on each further one takes the place of the oldest.

As tuples they were forty objects all over memory, each touched by every further refusal and each
time that the user was saved; and an event that is refused entry is the commonest of all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

REFUSALS_MAX: Final = 20
"""Refusals kept of a user."""

_FULL: Final = "\n"


def add(lines: str, at_ms: int, campaign: str, reason: str) -> str:
    """The lines with one more, and the oldest gone where they are too many. O(`REFUSALS_MAX`)."""
    # Ids of campaigns hold no line feed: they are checked as the shop is read.
    if lines[:1] == _FULL:
        return f"\n{lines[lines.index(_FULL, 1) + 1 :]}{at_ms} {reason} {campaign}\n"
    lines = f"{lines}{at_ms} {reason} {campaign}\n"
    over = lines.count("\n") - REFUSALS_MAX
    if over < 0:
        return lines
    # One too many in a state of a version that did not mark a text that is full.
    return _FULL + (lines if not over else lines[lines.index("\n") + 1 :])


def pack(refusals: Iterable[tuple[int, str, str]]) -> str:
    """The lines of (at_ms, campaign, reason), oldest first."""
    lines = ""
    for refusal in refusals:
        lines = add(lines, *refusal)
    return lines


def unpack(lines: str) -> list[tuple[int, str, str]]:
    """The inverse of `pack`."""
    split = [line.split(" ", 2) for line in lines.removeprefix(_FULL).splitlines()]
    return [(int(at_ms), campaign, reason) for at_ms, reason, campaign in split]
