"""A condition is one question, however many parts and segments it has: its cost is bounded."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from config import load_shop
from engine.core import cel
from engine.core.cel import MOMENT
from engine.core.conditions.condition import Condition
from engine.core.conditions.moment import Moment
from engine.core.history import Kept, insert
from engine.core.inputs import EventReceived
from engine.core.plan import Plan
from engine.core.state import new_user
from engine.runtime.processor import Processor
from tests.core.world import START

ALL = Kept(most=1_000, properties=None, total=True)
LONG = list(range(300))
HEAVY = "user.l.exists(a, (a - 5000) in user.l)"
"""Visits 90,300 elements of the 100,000 that a question may."""


def plan_of(campaign: str, **segments: str) -> Any:
    told = "\n".join(f"{name}: '{text}'" for name, text in segments.items())
    files = {"campaigns/c.yaml": campaign, **({"segments.yaml": told} if told else {})}
    return load_shop(files).plan


def asked(when: str, traits: dict[str, Any], **segments: str) -> tuple[bool, bool]:
    """Whether a condition holds of such a user, and whether a part of it ended in an error."""
    text = f"campaign: c\nenter: {{when: '{when}'}}\nsteps: [{{exit: done, id: x}}]\n"
    plan = plan_of(text, **segments)
    user = new_user("u")
    user.traits = traits
    moment = Moment(user, START, plan)
    edge = plan.campaigns["c"].entry.edge
    holds, _ = edge.ask({MOMENT: moment, "user": traits, "event": {}, "event_name": ""})
    assert moment.work is None
    return holds, moment.failed


def test_the_parts_of_a_condition_have_one_allowance_together() -> None:
    assert asked(f"!{HEAVY}", {"l": LONG}) == (True, False)
    assert asked(f'!{HEAVY} && idle("1h")', {"l": LONG}) == (False, False)
    assert asked(f"!{HEAVY} && !{HEAVY}", {"l": LONG}) == (False, True)
    assert asked(" && ".join([f"!{HEAVY}"] * 30), {"l": LONG}) == (False, True)
    assert asked(f"{HEAVY} || {HEAVY} || true", {"l": LONG}) == (True, True)


def test_so_have_the_segments_that_it_asks_for() -> None:
    segments = {"s": f"!{HEAVY}", "t": f"!{HEAVY} || user.vip"}
    assert asked('in_segment("s")', {"l": LONG}, **segments) == (True, False)
    assert asked('in_segment("s") && in_segment("t")', {"l": LONG}, **segments)[0] is False


def test_so_have_all_conditions_on_counted_events() -> None:
    user = new_user("u")
    for at_ms in range(1, 1_001):
        insert(user, "A", at_ms, ALL, at_ms, b'{"n": 1}')
    for many, failed in ((90, False), (110, True)):
        counts = [f'count("A", e, e.n > {number}) > 1' for number in range(1, many)]
        condition = Condition(cel.compile(" || ".join(counts)))
        moment = Moment(user, 2_000, Plan("p", ()))
        assert condition.ask({MOMENT: moment, "user": {}})[0] is False
        assert moment.failed is failed
        evaluated = condition.program.truth({MOMENT: moment, "user": {}})
        assert isinstance(evaluated, cel.CelError) is failed


@pytest.mark.parametrize("link", ["&&", "||", "=="])
def test_segments_that_ask_each_other_twice_are_each_asked_once(link: str) -> None:
    """Sixty of them would be asked more often than there are atoms."""
    segments = {"s0": 'did("A") && idle("1h")'}
    for number in range(1, 60):
        before = f'in_segment("s{number - 1}")'
        segments[f"s{number}"] = f'{before} {link} ({before} || !did("A"))'
    entering = "campaign: c\nenter: {segment: s59}\nsteps: [{exit: done, id: x}]\n"
    processor = Processor(plan_of(entering, **segments), now_ms=START)
    raw = msgspec.Raw(b"{}")
    processor.take(EventReceived("u", "A", START, START, raw), START)
    processor.advance(START + 3_600_000)
    told = processor.made
    entered = [one.at_ms - START for one in told if getattr(one, "kind", "") == "entered"]
    assert entered == ([0] if link == "==" else [3_600_000])
