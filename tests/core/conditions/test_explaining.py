"""Conditions as trees, each worked out by hand: what each part comes to, until when, by what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from config import load_shop
from engine.core.conditions.explaining import because, explain
from engine.core.inputs import EventReceived, UserIdentified
from engine.core.instants import format_instant
from engine.core.reports.account import account, look_ahead
from engine.core.reports.verdicts import verdict
from engine.core.turn import Turn
from engine.runtime.processor import Processor
from tests.core.world import DAY, HOUR, MINUTE, START

if TYPE_CHECKING:
    from engine.core.conditions.explaining import Part
    from engine.core.reports.verdicts import Verdict


class Shop:
    """One campaign, and one user of it."""

    def __init__(self, enter: str, *, segments: str = "", more: str = "") -> None:
        files = {
            "hairspring.toml": "",
            "segments.yaml": segments,
            "campaigns/c.yaml": f"campaign: c\nenter: {enter}\n{more}\n"
            "steps: [{send: in_app, template: t, id: s}]\n",
            "templates/t.in_app.liquid": "Hello",
        }
        self.processor = Processor(load_shop(files).plan, now_ms=START)
        self.event("Nothing", -DAY)

    def event(self, name: str, at: int, **properties: Any) -> None:
        raw = msgspec.Raw(msgspec.json.encode(properties))
        at_ms = START + at
        self.processor.take(EventReceived("u", name, at_ms, max(START, at_ms), raw), at_ms)

    def traits(self, at: int, **traits: Any) -> None:
        raw = msgspec.Raw(msgspec.json.encode(traits))
        self.processor.take(UserIdentified("u", START + at, START + at, raw), START + at)

    def part(self, at: int) -> Part:
        """`enter.when` as it is then."""
        self.processor.advance(START + at)
        plan, user = self.processor.plan, self.processor.users["u"]
        edge = plan.campaigns["c"].entry.edge
        assert edge is not None
        return explain(Turn(plan, user, START + at, START + at, []), edge)

    def verdict(self, at: int) -> Verdict:
        self.processor.advance(START + at)
        plan, user = self.processor.plan, self.processor.users["u"]
        campaign = plan.campaigns["c"]
        batch = self.processor.begin(START + at)
        records = [] if batch is None else self.processor.finish(batch).records
        found = account(plan, user, campaign, START + at, None, records)
        return verdict(campaign, found, look_ahead(plan, user, campaign, START + at))


def said(part: Part) -> tuple[Any, ...]:
    """A part as plain data: text, value, until (since `START`), and what it is made of."""
    until = part.until and (START_TOLD.get(part.until) or part.until)
    return (part.text, part.error or part.value, until, *map(said, part.parts))


START_TOLD = {
    format_instant(START + at): at
    for at in [0, 1, MINUTE, 30 * MINUTE, HOUR, HOUR + MINUTE, 2 * HOUR, DAY, DAY + MINUTE, 2 * DAY]
}


def test_each_part_has_its_value_and_until_when_that_holds() -> None:
    shop = Shop("""{when: 'did("Seen", "1d") && !did("Bought") && idle("1h")'}""")
    shop.event("Seen", MINUTE)
    assert said(shop.part(30 * MINUTE)) == (
        'did("Seen", "1d") && !did("Bought") && idle("1h")',
        False,
        HOUR + MINUTE,
        ('did("Seen", "1d")', True, DAY + MINUTE),
        ('!did("Bought")', True, "", ('did("Bought")', False, "")),
        ('idle("1h")', False, HOUR + MINUTE),
    )


def test_what_is_asked_for_is_told_with_its_value() -> None:
    shop = Shop("""{when: 'count("Seen", "1d") >= 2 && user.tier == "gold" && cart.value > 9.5'}""")
    shop.traits(0, tier="silver")
    shop.event("Seen", 0)
    assert said(shop.part(HOUR))[3:] == (
        ('count("Seen", "1d") >= 2', False, "", ('count("Seen", "1d")', 1, DAY)),
        ('user.tier == "gold"', False, "", ("user.tier", "silver", "")),
        ("cart.value > 9.5", False, "", ("cart.value", 0.0, "")),
    )


def test_an_error_is_told_in_its_own_words() -> None:
    shop = Shop("""{when: 'user.tier == "gold" || since("Seen") >= "1h"'}""")
    told = shop.part(HOUR)
    assert told.value is False or told.error
    tier, since = told.parts
    assert (tier.value, tier.error) == (None, "no such key: 'tier'")
    assert (since.value, since.error) == (None, "the user never did 'Seen'")
    assert [part.text for part in because(told)] == [tier.text, since.text]


def test_the_newest_events_behind_a_part_are_told_newest_first() -> None:
    counted = """count("Seen", "1h", e, e.sku == "a") >= 9"""
    shop = Shop(f"{{when: '{counted}'}}")
    for minute in range(10):
        shop.event("Seen", minute * MINUTE, sku="a" if minute % 2 else "b")
    count = shop.part(HOUR + 2 * MINUTE).parts[0]
    # That of minute 1 has left the window; those of even minutes are of another product.
    assert count.value == 4
    assert [one.at for one in count.events] == [
        format_instant(START + minute * MINUTE) for minute in (9, 7, 5, 3)
    ]
    assert {one.event for one in count.events} == {"Seen"}


def test_idle_tells_what_the_user_did_last() -> None:
    shop = Shop("""{when: 'idle("1h")'}""")
    shop.event("Anything", MINUTE)
    told = shop.part(30 * MINUTE)
    assert [(one.event, one.at) for one in told.events] == [
        ("activity", format_instant(START + MINUTE))
    ]


def test_a_segment_is_taken_apart_once() -> None:
    shop = Shop(
        """{when: 'in_segment("vip") || !in_segment("vip")'}""",
        segments="""vip: 'user.tier == "gold" && did("Seen", "1d")'\n""",
    )
    shop.traits(0, tier="gold")
    shop.event("Seen", 0)
    told = shop.part(HOUR)
    vip = ('user.tier == "gold" && did("Seen", "1d")', True, DAY)
    assert said(told.parts[0])[:3] == ('in_segment("vip")', True, DAY)
    assert said(told.parts[0].parts[0])[:3] == vip
    assert told.parts[1].parts[0].parts == []


def test_a_calendar_part_is_told_with_its_boundary() -> None:
    shop = Shop("""{when: 'now.getHours() >= 1 && did("Seen")'}""")
    hour = shop.part(MINUTE).parts[0]
    assert said(hour) == ("now.getHours() >= 1", False, HOUR, ("now.getHours()", 0, ""))


def test_the_verdict_names_the_instant_at_which_time_alone_brings_him_in() -> None:
    shop = Shop("""{when: 'did("Seen", "1d") && idle("1h")'}""")
    shop.event("Seen", MINUTE)
    before = shop.verdict(HOUR)
    assert (before.kind, before.at) == ("would_enter", format_instant(START + HOUR + MINUTE))
    after = shop.verdict(HOUR + MINUTE)
    assert after.kind == "true"  # its one step was sent at once, and the enrollment is over
    assert f"he last entered at {before.at} and finished at {before.at}" in after.text


def test_the_verdict_names_what_is_not_so_where_time_alone_does_nothing() -> None:
    shop = Shop("""{when: 'did("Seen", "1d") && user.tier == "gold"'}""")
    shop.traits(0, tier="silver")
    told = shop.verdict(0)
    assert told.kind == "not_true"
    assert told.text == (
        'not true because did("Seen", "1d") is false, user.tier == "gold" is false; '
        "time alone does not make it true"
    )


@pytest.mark.parametrize(
    ("more", "reason"),
    [("audience: 'user.tier == \"gold\"'", "audience"), ("status: paused", "status")],
)
def test_the_verdict_tells_a_refusal_that_is_to_come_and_one_that_came(
    more: str, reason: str
) -> None:
    shop = Shop("""{when: 'did("Seen", "1d") && idle("1h")'}""", more=more)
    shop.event("Seen", 0)
    before = shop.verdict(MINUTE)
    assert (before.kind, before.reason) == ("would_be_refused", reason)
    assert before.at == format_instant(START + HOUR)
    after = shop.verdict(2 * HOUR)
    assert (after.kind, after.reason, after.at) == ("refused", reason, before.at)


def test_looking_ahead_leaves_the_user_as_he_is() -> None:
    shop = Shop("""{when: 'did("Seen", "1d") && idle("1h")'}""")
    shop.event("Seen", 0)
    user = shop.processor.users["u"]
    before = msgspec.to_builtins(user)
    plan = shop.processor.plan
    ahead = look_ahead(plan, user, plan.campaigns["c"], START)
    assert (ahead.kind, ahead.at_ms) == ("entered", START + HOUR)
    assert msgspec.to_builtins(user) == before


def test_looking_ahead_comes_to_an_end() -> None:
    # Asked each second, and never true.
    shop = Shop("""{when: 'now.getSeconds() == 61 && did("Seen")'}""")
    shop.event("Seen", 0)
    told = shop.verdict(MINUTE)
    assert told.kind == "not_true"
    assert "too many deadlines" in told.text
