"""The two rules of `bench.simulating` as one would write them by hand, a process of their own.

    python -m bench.rising EVENTS OUT UNTIL_MS

Someone put a product into his cart within seven days, ordered nothing since then, and has done
nothing for half an hour; someone looked at three products within a day and ordered nothing in it.
Each tells as it becomes true, to the millisecond, once for each time. As tuned as it stays
readable: typed decoding, a class with slots, a heap with lazy deletion, a line of JSON a record.
"""

from __future__ import annotations

import sys
from heapq import heappop, heappush
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from engine.core.instants import format_instant

if TYPE_CHECKING:
    from typing import BinaryIO

HALF_HOUR_MS, DAY_MS, WEEK_MS = 1_800_000, 86_400_000, 604_800_000
VIEWS = 3
NEVER = -(1 << 60)

CART, BROWSE = "cart", "browse"


class Happened(msgspec.Struct, gc=False, rename="camel"):
    """What the rules read of an event."""

    user_id: str
    event: str
    timestamp: int


class Told(msgspec.Struct, gc=False):
    """What they tell."""

    at: str
    user_id: str
    campaign: str


class Shopper:
    """What the rules know of a user: instants of the newest events, and when to look again."""

    __slots__ = ("added", "cart_at", "ordered", "views", "views_at", "warm_until")

    def __init__(self) -> None:
        self.added = self.ordered = NEVER
        self.views: list[int] = []
        self.cart_at = self.views_at = NEVER
        self.warm_until = NEVER


class Rules:
    """Both rules over all users; `lines` has what they told."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self._encode = msgspec.json.Encoder().encode
        self._shoppers: dict[str, Shopper] = {}
        self._alarms: list[tuple[int, str, str]] = []

    def take(self, happened: Happened) -> None:
        """An event; what is due up to it comes first."""
        now = happened.timestamp
        if self._alarms and self._alarms[0][0] <= now:
            self.pass_to(now)
        user_id = happened.user_id
        one = self._shoppers.get(user_id)
        if one is None:
            one = self._shoppers[user_id] = Shopper()
        if happened.event == "Product Viewed":
            one.views.append(now)
            del one.views[:-VIEWS]
            self._look(one, user_id, now)
        elif happened.event == "Product Added":
            one.added = now
        elif happened.event == "Order Completed":
            one.ordered = now
            one.warm_until = NEVER
            self._look(one, user_id, now)
        due = max(now + HALF_HOUR_MS, one.ordered + WEEK_MS)
        one.cart_at = due if due < one.added + WEEK_MS else NEVER
        if one.cart_at != NEVER:
            heappush(self._alarms, (due, CART, user_id))

    def _look(self, one: Shopper, user_id: str, now: int) -> None:
        """Whether enough was viewed, or when it will be that nothing was ordered for a day."""
        one.views_at = NEVER
        if len(one.views) < VIEWS:
            return
        until = one.views[0] + DAY_MS
        clear = one.ordered + DAY_MS
        if clear <= now < until:
            if one.warm_until <= now:
                self._tell(now, BROWSE, user_id)
            one.warm_until = until
        elif now < clear < until:
            one.views_at = clear
            heappush(self._alarms, (clear, BROWSE, user_id))

    def pass_to(self, now: int) -> None:
        """Let time pass."""
        alarms = self._alarms
        while alarms and alarms[0][0] <= now:
            due, rule, user_id = heappop(alarms)
            one = self._shoppers[user_id]
            if rule == CART and one.cart_at == due:
                one.cart_at = NEVER
                self._tell(due, CART, user_id)
            elif rule == BROWSE and one.views_at == due:
                one.views_at = NEVER
                one.warm_until = one.views[0] + DAY_MS
                self._tell(due, BROWSE, user_id)

    def _tell(self, at_ms: int, rule: str, user_id: str) -> None:
        self.lines.append(self._encode(Told(format_instant(at_ms), user_id, rule)))


def run(events: BinaryIO, out: BinaryIO, until_ms: int) -> None:
    """Read events, write what the rules told up to an instant. O(events)."""
    rules = Rules()
    decode = msgspec.json.Decoder(Happened).decode
    for line in events:
        rules.take(decode(line))
    rules.pass_to(until_ms)
    out.write(b"\n".join(rules.lines) + b"\n")


def main() -> None:
    """`EVENTS OUT UNTIL_MS`."""
    source, target = map(Path, sys.argv[1:3])
    with source.open("rb") as events, target.open("wb") as out:
        run(events, out, int(sys.argv[3]))


if __name__ == "__main__":
    main()
