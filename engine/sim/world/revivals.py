"""Dead letters that were revived, and what of their users should have kept them dead."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from engine.core.inputs import EventReceived, LetterRevived

if TYPE_CHECKING:
    from engine.core.effects import SendMessage
    from engine.core.inputs import Input
    from engine.sim.world.kin import Kin

EXITS: Final = {
    "cart": ("Order Completed",),
    "browse": ("Product Added", "Order Completed"),
    "hand": ("Order Completed",),
    "circle": ("Signed Up",),
    "trial": ("Signed Up",),
    "thanks": ("Unsubscribed",),
    "risk": ("Product Viewed", "Product Added"),
    "parcel": ("Product Viewed", "Product Added"),
}
"""Campaigns of a world that an event ends."""

REMEMBERED_MS: Final = 15_000
"""How long any event is remembered that a condition may ask for."""


class Revivals:
    """By the durable journal alone."""

    def __init__(self) -> None:
        self._revived: dict[str, tuple[int, int]] = {}
        self._done: defaultdict[str, list[tuple[int, str, int]]] = defaultdict(list)

    def begin(self) -> None:
        """The journal is about to be read from its first input on."""
        self._revived.clear()
        self._done.clear()

    def see(self, number: int, happened: Input) -> None:
        """Input `number` is durable."""
        if isinstance(happened, LetterRevived):
            self._revived[happened.effect_id] = number, happened.at_ms
        elif isinstance(happened, EventReceived) and happened.name:
            done = number, happened.name, happened.occurred_at_ms
            self._done[happened.user_id].append(done)

    def should_stay(self, cause: SendMessage, entered_at_ms: int, kin: Kin) -> str:
        """What had ended the enrollment of a letter before it was revived; or ""."""
        last, at_ms = self._revived.get(cause.id, (0, 0))
        if not last or kin.is_joined(cause.user_id):
            return ""
        since_ms = max(entered_at_ms, at_ms - REMEMBERED_MS)
        for number, name, occurred_at_ms in self._done[cause.user_id]:
            ends = number < last and name in EXITS.get(cause.campaign, ())
            if ends and occurred_at_ms >= since_ms:
                return f"{name} at {occurred_at_ms}, revived at {at_ms}"
        return ""
