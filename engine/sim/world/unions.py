"""Merges by what is durable alone: nobody is in anything twice, and no step is sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.sim.world.restraint import HAND_OVER_MS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine.core.effects import Record
    from engine.core.state import User

REPEATS = frozenset({"circle"})
"""Campaigns that send a step more than once."""

ENDS = frozenset({"delivered", "failed", "skipped"})
"""What becomes of a message."""


def doubled(user: User) -> str:
    """A campaign, and a value of `per`, that a user is in twice; "" where there is none."""
    inside = [(one.campaign, one.per) for one in user.enrollments]
    twice = {one for one in inside if inside.count(one) > 1}
    return f"{user.user_id} is twice in {sorted(twice)}" if twice else ""


def sent_again(records: Sequence[Record], handed: Mapping[str, int]) -> str:
    """A step that one of two merged enrollments had come to, and that went again; or "".

    Args:
        records: In order.
        handed: Of each message, when it was handed over last.
    """
    for place, left in enumerate(records):
        if left.kind != "exited" or left.reason != "merged" or left.campaign in REPEATS:
            continue
        both = _both(records, place, left)
        if len(both) != 2:  # noqa: PLR2004 - not to be told apart
            continue
        told = _again(records, place, both, handed)
        if told:
            return told
    return ""


def _both(records: Sequence[Record], place: int, left: Record) -> set[str]:
    """The enrollment that left, and those that it can have left for."""
    active = {left.enrollment: left.campaign}
    ended = set()
    ids = {one.enrollment for one in records[place:] if one.user_id == left.user_id}
    for one in records[:place]:
        if one.campaign == left.campaign and one.enrollment in ids:
            active[one.enrollment] = one.campaign
            if one.kind in {"exited", "finished"}:
                ended.add(one.enrollment)
    return active.keys() - ended


def _again(records: Sequence[Record], place: int, both: set[str], handed: Mapping[str, int]) -> str:
    at_ms = max(records[place].at_ms, records[place].judged_at_ms)
    own = [one for one in records[:place] if one.enrollment in both and one.step]
    passed = {one.step for one in own if one.kind in {"sent", "skipped"}}
    ended = {one.message for one in own if one.kind in ENDS}
    waiting = {one.message: one.step for one in own if one.kind == "sent"}
    waiting = {message: step for message, step in waiting.items() if message not in ended}
    failed = {one.step for one in own if one.kind == "failed"}
    for one in records[place + 1 :]:
        if one.message in waiting and one.kind == "failed":
            failed.add(one.step)  # another channel may stand in
        if one.enrollment in both and one.kind == "sent" and one.step in passed - failed:
            return f"{one.message}: {one.step} of {one.enrollment} was come to before"
    went: dict[str, str] = {}
    for message, step in waiting.items():
        if handed.get(message, 0) > at_ms + HAND_OVER_MS and step not in failed:
            other = went.setdefault(step, message)
            if other != message:
                return f"{message} and {other} are both {step}, of {sorted(both)}"
    return ""
