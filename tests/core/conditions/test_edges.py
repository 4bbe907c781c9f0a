"""Users who come in by a condition, leave by one and wait for one, at the very millisecond."""

from __future__ import annotations

import pytest

from engine.core.inputs import EventImported, TraitsImported
from engine.core.policy import Policy
from engine.core.state import decode_user, encode_user
from tests.core.world import (
    DAY,
    HOUR,
    MINUTE,
    START,
    S,
    World,
    campaign,
    leave,
    send,
    wait,
    wait_when,
)

ABANDONED = 'did("Add", "7d") && !did("Buy", "7d") && idle("30m")'


def test_users_come_in_at_the_instant_at_which_time_makes_it_true() -> None:
    world = World(campaign("c", wait(5), rises=ABANDONED))
    world.event("Add", 0)
    world.event("Look", 10 * MINUTE)
    due = 40 * MINUTE
    assert world.advance(due - 1) == []
    assert world.advance(due + 100) == [f"{due} c entered", f"{due + 5} c finished"]


def test_once_for_each_rise() -> None:
    world = World(campaign("c", rises='count("View", "1h") >= 2'))
    entered = [world.event("View", at * MINUTE) for at in (0, 10, 20, 75, 90)]
    # At 70 that of 10 leaves the window, at 80 that of 20: each next one is a rise anew.
    assert [bool(one) for one in entered] == [False, True, False, True, True]
    assert world.event("View", 200 * MINUTE) == []


def test_what_nobody_names_puts_off_an_idle_time() -> None:
    world = World(campaign("c", rises='idle("10m")'))
    for at in range(0, 50, 5):
        assert world.event("Whatever", at * MINUTE) == []
    assert world.advance(DAY) == [f"{55 * MINUTE} c entered", f"{55 * MINUTE} c finished"]


def test_of_somebody_new_everything_was_false() -> None:
    world = World(
        campaign("lacks", rises='!did("Buy")'),
        campaign("few", rises='count("View", "1d") < 2'),
        campaign("tall", rises="user.height > 180"),
        campaign("late", rises="now.getHours() >= 0"),
    )
    assert [told for told in world.identify(7, height=190) if "entered" in told] == [
        "7 few entered",
        "7 lacks entered",
        "7 late entered",
        "7 tall entered",
    ]
    assert world.event("Go", 8) == []


def test_a_trait_makes_it_true_and_the_event_at_hand_is_none() -> None:
    world = World(
        campaign("c", send("email", names=frozenset({"event"})), rises='user.tier == "vip"')
    )
    world.reachable()
    assert world.identify(5, tier="vip") == [
        "5 c entered",
        "5 c sent steps.0 email",
        "5 c finished",
    ]
    assert b'"event_name":""' in bytes(world.messages[0].snapshot)


def test_the_event_that_makes_it_true_is_the_one_at_hand() -> None:
    world = World(
        campaign("c", send("email", names=frozenset({"event"})), rises='count("Buy") >= 2')
    )
    world.reachable()
    world.event("Buy", 1, total=5)
    world.event("Buy", 2, total=7)
    assert b'"event":{"total":7},"event_name":"Buy"' in bytes(world.messages[0].snapshot)


def test_it_may_rise_again_by_time_alone_after_it_fell_by_time() -> None:
    rises = 'did("A", "10m") || (did("B", "3h") && idle("1h"))'
    world = World(campaign("c", rises=rises))
    assert world.event("B", 0) == []
    assert world.event("A", MINUTE) == ["60000 c entered", "60000 c finished"]
    due = 61 * MINUTE
    assert world.advance(3 * HOUR) == [f"{due} c entered", f"{due} c finished"]


def test_an_overdue_rise_is_told_at_its_own_instant_and_judged_after_the_grace() -> None:
    world = World(campaign("c", send("in_app", expires=MINUTE), rises=ABANDONED))
    world.event("Add", 0)
    world.resume(MINUTE, HOUR, grace=30_000)
    due, judged = 30 * MINUTE, HOUR + 30_000
    assert world.advance(judged - 1) == []
    assert world.advance(judged) == [
        f"{due} c entered judged {judged}",
        f"{due} c skipped steps.0 in_app expired judged {judged}",
        f"{due} c finished judged {judged}",
    ]


def test_who_comes_back_within_the_grace_has_not_gone() -> None:
    world = World(campaign("c", rises=ABANDONED))
    world.event("Add", 0)
    world.resume(MINUTE, HOUR, grace=30_000)
    assert world.event("Look", HOUR + 1) == []
    due = HOUR + 1 + 30 * MINUTE
    assert world.advance(DAY) == [f"{due} c entered", f"{due} c finished"]


