"""Merges by what is durable alone: no step is sent twice, and the stricter consent wins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from engine.core.inputs import UserIdentified, UsersMerged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine.core.effects import Record
    from engine.core.inputs import Input
    from engine.core.state import User
    from engine.sim.world.kin import Kin

REPEATS = frozenset({"circle"})
"""Campaigns that send a step more than once."""

ENDS = frozenset({"delivered", "failed", "skipped"})
"""What becomes of a message."""

_HAND_OVER_MS = 10
"""Between a message's last question and its hand-over, at the most."""

_decode = msgspec.json.Decoder(dict[str, object]).decode


def doubled(user: User) -> str:
    """A campaign, and a value of `per`, that a user is in twice; "" where there is none."""
    inside = [(one.campaign, one.per) for one in user.enrollments]
    twice = {one for one in inside if inside.count(one) > 1}
    return f"{user.user_id} is twice in {sorted(twice)}" if twice else ""


class Consents:
    """Who said no to what, as the durable journal has it."""

    def __init__(self) -> None:
        self._said: dict[str, dict[str, bool]] = {}
        self._since_ms: dict[str, int] = {}

    def begin(self) -> None:
        """The journal is about to be read from its first input on."""
        self._said.clear()
        self._since_ms.clear()

    def see(self, happened: Input, kin: Kin, erased: Sequence[str]) -> None:
        """An input is durable; `kin` has seen it, and knows whom it has erased."""
        for user_id in erased:
            self._said.pop(user_id, None)
        if not isinstance(happened, UserIdentified):
            return
        user_id = kin.bearer(happened.user_id)
        own = self._said.setdefault(user_id, {})
        if isinstance(happened, UsersMerged):
            for channel, yes in self._said.pop(happened.merged_id, {}).items():
                own[channel] = yes and own.get(channel, True)
        consent = _decode(happened.traits).get("consent")
        if isinstance(consent, dict):
            own.update(consent)
        self._since_ms[user_id] = happened.at_ms

    def forbid(self, user_id: str, channel: str, at_ms: int) -> bool:
        """Whether he has said no to a channel, and not only just now."""
        is_new = at_ms - self._since_ms.get(user_id, 0) <= _HAND_OVER_MS
        return not is_new and self._said.get(user_id, {}).get(channel) is False


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
        if handed.get(message, 0) > at_ms + _HAND_OVER_MS and step not in failed:
            other = went.setdefault(step, message)
            if other != message:
                return f"{message} and {other} are both {step}, of {sorted(both)}"
    return ""
