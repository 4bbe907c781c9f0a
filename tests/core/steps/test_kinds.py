"""Steps that wait for an event, repeat, set and emit, as shops write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from config import load_shop
from engine.core import history
from engine.core.intake.items import TRAITS_MAX
from engine.core.past.coming import gap
from engine.core.past.found import add_emitted
from engine.core.plan import Plan
from engine.core.reports.account import account
from engine.core.reports.verdicts import waiting
from engine.core.state import new_user
from tests.core.world import DAY, HOUR, MINUTE, START, World

if TYPE_CHECKING:
    from engine.core.plan import Campaign

TEMPLATES = {"templates/t.in_app.liquid": "Hello", "templates/u.in_app.liquid": "Hello"}


def written(campaign_id: str, steps: str, head: str = "enter: {event: Go}") -> Campaign:
    text = f"campaign: {campaign_id}\n{head}\nsteps:\n{steps}"
    shop = load_shop({"campaigns/a.yaml": text, **TEMPLATES})
    return shop.plan.campaigns[campaign_id]


def entered(told: list[str]) -> list[str]:
    return [one.split()[1] for one in told if "entered" in one]


SEND = "  - {send: in_app, template: t, id: s}\n"


# What follows at the same instant


def test_an_edge_is_truth_before_and_after_each_of_two_changes_of_one_walk() -> None:
    world = World(
        written("c", "  - set: {a: 1}\n  - set: {a: 2}\n" + SEND),
        written("one", SEND, "enter: {when: user.a == 1}"),
        written("two", SEND, "enter: {when: user.a == 2}"),
    )
    assert entered(world.event("Go", 1)) == ["c", "one", "two"]


def test_what_a_refused_set_says_of_consent_is_taken_and_followed() -> None:
    world = World(
        written("c", "  - set: {consent: {email: false}, more: 1}\n" + SEND),
        written("no", SEND, "enter: {when: user.consent.email == false && !has(user.more)}"),
    )
    world.identify(0, **{f"t{number}": 1 for number in range(TRAITS_MAX)})
    assert entered(world.event("Go", 1)) == ["c", "no"]
    assert world.processor.errors["c"] == 1


def test_what_follows_has_its_turn_in_the_order_in_which_it_was_made() -> None:
    world = World(
        written("c", "  - emit: {event: First}\n  - set: {a: 1}\n  - emit: {event: Last}\n"),
        written("z", "  - emit: {event: Fourth}\n", "enter: {event: First}"),
        written("a", SEND, "enter: {event: Last}"),
        written("m", SEND, "enter: {when: user.a == 1}"),
        written("b", SEND, "enter: {event: Fourth}"),
    )
    assert entered(world.event("Go", 1)) == ["c", "z", "m", "a", "b"]


def test_an_event_of_the_engines_own_is_nothing_that_the_user_did() -> None:
    world = World(
        written("c", "  - {wait: 20m, id: w}\n  - emit: {event: Made}\n"),
        written("idle", SEND, """enter: {when: 'idle("30m") && did("Made", "1d")'}"""),
    )
    world.event("Go", 0)
    assert entered(world.advance(HOUR)) == ["idle"]
    assert world.records[1].at_ms == START + 30 * MINUTE


def test_an_event_that_a_downtime_held_back_is_of_its_own_instant_and_judged_later() -> None:
    as_of = 'enter: {event: Made, when: \'idle("20m") && !idle("21m")\'}'
    world = World(
        written("c", "  - {wait: 20m, id: w}\n  - emit: {event: Made}\n"),
        written("by", "  - {wait: 5m, id: w}\n  - {exit: x}\n", as_of),
    )
    world.event("Go", 0)
    world.resume(stopped=10 * MINUTE, at=HOUR)
    by = [one for one in world.advance(2 * HOUR) if " by " in one]
    judged = f"judged {HOUR + 30_000}"
    assert by == [
        f"{20 * MINUTE} by entered {judged}", f"{25 * MINUTE} by exited steps.1 x {judged}",
    ]  # fmt: skip


def test_a_loop_through_waits_of_no_time_comes_to_an_end_and_goes_on_with_the_next_input() -> None:
    world = World(written("c", "  - {wait: 0s, id: w}\n  - emit: {event: Go}\n"))
    told = world.event("Go", 1) + world.advance(1)
    assert told.count("1 c refused loop") == 1
    assert len(entered(told)) == 101
    assert entered(world.event("Go", 2)) == ["c"]


def test_traits_that_turn_each_other_over_for_ever_are_a_loop() -> None:
    world = World(
        written("on", "  - set: {a: true}\n", "enter: {when: user.a == false}"),
        written("off", "  - set: {a: false}\n", "enter: {when: user.a == true}"),
    )
    told = world.identify(1, a=True)
    assert [one for one in told if "refused" in one] in (
        ["1 on refused loop"],
        ["1 off refused loop"],
    )
    assert len(entered(told)) == 101


def test_changes_that_nobody_asks_for_are_no_loop() -> None:
    steps = "  - repeat: {times: 500, steps: [{set: {a: =now}}, {emit: {event: Unheard}}]}\n" + SEND
    told = World(written("c", steps)).event("Go", 1)
    assert told == ["1 c entered", "1 c sent s in_app", "1 c finished"]


def test_a_set_trait_is_what_history_must_not_overwrite() -> None:
    world = World(written("c", "  - set: {tier: gold}\n" + SEND))
    world.event("Go", 5)
    assert world.user().traits == {"tier": "gold"}
    assert world.user().identified_at_ms == START + 5


def test_what_the_user_has_no_room_for_is_not_set_and_is_counted() -> None:
    world = World(written("c", "  - set: {one: '=\"x\" + user.big'}\n" + SEND))
    world.identify(0, big="y" * 40_000)
    world.event("Go", 1)
    assert "one" not in world.user().traits
    assert world.processor.errors == {"c": 1}


@pytest.mark.parametrize("value", ["=user.missing", "=1.0 / 0.0", "=[1][5]"])
def test_a_value_that_fails_or_is_no_json_leaves_its_trait_alone(value: str) -> None:
    world = World(written("c", f'  - set: {{a: "{value}", b: 1}}\n' + SEND))
    world.identify(0, a="before")
    world.event("Go", 1)
    assert world.user().traits == {"a": "before", "b": 1}
    assert world.processor.errors == {"c": 1}


# Waiting for an event

AWAITS = """
  - wait: {event: Done, at_most: 10m, then: [{send: in_app, template: t, id: then}]}
    id: w
  - {wait: 5m, id: after}
  - {send: in_app, template: u, id: last}
