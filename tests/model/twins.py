"""The engine and its naive twin, side by side."""

from __future__ import annotations

from typing import Any

import msgspec

from engine.core.inputs import DeliveryReported, EventReceived, UserIdentified
from engine.core.messages.waiting import by_id
from engine.core.plan import Plan
from engine.core.state import NEVER
from engine.runtime.dedupe import Dedupe
from engine.runtime.processor import Processor, Released
from tests.core.world import START
from tests.model.interpreter import Naive
from tests.model.scripts import (
    UNIT,
    Script,
    compiled,
    policy,
)

_FIELDS = ("campaign", "kind", "step", "channel", "reason", "branch")


class Twins:
    """The two of them, led through the same script."""

    def __init__(self, shop: list[dict[str, Any]], rules: dict[str, Any]) -> None:
        plan = Plan("p", [compiled(one) for one in shop], policy(rules))
        self.engine = Processor(plan, now_ms=START, dedupe=Dedupe(10**9, 1_000))
        self.naive = Naive(shop, rules)
        self.now = START
        self.known: set[str] = set()
        self.ids: dict[str, Any] = {}
        self.last = ("u1", "A", START, {"n": 2})

    def play(self, script: Script) -> None:
        for kind, later, *rest in script:
            before, self.now = self.now, self.now + later * UNIT
            getattr(self, f"_{kind}")(before, *rest)
            self._compare()
        self.now += 1000 * UNIT
        self._advance(self.now)
        self._compare()

    def _event(
        self, _: int, user: str, name: str, age: int, properties: dict[str, Any], message: str
    ) -> None:
        self.last = (user, name, self.now - age * UNIT, properties)
        self._take(*self.last, message)

    def _again(self, _: int) -> None:
        self._take(*self.last, "")

    def _take(self, user: str, name: str, t: int, properties: Any, message: str) -> None:
        raw = msgspec.Raw(msgspec.json.encode(properties))
        taken = self.engine.take(EventReceived(user, name, t, self.now, raw, message), self.now)
        assert taken == (message not in self.known)
        if taken:
            self.known |= {message} - {""}
            self.naive.event(user, self.now, name, t, properties)

    def _identify(self, _: int, user: str, traits: dict[str, Any]) -> None:
        raw = msgspec.Raw(msgspec.json.encode(traits))
        self.engine.take(UserIdentified(user, self.now, self.now, raw), self.now)
        self.naive.identify(user, self.now, traits)

    def _report(self, _: int, user: str, which: int, outcome: Any, invalid: bool) -> None:
        known = self.engine.users.get(user)
        under_way = list(by_id(known.pending)) if known else []
        effect_id = under_way[which % len(under_way)] if under_way else "nobody"
        invalid = (
            invalid and outcome == "failed" and self.ids.get(effect_id, ("",) * 3)[2] == "email"
        )
        address = str(known.traits.get("email") or "").strip() if known and invalid else ""
        report = DeliveryReported(user, effect_id, outcome, "said", bad_address=address)
        self.engine.take(report, self.now)
        self.naive.report(user, self.now, self.ids.get(effect_id), outcome, invalid=invalid)

    def _advance(self, _: int) -> None:
        self.engine.advance(self.now)
        self.naive.advance(self.now)

    def _resume(self, before: int, grace: int) -> None:
        if grace:
            self.engine.resume(before, grace * UNIT, self.now)
        else:  # time that was skipped is the same, whatever skipped it
            self.engine.adjust(before, self.now)
        self.naive.resume(before, self.now, grace * UNIT)

    # Comparing

    def _compare(self) -> None:
        batch = self.engine.begin(self.now)
        released = self.engine.finish(batch) if batch else Released(0, [], [], [], [])
        expected, self.naive.log = self.naive.log, []
        self._learn_ids(released, expected)
        for user in self.engine.users:
            mine = [self._told(record) for record in released.records if record.user_id == user]
            twin = [_said(one) for one in expected if one["user"] == user]
            if self.naive.late_start:  # in which order one late start tells its story is open
                mine, twin = sorted(mine, key=repr), sorted(twin, key=repr)
            assert mine == twin
        assert len(released.records) == len(expected)
        self.naive.late_start = False
        self._compare_messages(released)
        self._compare_states()

    def _learn_ids(self, released: Released, expected: list[dict[str, Any]]) -> None:
        entered = {
            (one["user"], one["campaign"]): one["enrollment"]
            for one in expected
            if one["kind"] == "entered"
        }
        for record in released.records:
            if record.kind == "entered":
                assert record.enrollment not in self.ids, "an id was given twice"
                self.ids[record.enrollment] = entered[record.user_id, record.campaign]
            elif record.kind == "sent":
                assert record.message not in self.ids, "an id was given twice"
                self.ids[record.message] = (
                    self.ids[record.enrollment], record.step, record.channel,
                )  # fmt: skip

    def _told(self, record: Any) -> tuple[Any, ...]:
        return (
            record.at_ms,
            *(getattr(record, field) for field in _FIELDS),
            record.judged_at_ms,
            self.ids[record.enrollment] if record.enrollment else None,
            self.ids[record.message] if record.message else None,
        )

    def _compare_messages(self, released: Released) -> None:
        ids = self.ids
        for _, message in released.messages:
            twin = self.naive.users[message.user_id]["outbox"][ids[message.id]]
            assert twin == {
                "key": ids[message.enrollment],
                "campaign": message.campaign,
                "start": ids[message.enrollment][3],
                "step": message.step,
                "limit": message.expires_at_ms or None,
                "channel": message.channel,
                "left": twin["left"],
                "back": twin["back"],
                "at": message.at_ms,
                "instead_of": ids[message.fallback_of] if message.fallback_of else None,
                "more": message.more,
            }
            assert bool(bytes(message.snapshot)) == (not message.fallback_of)
        taken_back = {(ids[cancel.id], cancel.reason) for cancel in released.cancelled}
        assert len(taken_back) == len(released.cancelled)
        assert taken_back == set(self.naive.taken_back)
        assert [(ids[one.id], one.dead) for one in released.closed] == self.naive.closed
        self.naive.taken_back, self.naive.closed = [], []

    def _compare_states(self) -> None:
        for name, user in self.engine.users.items():
            twin = self.naive.user(name)
            live = sorted((self.ids[one.enrollment], one.due_at_ms) for one in user.enrollments)
            assert live == sorted((one["key"], one["due"]) for one in twin["live"])
            assert [self.ids[one] for one in by_id(user.pending)] == list(twin["outbox"])
            wake = min((max(one["due"], twin["held"]) for one in twin["live"]), default=NEVER)
            assert user.due_at_ms == wake
            assert self.engine.wake_at_ms <= wake


def _said(one: dict[str, Any]) -> tuple[Any, ...]:
    return (
        one["at"],
        *(one[field] for field in _FIELDS),
        one["judged"],
        one["enrollment"],
        one["message"],
    )
