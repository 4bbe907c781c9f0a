"""Dead letters that were revived, and what of their users should have kept them dead."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final, TypeAlias

from engine.core.inputs import EventReceived, LetterRevived, UsersMerged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.core.effects import SendMessage
    from engine.core.inputs import Input
    from engine.sim.world.kin import Kin

EXITS: Final = {
    "cart": ("Order Completed",),
    "browse": ("Product Added", "Order Completed"),
    "hand": ("Product Viewed", "Order Completed"),
    "circle": ("Signed Up",),
    "trial": ("Signed Up",),
    "thanks": ("Unsubscribed",),
    "risk": ("Product Viewed", "Product Added"),
    "receipt": ("Signed Up",),
    "parcel": ("Product Viewed", "Product Added"),
}
"""Campaigns of a world that an event ends."""

REMEMBERED_MS: Final = 19_000
"""How long any event is remembered that a condition may ask for."""


Done: TypeAlias = "tuple[str, int]"
"""What was done, and when."""


class Revivals:
    """By the durable journal alone."""

    def __init__(self) -> None:
        self._revived: dict[str, tuple[int, list[Done]]] = {}
        self._done: defaultdict[str, list[Done]] = defaultdict(list)

    def begin(self) -> None:
        """The journal is about to be read from its first input on."""
        self._revived.clear()
        self._done.clear()

    def see(self, happened: Input, kin: Kin, erased: Sequence[str]) -> None:
        """An input is durable; `kin` has seen it, and knows whom it has erased."""
        for user_id in erased:
            self._done.pop(user_id, None)
        user_id = kin.bearer(getattr(happened, "user_id", ""))
        if isinstance(happened, UsersMerged):
            self._done[user_id] += self._done.pop(happened.merged_id, [])
        elif isinstance(happened, LetterRevived):
            self._revived[happened.effect_id] = happened.at_ms, [*self._done[user_id]]
        elif isinstance(happened, EventReceived) and happened.name:
            self._done[user_id].append((happened.name, happened.occurred_at_ms))

    def should_stay(self, cause: SendMessage, entered_at_ms: int) -> str:
        """What had ended the enrollment of a letter before it was revived; or ""."""
        at_ms, done = self._revived.get(cause.id, (0, []))
        since_ms = max(entered_at_ms, at_ms - REMEMBERED_MS)
        for name, occurred_at_ms in done:
            if name in EXITS.get(cause.campaign, ()) and occurred_at_ms >= since_ms:
                return f"{name} at {occurred_at_ms}, revived at {at_ms}"
        return ""