def test_an_event_that_is_too_late_brings_nobody_in() -> None:
    world = World(campaign("c", rises='count("Buy", "30d") >= 2'))
    world.event("Buy", 3 * DAY)
    assert world.event("Buy", 3 * DAY + 1, t=DAY) == [f"{3 * DAY + 1} c refused late"]
    assert world.event("Buy", 3 * DAY + 2) == []


def test_history_brings_nobody_in_and_time_goes_on_from_it() -> None:
    world = World(
        campaign("c", rises='did("Add", "7d") && idle("1h")'), campaign("d", rises="user.x")
    )
    world.processor.take(EventImported("u", "Add", START, START), START + HOUR)
    world.processor.take(TraitsImported("u", START, START, b'{"x":true}'), START + HOUR)
    assert world.commit() == []
    assert world.user().watch is not None


def test_higher_priorities_first_where_several_rise_or_are_due_at_one_instant() -> None:
    world = World(
        campaign("a", wait(10), rises='idle("10ms")', priority=10),
        campaign("b", wait(10), rises='idle("10ms")', priority=90),
        campaign("e", wait(10), on=("Go",), priority=50),
    )
    world.event("Go", 0)
    assert world.advance(10) == ["10 b entered", "10 e finished", "10 a entered"]


def test_a_message_that_goes_out_is_something_that_happened() -> None:
    world = World(
        campaign("first", send("in_app"), on=("Go",)),
        campaign("second", send("in_app"), rises='received("in_app", "1d") >= 1'),
        campaign("third", rises='received("in_app", "1d") >= 2'),
    )
    entered = [told for told in world.event("Go", 3) if "entered" in told]
    assert entered == ["3 first entered", "3 second entered", "3 third entered"]


def test_campaigns_that_set_each_other_off_for_ever_come_to_an_end() -> None:
    again = "received('in_app', '1d') % 2 == {}"
    world = World(
        campaign("odd", send("in_app"), rises=again.format(1)),
        campaign("even", send("in_app"), rises=again.format(0)),
    )
    told = world.event("Go", 0)
    assert sum("entered" in one for one in told) == 101
    assert [one for one in told if "refused" in one] == ["0 odd refused loop"]


# Leaving by a condition


def test_exit_when_it_becomes_true_by_an_event_or_by_time() -> None:
    world = World(campaign("c", wait(DAY), exit_when='did("Buy", "1h") || idle("2h")'))
    world.event("Go", 0)
    assert world.event("Buy", 5) == ["5 c exited when"]
    world.event("Go", 2 * HOUR)
    assert world.advance(DAY) == [f"{4 * HOUR} c exited when"]


def test_exit_when_it_is_true_already_at_once() -> None:
    world = World(campaign("c", send("in_app"), exit_when='did("Buy", "1h")'))
    world.event("Buy", 0)
    assert world.event("Go", 5) == ["5 c entered", "5 c exited when"]


def test_the_event_that_one_leaves_by_is_compared_with_the_one_that_entered() -> None:
    same = 'did("Buy", "1d", e, e.id == event.id)'
    world = World(campaign("c", wait(DAY), per="event.id", exit_when=same))
    world.event("Go", 0, id=1)
    world.event("Go", 1, id=2)
    assert world.event("Buy", 5, id=2) == ["5 c exited when"]
    assert [one.per for one in world.user().enrollments] == ["1"]


def test_leaving_goes_before_going_on() -> None:
    world = World(
        campaign("c", wait_when('did("Buy", "1h")', then=(send("in_app"),)), exit_when='did("Buy")')
    )
    world.event("Go", 0)
    assert world.event("Buy", 5) == ["5 c exited when"]


# Waiting for a condition

WAITS = (wait_when('count("View", "1h") >= 2', 2 * HOUR, (leave("viewed"),), (leave("bored"),)),)


def test_a_wait_is_over_as_its_condition_becomes_true() -> None:
    world = World(campaign("c", *WAITS))
    world.event("Go", 0)
    assert world.event("View", 5) == []
    assert world.event("View", 6) == ["6 c exited steps.0.then.0 viewed"]


def test_a_wait_is_over_when_the_time_is_up() -> None:
    world = World(campaign("c", *WAITS))
    world.event("Go", 0)
    assert world.advance(DAY) == [f"{2 * HOUR} c exited steps.0.else.0 bored"]


def test_a_wait_for_what_is_so_already_is_none() -> None:
    world = World(campaign("c", *WAITS))
    world.event("View", 0)
    world.event("View", 1)
    assert world.event("Go", 2) == ["2 c entered", "2 c exited steps.0.then.0 viewed"]


