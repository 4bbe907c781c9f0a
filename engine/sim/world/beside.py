"""Two who turned out to be one had been in a campaign at once: no step goes to both from then on.

Told by what is durable alone: whose ids were joined when, from when to when each enrollment was
under way, and which message was delivered, or handed over, at which instant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.inputs import LetterRevived
from engine.sim.world.restraint import HAND_OVER_MS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from engine.core.effects import Record
    from engine.core.inputs import Input
    from engine.sim.world.kin import Kin

UNTOLD: Final = frozenset({"circle", "each", "receipt"})
"""Campaigns that send a step more than once, or are entered by a value that records do not tell."""

ANEW: Final = frozenset({"event", "goal"})
"""How the one leaves by what the other had done: who came in later is in it anew."""

NEVER_MS: Final = 1 << 60


class Pass:
    """An enrollment: from when to when it was under way, and what it sent.

    Attributes:
        sent: Of each message, the step.
        delivered: Of each step that was delivered, when that was heard.
    """

    def __init__(self, entered: Record) -> None:
        self.campaign = entered.campaign
        self.user_id = entered.user_id
        self.began_at_ms = _instant(entered)
        self.ended_at_ms = NEVER_MS
        self.reason = ""
        self.sent: dict[str, str] = {}
        self.delivered: dict[str, int] = {}

    def is_beside(self, other: Pass) -> bool:
        """Whether both were under way at some instant."""
        return self.began_at_ms < other.ended_at_ms and other.began_at_ms < self.ended_at_ms

    def left_by(self, at_ms: int) -> bool:
        """Whether it ended at an instant by what another user had done."""
        return self.ended_at_ms == at_ms and self.reason in ANEW


def _instant(record: Record) -> int:
    return max(record.at_ms, record.judged_at_ms)


def passes_of(records: Sequence[Record]) -> dict[str, Pass]:
    """All enrollments that can be told about."""
    passes: dict[str, Pass] = {}
    for one in records:
        if one.kind == "entered" and one.campaign not in UNTOLD:
            passes[one.enrollment] = Pass(one)
        own = passes.get(one.enrollment)
        if own is None:
            continue
        if one.kind in {"exited", "finished"}:
            own.ended_at_ms, own.reason = _instant(one), one.reason
        elif one.kind == "sent":
            own.sent[one.message] = one.step
        elif one.kind == "delivered":
            own.delivered.setdefault(one.step, _instant(one))
    return passes


def sent_to_both(
    journal: Sequence[Input], records: Sequence[Record], handed: Mapping[str, int], kin: Kin
) -> str:
    """A step that one of two had, and that went of the other one once they were one user; or "".

    Of each message it is known when it was `handed` over last. O(merges * enrollments squared).
    """
    revived = {one.effect_id for one in journal if isinstance(one, LetterRevived)}
    handed = {one: at_ms for one, at_ms in handed.items() if one not in revived}
    passes = list(passes_of(records).values())
    owner: dict[str, str] = {}
    partings = sorted(kin.partings.items(), reverse=True)
    for (number, at_ms), (bearer, merged) in sorted(kin.merges.items()):
        while partings and partings[-1][0] < number:
            for one in partings.pop()[1]:
                owner.pop(one, None)
        mine, theirs = (
            [one for one in passes if owner.get(one.user_id, one.user_id) == user_id]
            for user_id in (bearer, merged)
        )
        for own, other in _met(mine, theirs, at_ms):
            told = _again(own, other, at_ms, handed) or _again(other, own, at_ms, handed)
            if told:
                return told
        for user_id in {merged, *[one for one, whose in owner.items() if whose == merged]}:
            owner[user_id] = bearer
    return ""


def _met(own: list[Pass], theirs: list[Pass], at_ms: int) -> Iterator[tuple[Pass, Pass]]:
    """Pairs that were under way at once before an instant."""
    for one in own:
        for other in theirs:
            began_at_ms = max(one.began_at_ms, other.began_at_ms)
            is_pair = one.campaign == other.campaign and one.is_beside(other)
            if is_pair and began_at_ms < at_ms and not (one.left_by(at_ms) or other.left_by(at_ms)):
                yield one, other


def _again(own: Pass, other: Pass, at_ms: int, handed: Mapping[str, int]) -> str:
    """A message of the one that went behind the instant, of a step that the other one had."""
    for message, step in own.sent.items():
        if handed.get(message, 0) <= at_ms + HAND_OVER_MS:
            continue
        if other.delivered.get(step, NEVER_MS) < at_ms:
            return f"{message}: {step} of {own.campaign} had been delivered to {other.user_id}"
        both = [by for by, what in other.sent.items() if what == step and by != message]
        if any(handed.get(by, 0) > at_ms + HAND_OVER_MS for by in both):
            return f"{message} and {both} are both {step} of {own.campaign}, joined at {at_ms}"
    return ""
