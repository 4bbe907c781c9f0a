from __future__ import annotations

from math import isfinite

import msgspec
import pytest

from config import load_shop
from engine.core.effects import Record
from engine.core.ids import effect_id
from engine.core.messages.attribution import UNKNOWN, touch_of
from engine.core.reports.results import held_out, messages_by
from engine.core.reports.tallies import (
    HOUR_MS,
    KEYS_MAX,
    LINK,
    LINKS_MAX,
    OTHER,
    SUMMED,
    Key,
    Tallies,
    Tally,
    bucket_of,
    link_mark,
    middle_ms,
    quantile_ms,
    read_variants,
    told_variants,
)
from engine.core.stats.comparing import lift
from engine.core.steps.repeats import TIMES_MAX

SHOP = load_shop(
    {
        "hairspring.toml": "",
        "campaigns/c.yaml": """
campaign: c
enter: {event: Go}
goal: {event: Bought, value: event.total}
steps:
  - {send: email, template: t, id: first, else: [sms]}
  - repeat:
      times: 3
      every: 1d
      steps:
        - repeat: {times: 2, every: 1h, steps: [{send: sms, template: t, id: again}]}
""",
        "templates/t.email.liquid": "---\nsubject: Hello\n---\nHello",
        "templates/t.sms.liquid": "Hello",
    }
)
CAMPAIGN = SHOP.plan.campaigns["c"]
ENROLLMENT = "e" * 32


def goal(message: str) -> Record:
    return Record(HOUR_MS, "u", "c", "goal", ENROLLMENT, message=message, value=2.5)


@pytest.mark.parametrize(
    ("step", "iteration", "channel"),
    [
        ("first", 0, "email"),
        ("first", 0, "sms"),
        ("again", 0, "sms"),
        ("again", 1, "sms"),
        ("again", 2 * TIMES_MAX + 1, "sms"),
    ],
)
def test_a_goal_is_put_down_to_the_message_that_its_id_is_of(
    step: str, iteration: int, channel: str
) -> None:
    message = effect_id(ENROLLMENT, step, iteration, channel)
    assert touch_of(CAMPAIGN, goal(message)) == (step, channel)


def test_a_message_that_no_step_makes_any_more_is_another_one() -> None:
    assert touch_of(CAMPAIGN, goal("f" * 32)) == (UNKNOWN, UNKNOWN)
    assert touch_of(None, goal("f" * 32)) == (UNKNOWN, UNKNOWN)
    assert touch_of(CAMPAIGN, goal("")) == ("", "")


def test_goals_after_a_click_are_counted_apart_by_step_and_channel() -> None:
    tallies = Tallies()
    message = effect_id(ENROLLMENT, "first", 0, "email")
    by = [msgspec.structs.replace(goal(message), touch=how) for how in ("clicked", "delivered")]
    tallies.count([*by, goal("")], SHOP.plan)
    tallies.fold()
    counts = tallies.campaigns["c"].total()
    of_step = messages_by(counts, lambda key: key.step or None, {})
    assert [(name, one.goals, one.goals_clicked) for name, one in of_step.items()] == [
        ("first", 2, 1)
    ]


@pytest.mark.parametrize("value", [1e200, -1.7e308])
def test_a_goal_worth_more_than_can_be_squared_is_counted_and_ends_nothing(value: float) -> None:
    tallies = Tallies()
    absurd = msgspec.structs.replace(goal(""), value=value)
    tallies.count([absurd, absurd, goal("")], SHOP.plan)
    tallies.fold()
    counts = tallies.campaigns["c"].total()
    assert sum(count for key, count in counts.items() if key.kind == "goal") == 3
    treated, out = held_out(counts)
    assert isfinite(treated.value)
    assert isfinite(treated.square)
    assert isfinite(lift(treated, out).rate.estimate)


def test_keys_beyond_what_is_kept_are_counted_as_others() -> None:
    tally = Tally()
    for number in range(KEYS_MAX + 50):
        tally.add(1, Key("skipped", reason=str(number)), 1)
    total = tally.total()
    assert len(total) == KEYS_MAX + 1
    assert total[Key("skipped", reason=OTHER)] == 50
    assert sum(total.values()) == KEYS_MAX + 50


