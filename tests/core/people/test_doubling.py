"""What one user would not have had gives way, as two become one; and no step goes twice."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.messages.waiting import by_id, each_message
from tests.core.world import DAY, HOUR, S, World, campaign, send, wait, wait_event, when

MERGED = "anon"
IDS = ("u", "anon-0", "anon-1", "anon-2")
STEPS = (wait(10 * S), send("in_app", step_id="one"), wait(10 * S), send("in_app", step_id="two"))
LONG = (*STEPS, wait(10 * S))


# One after the other, and one besides the other


def test_who_was_in_it_already_as_the_other_came_in_is_sent_no_step_again() -> None:
    world = World(campaign("c", *STEPS))
    world.event("Go", 0)
    world.event("Go", 15 * S, user=MERGED)
    world.advance(20 * S)
    assert world.merge(MERGED, 24 * S) == ["24000 c exited reentry"]
    assert world.advance(DAY) == []


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize(("came", "leaves"), [(20 * S - 1, True), (20 * S, False)])
def test_who_came_in_as_the_other_was_out_goes_on(
    came: int, *, leaves: bool, restart: bool
) -> None:
    world = World(campaign("c", *STEPS, restart=restart))
    world.event("Go", 0)
    world.event("Go", came, user=MERGED)
    world.advance(25 * S)
    expected = [f"{25 * S} c exited reentry"] if leaves else []
    assert world.merge(MERGED, 25 * S) == expected


def test_the_one_that_met_an_earlier_one_gives_way_to_the_later_one() -> None:
    """Had one user done it all, the second would not have been; and the third goes on."""
    world = World(campaign("c", *STEPS))
    world.event("Go", 0)
    world.event("Go", 15 * S, user=MERGED)
    world.advance(20 * S)
    world.event("Go", 22 * S)
    assert world.merge(MERGED, 24 * S) == ["24000 c exited merged"]
    assert [one.entered_at_ms % DAY for one in world.user().enrollments] == [22 * S]
    assert world.advance(DAY)[0] == "32000 c sent one in_app"


def test_one_that_was_over_at_once_was_met_too() -> None:
    steps = (send("in_app", step_id="now"), when("event.quick", (), STEPS))
    world = World(campaign("c", *steps))
    world.event("Go", 0, quick=False)
    world.event("Go", 5 * S, user=MERGED, quick=True)
    world.report("delivered", 5 * S, user=MERGED)
    world.event("Go", 8 * S, user=MERGED, quick=False)
    assert world.merge(MERGED, 9 * S) == ["9000 c exited merged"]
    assert [one.entered_at_ms % DAY for one in world.user().enrollments] == [8 * S]


def test_where_the_one_to_give_way_to_leaves_as_well_nobody_goes_on() -> None:
    world = World(campaign("c", *STEPS, exits=("Stop",)))
    world.event("Go", 0, user=MERGED)
    world.event("Stop", 13 * S)
    world.event("Go", 14 * S)
    world.advance(20 * S)
    world.event("Go", 21 * S, user=MERGED, t=12 * S)
    assert world.merge(MERGED, 21_500) == ["21500 c exited event", "21500 c exited reentry"]
    assert world.advance(DAY) == []


def test_when_it_ended_is_known_of_whoever_was_merged_before() -> None:
    world = World(campaign("c", *STEPS))
    world.event("Go", 0, user="anon-1")
    world.event("Go", 5 * S, user="anon-2")
    world.event("Go", 19 * S)
    world.advance(25 * S)
    for device in ("anon-1", "anon-2"):
        world.merge(device, 26 * S, user="b")
    assert world.alias("b", 27 * S) == ["27000 c exited reentry"]


def test_who_was_delivered_something_stands_in_the_way_though_nothing_reaches_him_now() -> None:
    """A guess by what can reach him would have sent it once more."""
    world = World(campaign("c", wait(10 * S), send("email", step_id="one"), reentry=None))
    world.reachable(0, user=MERGED)
    world.event("Go", 0, user=MERGED)
    world.advance(10 * S)
    world.report("delivered", 11 * S, user=MERGED)
    world.identify(12 * S, user=MERGED, email="")
    world.reachable(13 * S)
    world.event("Go", 14 * S)
    assert world.merge(MERGED, 15 * S) == ["15000 c exited reentry"]


def test_what_is_still_on_its_way_counts_as_had() -> None:
    world = World(campaign("c", wait(10 * S), send("email", step_id="one"), reentry=None))
    world.reachable(0, user=MERGED)
    world.event("Go", 0, user=MERGED)
    world.advance(10 * S)
    (message,) = world.messages
    world.identify(12 * S, user=MERGED, consent={"email": False})
    world.reachable(13 * S)
    world.event("Go", 14 * S)
    assert world.merge(MERGED, 15 * S) == ["15000 c exited reentry"]
    assert not by_id(world.user().pending)[message.id].cancelled


def test_of_two_that_ended_what_waits_is_taken_back_where_the_other_has_had_it() -> None:
    world = World(campaign("c", *STEPS))
    for at, user in ((0, "u"), (1 * S, MERGED)):
        world.event("Go", at, user=user)
    world.advance(20 * S)
    for message in list(by_id(world.user().pending)):
        world.report("delivered", 20 * S, message=message)
    world.advance(21 * S)
    first, second = by_id(world.user(MERGED).pending)
    assert world.merge(MERGED, 22 * S) == []
    assert [one.id for one in world.cancelled] == [first, second]


def test_of_two_that_ended_and_wait_for_the_same_steps_one_message_of_each_goes() -> None:
    world = World(campaign("c", *STEPS))
    for at, user in ((0, "u"), (1 * S, MERGED)):
        world.event("Go", at, user=user)
    world.advance(21 * S)
    world.merge(MERGED, 22 * S)
    left = [one for one in each_message(world.user().pending) if not one.cancelled]
    assert sorted(one.step for one in left) == ["one", "two"]


def test_of_two_that_wait_neither_goes_where_a_later_enrollment_may_have_had_the_step() -> None:
    world = World(campaign("c", *STEPS))
    for at, user in ((0, MERGED), (30 * S, MERGED), (31 * S, "u")):
        world.event("Go", at, user=user)
    world.advance(51 * S)
    for message in list(by_id(world.user(MERGED).pending))[2:]:
        world.report("delivered", 51 * S, message=message, user=MERGED)
    world.report("delivered", 51 * S)
    assert (len(world.user(MERGED).pending), len(world.user().pending)) == (2, 1)
    world.merge(MERGED, 52 * S)
    assert all(one.cancelled for one in each_message(world.user().pending))


def test_what_one_of_three_was_sent_goes_of_neither_of_the_other_two() -> None:
    world = World(campaign("c", send("in_app"), wait(10 * S)))
    for user in ("u", *IDS[1:3]):
        world.event("Go", 0, user=user)
    world.report("delivered", 1 * S, user=IDS[1])
    for merged in IDS[1:3]:
        world.merge(merged, 2 * S)
    assert [one.cancelled for one in each_message(world.user().pending)] == ["merged", "merged"]


def test_of_two_that_began_at_one_instant_either_may_have_had_the_step() -> None:
    """The second was taken back as they became one, and went all the same: it was on its way."""
    world = World(campaign("c", *STEPS))
    for at, user in ((0, "u"), (0, IDS[1]), (1 * S, IDS[2])):
        world.event("Go", at, user=user)
    world.advance(21 * S)
    world.merge(IDS[1], 22 * S)
    for message, one in list(by_id(world.user().pending).items()):
        if one.cancelled:
            world.report("delivered", 23 * S, message=message)
    world.report("delivered", 23 * S, user=IDS[2])
    world.merge(IDS[2], 24 * S)
    left = [one for one in each_message(world.user().pending) if not one.cancelled]
    assert left == []


def test_what_waits_of_one_that_ended_goes_unless_the_other_has_come_to_it() -> None:
    world = World(campaign("c", *STEPS))
    world.event("Go", 0)
    world.event("Go", 5 * S, user=MERGED)
    world.advance(10 * S)
    world.report("delivered", 10 * S)
    world.advance(20 * S)
    (message,) = by_id(world.user().pending)
    assert world.merge(MERGED, 21 * S) == ["21000 c exited reentry"]
    assert not by_id(world.user().pending)[message].cancelled


@pytest.mark.parametrize(("days", "leaves"), [(30, True), (31, False)])
def test_among_many_values_it_is_known_for_a_month_which_were_over(
    days: int, *, leaves: bool
) -> None:
    """Entries that re-entry asks about no more are forgotten once there are many."""
    steps = wait_event("Look", 90 * DAY), send("in_app", step_id="one")
    world = World(campaign("c", *steps, per="event.n"))
    for user in ("u", MERGED):
        world.event("Go", 0, user=user, n=0)
    world.event("Look", 1)
    world.report("delivered", 1)
    for n in range(1, 70):
        world.event("Go", days * DAY, n=n)
        world.event("Look", days * DAY)
    expected = ["exited reentry"] if leaves else ["sent one in_app", "finished"]
    merged = world.merge(MERGED, days * DAY + 1)
    assert [one.partition(" c ")[2] for one in merged] == expected


# Re-entry


@pytest.mark.parametrize("first", ["u", MERGED])
def test_who_had_it_under_the_other_id_goes_through_nothing_twice(first: str) -> None:
    (second,) = {"u", MERGED} - {first}
    world = World(campaign("c", *STEPS, reentry=None))
    world.event("Go", 0, user=first)
    world.advance(30 * S)
    world.event("Go", 40 * S, user=second)
    world.advance(50 * S)
    (message,) = world.messages
    assert world.merge(MERGED, 51 * S) == ["51000 c exited reentry"]
    assert [(one.id, one.reason) for one in world.cancelled] == [(message.id, "merged")]
    assert world.advance(DAY) == []


def test_a_message_that_waits_is_a_second_one_where_its_enrollment_has_ended() -> None:
    world = World(campaign("c", send("in_app"), reentry=HOUR))
    world.event("Go", 0)
    world.report("delivered", 1)
    world.event("Go", 2, user=MERGED)
    (message,) = world.messages
    assert world.merge(MERGED, 3) == []
    assert [(one.id, one.reason) for one in world.cancelled] == [(message.id, "merged")]


@pytest.mark.parametrize(
    "entry",
    [
        {"reentry": 0},
        {"reentry": 40 * S},
        {"reentry": None, "per": "event.n"},
        {"reentry": None, "restart": True},
    ],
)
def test_what_may_be_entered_again_goes_on(entry: dict[str, Any]) -> None:
    world = World(campaign("c", *STEPS, **entry))
    world.event("Go", 0, n=1)
    world.advance(30 * S)
    world.event("Go", 40 * S, user=MERGED, n=2)
    assert world.merge(MERGED, 41 * S) == []
    assert world.advance(50 * S)[0] == "50000 c sent one in_app"


@pytest.mark.parametrize("reentry", [None, 0])
def test_what_ended_the_other_one_s_wait_sends_nothing_again(reentry: int | None) -> None:
    """He was in it twice at once, which one user cannot be."""
    steps = wait_event("Look", DAY), send("in_app", step_id="one")
    world = World(campaign("c", *steps, reentry=reentry))
    world.event("Go", 5, user=MERGED)
    world.event("Go", 10)
    assert world.event("Look", 20)[0] == "20 c sent one in_app"
    (message,) = world.messages
    assert world.merge(MERGED, 30) == ["30 c exited reentry"]
    assert not world.cancelled
    assert not by_id(world.user().pending)[message.id].cancelled


def test_of_two_messages_of_a_step_that_wait_one_goes_where_the_other_s_enrollment_leaves() -> None:
    steps = send("in_app", step_id="one"), wait_event("Look", DAY)
    world = World(campaign("c", *steps, reentry=None))
    world.event("Go", 5, user=MERGED)
    world.event("Go", 10)
    world.event("Look", 20)
    assert world.merge(MERGED, 30) == ["30 c exited reentry"]
    left = [one for one in each_message(world.user().pending) if not one.cancelled]
    assert len(left) == 1


def test_who_could_not_be_reached_stands_in_nobody_s_way() -> None:
    """A device without an address went through it, and was sent nothing."""
    world = World(campaign("c", wait(10 * S), send("email"), reentry=None))
    world.event("Go", 0, user=MERGED)
    assert "skipped steps.1 email unreachable" in world.advance(10 * S)[0]
    world.reachable(11 * S)
    world.event("Go", 12 * S)
    assert world.merge(MERGED, 13 * S) == []
    assert world.advance(22 * S)[0] == "22000 c sent steps.1 email"


def test_of_two_that_began_at_one_instant_the_known_one_s_goes_on() -> None:
    world = World(campaign("c", send("in_app"), reentry=None))
    for user in ("u", MERGED):
        world.event("Go", 0, user=user)
    world.merge(MERGED, 5)
    assert len(world.cancelled) == 1
    assert sum(not one.cancelled for one in each_message(world.user().pending)) == 1