"""


def test_what_follows_an_awaited_event_counts_from_its_own_time() -> None:
    world = World(written("c", AWAITS))
    world.event("Go", 0)
    assert world.event("Done", 4 * MINUTE, t=2 * MINUTE) == ["240000 c sent then in_app"]
    assert world.advance(7 * MINUTE) == ["420000 c sent last in_app", "420000 c finished"]


def test_after_a_downtime_an_event_from_when_the_time_was_up_does_not_end_the_wait() -> None:
    world = World(written("c", AWAITS))
    world.event("Go", 0)
    world.resume(MINUTE, 20 * MINUTE, grace=10 * MINUTE)
    assert world.event("Done", 21 * MINUTE, t=10 * MINUTE) == []
    assert world.event("Done", 22 * MINUTE, t=10 * MINUTE - 1) == [
        "1320000 c skipped then in_app expired",
        "1320000 c sent last in_app",
        "1320000 c finished",
    ]


def test_an_awaited_event_is_found_among_campaigns_that_wait_for_others() -> None:
    world = World(
        written("c", AWAITS), written("d", AWAITS.replace("Done", "Other")), written("e", SEND)
    )
    reactions = world.processor.plan.reactions("Done")
    assert reactions is not None
    assert reactions.awaits == {"c"}


# Repeating

REPEATS = """
  - repeat:
      times: {times}
      every: 1h
      steps:
        - {{send: in_app, template: t, id: s}}
        - {{wait: 10m, id: w}}
    id: r
  - {{send: in_app, template: u, id: last}}
