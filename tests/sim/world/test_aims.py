"""Goals by brute force against the core, where messages are clicked and orders come late a lot.

In worlds few clicks are followed by an order within its window: here nearly all are.
"""

from __future__ import annotations

from random import Random  # noqa: TID251 - draws scripts, each from a seed of its own
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core import goals, transition
from engine.core.goals import Goal
from engine.core.inputs import (
    DeliveryReported,
    EventReceived,
    SentMessage,
    UsersMerged,
)
from engine.core.messages.answers import answered
from engine.core.messages.waiting import by_id
from engine.core.plan import Policy
from engine.sim.world.aims import LATENESS_MS, ORDER, missed
from engine.sim.world.shop import AIMS
from tests.core.world import START, World, campaign, program, send, wait

if TYPE_CHECKING:
    from engine.core.effects import Record, SendMessage
    from engine.core.inputs import Input, UserInput

IDS = ("u", "anon-1", "anon-2")
STEPS = {
    "cart": (send("in_app"), wait(2_000), send("in_app"), wait(40_000)),
    "trial": (wait(1_000), send("in_app"), wait(5_000)),
}
WHAT = ("Go", "Go", "deliver", "deliver", "click", "click", "scan", ORDER, "merge", "")
ACTS = st.tuples(
    st.sampled_from(WHAT),
    st.sampled_from(IDS),
    st.integers(1, 9_000),
    st.integers(0, 12_000),
    st.integers(0, 5),
)


class Play:
    """A script on the core, with all that went in and came out."""

    def __init__(self) -> None:
        policy = Policy(max_lateness_ms=LATENESS_MS)
        self.world = World(*[_aiming(name) for name in AIMS], policy=policy)
        self.journal: list[Input] = []
        self.records: list[Record] = []
        self.sent: list[SendMessage] = []
        self.at_ms = START

    def act(self, what: str, user_id: str, pause_ms: int, late_ms: int, which: int) -> None:
        self.at_ms += pause_ms
        self.world.processor.advance(self.at_ms)
        self._note()
        for happened in self._inputs(what, user_id, late_ms, which):
            self.world.processor.take(happened, self.at_ms)
            self.journal.append(happened)
            self._note()

    def _inputs(self, what: str, user_id: str, late_ms: int, which: int) -> list[UserInput]:
        if what in {"Go", ORDER}:
            raw = msgspec.Raw(b'{"price":%d}' % (which * 10))
            t = self.at_ms if what == "Go" else max(START, self.at_ms - late_ms)
            event = EventReceived(user_id, what, t, self.at_ms, raw)
            event.is_anonymous = user_id != "u"
            return [event]
        if what == "merge":
            return [UsersMerged("u", self.at_ms, self.at_ms, merged_id="anon-1")]
        if not self.sent or not what:
            return []
        message = self.sent[-1 - which % len(self.sent)]
        if what == "deliver":
            user = self.world.processor.find(message.user_id)
            is_open = user is not None and message.id in by_id(user.pending)
            report = DeliveryReported(message.user_id, message.id, "delivered")
            return [report] if is_open else []
        about = SentMessage(message.id, "in_app", message.campaign, message.enrollment)
        machine = "scanner" if what == "scan" else ""
        return [answered(message.user_id, about, "clicked", self.at_ms, machine=machine)]

    def _note(self) -> None:
        self.world.commit()
        self.records += self.world.records
        self.sent += self.world.messages


def _aiming(name: str) -> Any:
    within_ms, above = AIMS[name]
    when = program(f"event.price > {above}")
    goal = Goal((ORDER,), when, within_ms, program("event.price"))
    return campaign(name, *STEPS[name], goal=goal)


def played(script: list[tuple[str, str, int, int, int]]) -> Play:
    play = Play()
    for act in script:
        play.act(*act)
    return play


def drawn(seed: int) -> Play:
    random = Random(seed)
    return played(
        [
            (random.choice(WHAT), random.choice(IDS), random.randint(1, 4_000),
             random.randint(0, 12_000), random.randint(0, 5))
            for _ in range(60)
        ]
    )  # fmt: skip


@settings(max_examples=300)
@given(st.lists(ACTS, min_size=10, max_size=60))
def test_goals_are_put_down_to_what_going_through_all_of_it_says(script: Any) -> None:
    play = played(script)
    assert missed(play.journal, play.records, set()) == ""


def test_most_goals_are_put_down_to_a_click_here_and_the_rest_to_a_delivery_or_to_nothing() -> None:
    told = [one.touch for seed in range(40) for one in drawn(seed).records if one.kind == "goal"]
    assert min(told.count(how) for how in ("clicked", "delivered", "")) >= 10


def _newest(one: Any, at_ms: int) -> Any:
    touches = [(True, *touch) for touch in (*one.touches, *one.clicks) if touch[0] <= at_ms]
    return max(touches, default=(False, 0, ""))


@pytest.mark.parametrize(
    ("module", "name", "broken"),
    [
        (transition, "note_click", lambda *_: None),
        (goals, "_last_touch", _newest),
        (goals, "TOUCHES_MAX", 1),
    ],
    ids=["no-click-is-noted", "a-delivery-is-as-good", "one-message-is-remembered"],
)
def test_who_puts_goals_down_to_something_else_is_found_out(
    module: Any, name: str, broken: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, broken)
    plays = map(drawn, range(100))
    assert any(missed(play.journal, play.records, set()) for play in plays)
