"""Goals by brute force: of each order, whose enrollments it was the goal of, and of what message.

All inputs of the journal are gone through in order, with the records that came of each. Nothing is
ever forgotten but an enrollment that has reached its goal, or has given way in a merge. What either
of two users had ordered before they were merged is asked of the other one's enrollments then.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import msgspec

from engine.core.inputs import (
    DeliveryReported,
    EventReceived,
    MessageAnswered,
    TriggerReceived,
    UsersMerged,
)
from engine.sim.world.kin import Kin
from engine.sim.world.shop import AIMS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.core.effects import Record
    from engine.core.inputs import Input

ORDER = "Order Completed"
LATENESS_MS = 3_600_000
"""`events.max_lateness` of the shop."""

KNOWN = 10
"""Orders of a user that a merge is sure to find; of more, the newest."""

_properties = msgspec.json.Decoder(dict[str, object]).decode


class Aim:
    """An enrollment that may reach its goal."""

    def __init__(self, entered: Record, started_at_ms: int) -> None:
        self.enrollment = entered.enrollment
        self.campaign = entered.campaign
        self.user_id = entered.user_id
        self.started_at_ms = started_at_ms
        self.touches: list[tuple[bool, int, str]] = []

    def counts(self, occurred_at_ms: int, at_ms: int, price: float) -> bool:
        """Whether an order is its goal."""
        within_ms, above = AIMS[self.campaign]
        late_ms = occurred_at_ms - self.started_at_ms
        too_late_ms = self.started_at_ms + within_ms + LATENESS_MS
        return 0 <= late_ms < within_ms and at_ms < too_late_ms and price > above

    def touch(self, occurred_at_ms: int) -> tuple[bool, int, str]:
        """The message that was clicked last by then, else the newest that was delivered."""
        by_then = [one for one in self.touches if one[1] <= occurred_at_ms]
        return max(by_then, default=(False, 0, ""))


class Ledger:
    """All who may reach a goal; `expected` are the goals that there must be.

    Attributes:
        unsure: Families of whom not all can be told: two entries at one instant, say.
    """

    def __init__(self, journal: Sequence[Input], records: Sequence[Record]) -> None:
        self.expected: list[tuple[str, int, object, str, str]] = []
        self.unsure: set[str] = set()
        self._journal = journal
        self._kin = Kin()
        self._aims: dict[str, Aim] = {}
        self._heirs: dict[str, str] = {}
        self._entered: dict[tuple[str, int], list[Record]] = defaultdict(list)
        self._merged: dict[tuple[str, int], list[Record]] = defaultdict(list)
        self._delivered: dict[str, Record] = {}
        self._sent: dict[str, str] = {}
        self._ends: dict[str, int] = {}
        self._begins: dict[str, int] = {}
        self._orders: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for place, one in enumerate(records):
            self._index(place, one)

    def _index(self, place: int, one: Record) -> None:
        if one.kind == "sent":
            self._sent[one.message] = one.enrollment
        if one.campaign not in AIMS:
            return
        if one.kind == "entered":
            self._begins[one.enrollment] = place
            self._entered[one.user_id, one.at_ms].append(one)
        elif one.kind == "delivered":
            self._delivered[one.message] = one
        elif one.kind in {"exited", "finished"}:
            self._ends[one.enrollment] = place
            if one.reason == "merged":
                self._merged[one.user_id, one.at_ms].append(one)

    def go_through(self) -> None:
        """Find all goals. O(inputs * enrollments)."""
        crowds = Counter(self._crowds())
        for number, happened in enumerate(self._journal, start=1):
            if isinstance(happened, UsersMerged):
                self._unite(happened)
            self._kin.see(number, happened)
            if isinstance(happened, DeliveryReported):
                self._deliver(happened)
            elif isinstance(happened, MessageAnswered):
                self._click(happened)
            elif isinstance(happened, UsersMerged):
                self._give_way(self._kin.bearer(happened.user_id), happened.at_ms)
            elif isinstance(happened, EventReceived | TriggerReceived):
                user_id = self._kin.bearer(happened.user_id)
                if isinstance(happened, EventReceived) and happened.name == ORDER:
                    self._order(user_id, happened)
                self._enter(user_id, happened, crowds[user_id, happened.at_ms])

    def _crowds(self) -> Iterator[tuple[str, int]]:
        kin = Kin()
        for number, happened in enumerate(self._journal, start=1):
            kin.see(number, happened)
            if isinstance(happened, EventReceived | TriggerReceived | UsersMerged):
                yield kin.bearer(happened.user_id), happened.at_ms

    def _enter(self, user_id: str, happened: EventReceived | TriggerReceived, crowd: int) -> None:
        entered = self._entered.get((user_id, happened.at_ms), [])
        if entered and crowd > 1:
            self.unsure.add(self._kin.family(user_id))
        is_manual = isinstance(happened, TriggerReceived)
        started_at_ms = happened.at_ms if is_manual else happened.occurred_at_ms
        for one in entered:
            self._aims[one.enrollment] = Aim(one, started_at_ms)

    def _order(self, user_id: str, order: EventReceived) -> None:
        price = float(str(_properties(order.properties)["price"]))
        self._reach(user_id, order.occurred_at_ms, order.at_ms, price)
        self._orders[user_id].append((order.occurred_at_ms, price))

    def _unite(self, merged: UsersMerged) -> None:
        """Two are about to be one: what the one had ordered may be the other one's goal.

        Of two orders of one instant the merged one's is first, from then on, too.
        """
        both = self._kin.bearer(merged.user_id), merged.merged_id
        ordered = []
        for user_id, other in (both, both[::-1]):
            theirs = self._orders[other]
            if len(theirs) > KNOWN:
                self.unsure.add(self._kin.family(user_id))
                self.unsure.add(self._kin.family(other))
            ordered += [(at_ms, price, user_id) for at_ms, price in theirs]
        ordered.sort(key=lambda one: one[0])
        for occurred_at_ms, price, user_id in ordered:
            self._reach(user_id, occurred_at_ms, merged.at_ms, price)
        self._orders[both[0]] = self._orders.pop(both[1]) + self._orders[both[0]]

    def _reach(self, user_id: str, occurred_at_ms: int, at_ms: int, price: float) -> None:
        """Have all of a user's whose goal an order is reach it."""
        reached = [
            aim
            for aim in self._aims.values()
            if self._kin.bearer(aim.user_id) == user_id and aim.counts(occurred_at_ms, at_ms, price)
        ]
        last = max((aim.touch(occurred_at_ms) for aim in reached), default=(False, 0, ""))
        for aim in reached:
            message = last[2] if aim.touch(occurred_at_ms) == last else ""
            how = "" if not message else "clicked" if last[0] else "delivered"
            self.expected.append((aim.enrollment, at_ms, price, message, how))
            del self._aims[aim.enrollment]

    def _deliver(self, report: DeliveryReported) -> None:
        told = self._delivered.get(report.effect_id)
        if told is None or told.at_ms != report.at_ms:
            return
        self._touch((False, report.at_ms, report.effect_id))

    def _click(self, answer: MessageAnswered) -> None:
        if answer.answer == "clicked" and not answer.machine and answer.sent.id in self._sent:
            self._touch((True, answer.occurred_at_ms, answer.sent.id))

    def _touch(self, touch: tuple[bool, int, str]) -> None:
        enrollment = self._sent[touch[2]]
        aim = self._aims.get(self._heirs.get(enrollment, enrollment))
        if aim is not None:
            aim.touches.append(touch)

    def _give_way(self, user_id: str, at_ms: int) -> None:
        """Whoever left by this merge: what he was sent is the other one's in the campaign."""
        for left in self._merged.get((user_id, at_ms), ()):
            aim = self._aims.pop(left.enrollment, None)
            gone = self._ends[left.enrollment]
            stay = [
                one
                for one in self._aims.values()
                if one.campaign == left.campaign
                and self._kin.bearer(one.user_id) == user_id
                and self._begins[one.enrollment] < gone
                and self._ends.get(one.enrollment, gone + 1) > gone
            ]
            if aim is None or len(stay) != 1:
                self.unsure.add(self._kin.family(user_id))
                continue
            (heir,) = stay
            heir.touches += aim.touches
            for enrollment, other in self._heirs.items():
                if other == aim.enrollment:
                    self._heirs[enrollment] = heir.enrollment
            self._heirs[aim.enrollment] = heir.enrollment

    def is_sure_of(self, user_id: str) -> bool:
        """Whether all of a user's goals can be told."""
        return self._kin.family(user_id) not in {self._kin.family(one) for one in self.unsure}


def missed(journal: Sequence[Input], records: Sequence[Record], gone: set[str]) -> str:
    """A goal that is not told and should be, or the other way; "" where there is none.

    `gone` are users who were erased: of them records are gone, or inputs.
    """
    reached = Counter(one.enrollment for one in records if one.kind == "goal")
    twice = [enrollment for enrollment, count in reached.items() if count > 1]
    if twice:
        return f"{twice[0]} has reached its goal more than once"
    ledger = Ledger(journal, records)
    ledger.go_through()
    whose = {one.enrollment: one.user_id for one in records}
    found = {
        (one.enrollment, one.at_ms, one.value, one.message, one.touch)
        for one in records
        if one.kind == "goal"
    }
    for goal in sorted(found ^ set(ledger.expected), key=repr):
        user_id = whose[goal[0]]
        if user_id not in gone and ledger.is_sure_of(user_id):
            return f"{'told' if goal in found else 'not told'}: {goal} of {user_id}"
    return ""