def test_an_hour_that_was_packed_is_counted_on() -> None:
    tally = Tally()
    tally.add(1, Key("sent"), 2)
    tally.pack(2)
    tally.add(1, Key("sent"), 3)
    assert tally.hour(1) == {Key("sent"): 5}
    again = Tally(tally.encode())
    again.take(1, tally.encode_hour(1))
    assert (again.total(), again.hour(1)) == (tally.total(), tally.hour(1))


def test_the_sums_of_an_hour_follow_what_is_counted_and_leave_machines_out() -> None:
    tally = Tally()
    tally.add(1, Key("opened"), 2)
    tally.add(1, Key("opened", reason="prefetch"), 5)
    assert dict(zip(SUMMED, tally.sums(1), strict=True))["opened"] == 2
    tally.add(1, Key("opened", step="s"), 1)
    assert dict(zip(SUMMED, tally.sums(1), strict=True))["opened"] == 3


def test_a_message_taken_back_and_one_that_stands_in_are_told_apart_from_the_rest() -> None:
    tallies = Tallies()
    about = {"enrollment": ENROLLMENT, "step": "first"}
    tallies.count(
        [
            Record(1, "u", "c", "sent", channel="email", message="m", **about),
            Record(2, "u", "c", "failed", channel="email", reason="ada@example.com is no", **about),
            Record(2, "u", "c", "sent", channel="sms", message="n", **about),
            Record(3, "u", "c", "skipped", channel="sms", reason="exited", message="n", **about),
        ],
        SHOP.plan,
    )
    tallies.fold()
    assert tallies.campaigns["c"].total() == {
        Key("sent", "first", "email"): 1,
        Key("failed", "first", "email"): 1,
        Key("stood_in", "first"): 1,
        Key("sent", "first", "sms"): 1,
        Key("cancelled", "first", "sms", "", "exited"): 1,
    }


def test_clicks_are_counted_by_where_they_lead_without_what_is_each_persons_own() -> None:
    tallies = Tallies()
    about = {"step": "first", "channel": "email"}
    links = ["https://s.example/a", "https://s.example/a?token=ada#x", "https://s.example/b"]
    tallies.count([Record(1, "u", "c", "clicked", link=one, **about) for one in links], SHOP.plan)
    machine = Record(1, "u", "c", "clicked", link=links[0], reason="scanner", **about)
    tallies.count([machine], SHOP.plan)
    tallies.fold()
    by_mark = {k.reason: n for k, n in tallies.campaigns["c"].total().items() if k.kind == LINK}
    assert by_mark == {link_mark(links[0]): 2, link_mark(links[2]): 1}


def test_links_without_end_leave_room_for_what_else_is_counted() -> None:
    tally = Tally()
    for number in range(LINKS_MAX + 10):
        tally.add(1, Key(LINK, reason=link_mark(f"https://s.example/{number}")), 1)
    again = Tally(tally.encode())
    again.add(1, Key(LINK, reason=link_mark("https://s.example/one-more")), 1)
    again.add(1, Key("sent"), 1)
    total = again.total()
    assert total[Key(LINK, reason=OTHER)] == 11
    assert total[Key("sent")] == 1
    assert len(total) == LINKS_MAX + 2


def test_variants_are_read_as_they_are_told() -> None:
    told = told_variants([("offer", "ten"), ("copy", "a")])
    assert told == "copy=a&offer=ten"
    assert read_variants(told) == {"copy": "a", "offer": "ten"}
    assert read_variants("a") == {}


@pytest.mark.parametrize("took_ms", [1, 2, 999, 60_000, 86_400_000 * 30])
def test_a_time_is_told_within_a_tenth(took_ms: int) -> None:
    assert middle_ms(bucket_of(took_ms)) == pytest.approx(took_ms, rel=0.1)
    assert quantile_ms({bucket_of(took_ms): 3}, 0.9) == middle_ms(bucket_of(took_ms))
