"""Whom was erased, and what of before comes late.

What happened before a user was erased is not taken any more, whenever it arrives; what happened
after makes him anew. An event may bear any instant, so a tombstone has no end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core import ids
from engine.core.inputs import (
    DeliveryReported,
    EnrollmentForwarded,
    HistoryFound,
    LetterRevived,
    MessageAnswered,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping
    from typing import TypeAlias

    from engine.core.inputs import UserInput

    Take: TypeAlias = Callable[[UserInput, int], bool]


class Tombstones:
    """The hashes of those who were erased, with the instant.

    Args:
        erased: Digest of the id (`ids.digest`) to the instant.

    Attributes:
        barred: Inputs that came too late, since the start.
    """

    def __init__(self, erased: Mapping[str, int] | None = None) -> None:
        self._erased = dict(erased or {})
        self._newest_at_ms = max(self._erased.values(), default=0)
        self.barred = 0

    def add(self, user_id: str, at_ms: int) -> None:
        """He is erased as of an instant: `NEVER` while that is under way. O(tombstones)."""
        self._erased[ids.digest(user_id)] = at_ms
        self._newest_at_ms = max(self._erased.values())

    def erased_at_ms(self, user_id: str) -> int:
        """As of when he is erased; 0 where he never was. O(1)."""
        return self._erased.get(ids.digest(user_id), 0)

    def guard(self, take: Take, known: Container[str]) -> Take:
        """`take` itself, or, where anybody was erased, one that takes nothing of before: False."""
        if not self._erased:
            return take
        return lambda happened, now_ms: not self.bars(happened, known) and take(happened, now_ms)

    def bars(self, happened: UserInput, known: Container[str]) -> bool:
        """Whether an input is of somebody erased, or names him, from before; counted.

        O(1), and no hash for what happened after the newest erasure.
        """
        ours = (
            DeliveryReported | LetterRevived | HistoryFound | MessageAnswered | EnrollmentForwarded
        )
        if isinstance(happened, ours):
            # Nobody waits for a delivery, has a message, or is looked for, without being known.
            barred = happened.user_id not in known or self._is_of_before(happened)
        elif happened.occurred_at_ms >= self._newest_at_ms:
            return False
        else:
            both = (happened.user_id, getattr(happened, "merged_id", ""))
            erased_at_ms = max(self._erased.get(ids.digest(one), 0) for one in both if one)
            barred = happened.occurred_at_ms < erased_at_ms
        self.barred += barred
        return barred

    def _is_of_before(self, happened: UserInput) -> bool:
        """Whether it is the bounce of a message that was under way as its user was erased.

        Of any other message that he does not have his state says so itself.
        """
        if not isinstance(happened, MessageAnswered) or not happened.at_hand_over:
            return False
        return happened.sent.sent_at_ms <= self.erased_at_ms(happened.user_id)