"""


def test_each_time_has_messages_of_its_own() -> None:
    world = World(written("c", REPEATS.format(times=3)))
    world.event("Go", 0)
    ids = {message.id for message in world.messages}
    for hour in (1, 2, 3):
        world.advance(hour * HOUR)
        ids |= {message.id for message in world.messages}
    assert len(ids) == 4


def test_who_is_within_a_repeat_keeps_place_and_iteration_while_the_file_changes() -> None:
    world = World(written("c", REPEATS.format(times=3)))
    world.event("Go", 0)
    world.advance(HOUR)
    more = REPEATS.format(times=2).replace("  - repeat", "  - {wait: 1d, id: new}\n  - repeat")
    assert world.adopt(written("c", more), at=HOUR + MINUTE) == []
    assert world.advance(DAY) == [
        f"{HOUR + 10 * MINUTE} c sent last in_app",
        f"{HOUR + 10 * MINUTE} c finished",
    ]


def test_a_send_that_leaves_its_repeat_is_not_sent_under_an_id_that_was_given() -> None:
    world = World(written("c", REPEATS.format(times=3)))
    world.event("Go", 0)
    world.advance(HOUR)
    flat = "  - {wait: 10m, id: w}\n  - {send: in_app, template: t, id: s}\n"
    world.adopt(written("c", flat), at=HOUR + MINUTE)
    assert world.advance(DAY) == [
        f"{HOUR + 10 * MINUTE} c skipped s in_app passed",
        f"{HOUR + 10 * MINUTE} c finished",
    ]


def test_a_wait_that_comes_into_a_repeat_is_in_its_first_time() -> None:
    flat = "  - {wait: 10m, id: w}\n  - {send: in_app, template: u, id: last}\n"
    world = World(written("c", flat))
    world.event("Go", 0)
    world.adopt(written("c", REPEATS.format(times=2)), at=MINUTE)
    assert world.advance(DAY) == [
        f"{HOUR} c sent s in_app",
        f"{HOUR + 10 * MINUTE} c sent last in_app",
        f"{HOUR + 10 * MINUTE} c finished",
    ]


def test_a_late_start_catches_up_through_the_times_that_are_over() -> None:
    world = World(written("c", REPEATS.format(times=5)))
    world.event("Other", 2 * HOUR)
    assert world.event("Go", 2 * HOUR + MINUTE, t=0) == [
        f"{2 * HOUR + MINUTE} c entered",
        f"{2 * HOUR + MINUTE} c skipped s in_app expired",
        f"{2 * HOUR + MINUTE} c skipped s in_app expired",
        f"{2 * HOUR + MINUTE} c sent s in_app",
    ]


# What is told of those who wait


UNTIL_ONE = "until 2026-01-01T01:00:00.000Z at the latest"


def place_of(steps: str, at: int, **traits: object) -> str:
    campaign = written("c", steps)
    world = World(campaign)
    world.identify(0, **traits)
    world.event("Go", 0)
    world.advance(at)
    told = account(world.processor.plan, world.user(), campaign, START + at, None, [])
    return waiting(told.places[0])


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        (
            '  - wait: {until: "18:30", days: [mon, fri], timezone: Europe/Paris}\n    id: w\n',
            "waits in step w until 2026-01-02T17:30:00.000Z, 18:30 on mon, fri (Europe/Paris)",
        ),
        (
            "  - wait: {event: [A, B], when: event.n > 1, at_most: 1h}\n    id: w\n",
            f"waits in step w for A or B with event.n > 1, {UNTIL_ONE}",
        ),
        (
            "  - wait: {event: A}\n    id: w\n",
            "waits in step w for A, for as long as it takes",
        ),
        (
            f"  - repeat:\n      times: 3\n      every: 1d\n      steps:\n      {SEND}    id: r\n",
            "pauses in step r until 2026-01-02T00:00:00.000Z, after time 1 of 3",
        ),
    ],
)
def test_it_is_told_what_a_wait_is_for_and_until_when(steps: str, told: str) -> None:
    assert place_of(steps + SEND.replace("id: s", "id: z"), MINUTE) == told


@pytest.mark.parametrize(
    ("zone", "told"),
    [
        ("Asia/Tokyo", "09:30:00.000Z, 18:30 (Asia/Tokyo)"),
        (
            "Mars/Phobos",
            "18:30:00.000Z, 18:30 (UTC, since the user's 'Mars/Phobos' is no time zone)",
        ),
        (7, "18:30:00.000Z, 18:30 (UTC, since the user's '7' is no time zone)"),
        ("", "18:30:00.000Z, 18:30 (UTC)"),
    ],
)
def test_it_is_told_whose_clock_a_wait_goes_by(zone: object, told: str) -> None:
    steps = '  - wait: {until: "18:30"}\n    id: w\n'
    assert place_of(steps, MINUTE, timezone=zone) == f"waits in step w until 2026-01-01T{told}"


# What a coming plan finds


def test_what_campaigns_made_stays_known_beside_what_is_found_in_the_archive() -> None:
    makes = written("c", "  - emit: {event: Made}\n")
    asks, asks_more = (
        written("d", SEND, f"""enter: {{event: Go, when: 'count("Made", "{window}") >= 3'}}""")
        for window in ("1d", "9d")
    )
    before, coming = Plan("p", [makes, asks]), Plan("q", [makes, asks_more])
    lacking, kept = gap(before, coming), coming.kept["Made"]
    found, user = new_user("u"), new_user("u")
    for of, at_ms in ((found, START), (user, START), (user, START + 5)):
        history.insert(of, "Made", at_ms, kept, at_ms)
    add_emitted(before.widened(coming).kept, lacking, found, user, START + 9)
    assert list(history.instants_of(found.history["Made"])) == [START, START + 5]