def test_what_follows_counts_from_the_instant_at_which_it_became_true() -> None:
    world = World(campaign("c", wait_when('idle("1h")'), wait(7), send("in_app")))
    world.event("Go", 0)
    assert world.advance(DAY) == [
        f"{HOUR + 7} c sent steps.2 in_app",
        f"{HOUR + 7} c finished",
    ]


# Under another plan


def test_nobody_comes_in_for_what_is_true_already_as_a_campaign_goes_live() -> None:
    world = World(campaign("c", rises='did("Buy", "1d")'))
    world.event("Buy", 0)
    world.event("Go", 1, user="v")
    both = campaign("c", rises='did("Buy", "1d")'), campaign("d", rises='did("Buy", "1h")')
    assert world.adopt(*both, at=5) == []
    assert world.event("Buy", 6) == []
    assert [told for told in world.event("Buy", 7, user="v") if "entered" in told] == [
        "7 c entered",
        "7 d entered",
    ]


def test_but_with_backfill() -> None:
    world = World(campaign("c", rises='did("Buy", "1d")'))
    world.event("Buy", 0)
    late = campaign("d", wait(3), rises='did("Buy", "1h")', backfill=True)
    assert world.adopt(late, at=5) == ["5 d entered"]
    again = campaign("d", wait(9), rises='did("Buy", "2h")', backfill=True)
    assert world.adopt(again, at=6, plan_id="p3") == []


def test_an_alarm_is_set_as_of_the_change_for_everybody_and_the_old_one_is_gone() -> None:
    world = World(campaign("c", rises='did("Buy", "7d") && idle("1h")'))
    world.event("Buy", 0)
    world.adopt(campaign("c", rises='did("Buy", "7d") && idle("3h")'), at=5)
    assert world.advance(DAY) == [f"{3 * HOUR} c entered", f"{3 * HOUR} c finished"]


def test_where_no_condition_is_left_nothing_is_kept_of_them() -> None:
    world = World(campaign("c", rises='idle("1h")'))
    world.event("Buy", 0)
    world.adopt(campaign("d"), at=5)
    assert world.user().watch is None
    assert world.advance(DAY) == []


def test_what_one_leaves_by_and_waits_for_is_asked_anew() -> None:
    world = World(campaign("c", wait(DAY, "w")), campaign("d", wait(DAY, "w")))
    world.event("Go", 0)
    later = (
        campaign("c", wait(DAY, "w"), exit_when='idle("1h")'),
        campaign("d", wait(DAY, "w"), exit_when='!idle("1h")'),
    )
    assert world.adopt(*later, at=5) == ["5 d exited when"]
    assert world.advance(DAY) == [f"{HOUR} c exited when"]


# As it is saved


@pytest.mark.parametrize("at", [0, 20 * MINUTE, 45 * MINUTE])
def test_a_user_is_saved_with_what_he_waits_for(at: int) -> None:
    world = World(campaign("c", wait_when('count("Look", "1h") >= 1', HOUR), rises=ABANDONED))
    world.event("Add", 0)
    world.advance(at)
    user = world.user()
    again = decode_user(encode_user(user))
    assert encode_user(again) == encode_user(user)
    assert again.due_at_ms == user.due_at_ms


def test_a_condition_that_ends_in_an_error_is_counted_wherever_it_is_asked() -> None:
    world = World(
        campaign("edge", rises='user.height > 180 && did("Go")'),
        campaign("exit", wait(HOUR), exit_when="user.height > 180"),
        campaign("wait", wait_when("user.height > 180", at_most=HOUR)),
        campaign("false", rises='user.height > 180 && did("Never")'),
        campaign("true", rises='user.height > 180 || did("Go")'),
    )
    world.event("Go", 0)
    assert world.processor.errors == {"edge": 1, "exit": 1, "wait": 1}


def test_an_event_can_make_fewer_where_only_so_many_are_kept() -> None:
    policy = Policy(events_kept_max=2)
    first = 'count("A", "1d", e, e.x == 1) < 1'
    world = World(campaign("c", rises=first), campaign("n", rises=f"!({first})"), policy=policy)
    entered = [world.event("A", at * S, x=x) for at, x in ((0, 1), (1, 0), (2, 0))]
    assert [[one.split()[1] for one in told if "entered" in one] for told in entered] == [
        ["n"],
        [],
        ["c"],
    ]


def test_an_error_that_time_alone_asks_about_makes_nothing_late() -> None:
    asked = 'user.height > 180 || idle("10m")'
    world = World(campaign("c", rises=asked), campaign("w", wait_when(asked, at_most=DAY)))
    world.event("Go", 0)
    world.event("Look", 5 * MINUTE)
    before = world.processor.errors.copy()
    assert world.advance(12 * MINUTE) == []
    assert world.processor.errors - before == {"c": 1, "w": 1}
    assert world.user().fired_at_ms == 0
