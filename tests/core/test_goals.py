from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.goals import ENDED_MAX, TOUCHES_MAX, Goal
from engine.core.plan import Policy
from engine.core.state import decode_user, encode_user
from tests.core.world import DAY, HOUR, START, World, campaign, program, send, wait

if TYPE_CHECKING:
    from engine.core.plan import Campaign

BOUGHT = Goal(("Bought",), within_ms=10)


def aiming(
    *steps: dict[str, Any], goal: Goal = BOUGHT, campaign_id: str = "c", **more: Any
) -> Campaign:
    return campaign(campaign_id, *steps, goal=goal, **more)


def test_who_reaches_the_goal_under_way_leaves_and_is_sent_nothing_more() -> None:
    world = World(aiming(wait(5), send("in_app")))
    world.event("Go", 0)
    assert world.event("Bought", 4) == ["4 c goal", "4 c exited goal"]
    assert world.advance(100) == []
    assert world.user().ended == ()


def test_a_goal_comes_before_an_exit_by_the_same_event() -> None:
    world = World(aiming(wait(5), exits=("Bought",)))
    world.event("Go", 0)
    assert world.event("Bought", 4) == ["4 c goal", "4 c exited event"]


def test_who_left_or_finished_reaches_the_goal_once() -> None:
    world = World(aiming(wait(5), exits=("Gone",)))
    world.event("Go", 0, user="left")
    world.event("Gone", 2, user="left")
    world.event("Go", 0, user="finished")
    world.advance(7)
    for user in ("left", "finished"):
        assert world.event("Bought", 8, user=user) == ["8 c goal"]
    for user in ("left", "finished"):
        assert world.event("Bought", 9, user=user) == []


def test_the_event_that_enters_is_no_goal_of_that_enrollment() -> None:
    world = World(aiming(wait(5), goal=Goal(("Go",), within_ms=10)))
    assert world.event("Go", 0) == ["0 c entered"]
    assert world.event("Go", 3) == ["3 c goal", "3 c exited goal", "3 c entered"]


def test_a_goal_takes_back_what_still_waits_for_its_delivery() -> None:
    world = World(aiming(send("in_app")))
    world.event("Go", 0)
    (message,) = world.messages
    assert world.event("Bought", 4) == ["4 c goal"]
    assert [cancel.id for cancel in world.cancelled] == [message.id]
    assert world.report("cancelled", 5) == ["5 c skipped steps.0 in_app"]


def test_a_goal_is_asked_by_its_condition_and_says_what_it_is_worth() -> None:
    worth = Goal(("Bought",), program("event.total > 10"), 100, program("event.total * 2"))
    world = World(aiming(wait(50), goal=worth))
    world.event("Go", 0)
    assert world.event("Bought", 1, total=10) == []
    world.event("Bought", 2, total=11)
    assert [(one.kind, one.value) for one in world.records] == [("goal", 22.0), ("exited", None)]


def test_a_value_that_is_no_number_is_left_out_and_counted() -> None:
    worth = Goal(("Bought",), None, 100, program("event.total"))
    for total in ("much", True, None, [1], 10**400):
        world = World(aiming(wait(50), goal=worth))
        world.event("Go", 0)
        world.event("Bought", 1, total=total)
        assert world.records[0].kind == "goal"
        assert world.records[0].value is None
        assert world.processor.errors == {"c": 1}


def test_the_last_touch_is_named_by_the_goal_of_the_enrollment_that_sent_it_alone() -> None:
    goal = Goal(("Bought",), within_ms=100)
    first = aiming(send("in_app"), wait(90), campaign_id="first", goal=goal)
    second = aiming(wait(5), send("in_app"), wait(90), campaign_id="second", goal=goal)
    third = aiming(wait(90), campaign_id="third", goal=goal)
    world = World(first, second, third)
    world.event("Go", 0)
    world.report("delivered", 1)
    world.advance(5)
    (message,) = world.messages
    world.report("delivered", 6)
    world.event("Bought", 9)
    told = [(one.campaign, one.message) for one in world.records if one.kind == "goal"]
    assert told == [("first", ""), ("second", message.id), ("third", "")]


def test_a_late_goal_names_the_message_that_was_delivered_before_it() -> None:
    world = World(aiming(send("in_app"), wait(5), send("in_app"), goal=Goal(("Bought",))))
    world.event("Go", 0)
    (early,) = world.messages
    world.report("delivered", 1)
    world.advance(5)
    world.report("delivered", 6)
    world.event("Bought", 9, t=4)
    assert [one.message for one in world.records] == [early.id]


def test_what_failed_or_was_not_delivered_yet_touched_nobody() -> None:
    world = World(aiming(send("in_app"), send("webhook"), wait(50), goal=Goal(("Bought",))))
    world.event("Go", 0)
    world.report("failed", 1)
    world.event("Bought", 2)
    assert [(one.kind, one.message) for one in world.records] == [("goal", ""), ("exited", "")]


def test_who_comes_into_another_campaign_is_remembered_for_no_goal_that_is_over() -> None:
    other = campaign("other", wait(DAY), on=("Look",))
    world = World(aiming(send("in_app")), other, policy=Policy(max_lateness_ms=5))
    world.event("Go", 0)
    world.report("delivered", 0)
    assert len(world.user().ended) == 1
    world.event("Look", 15)
    assert world.user().ended == ()


def test_what_is_remembered_of_who_ended_is_bounded_and_goes_with_its_window() -> None:
    world = World(aiming(send("in_app")), policy=Policy(max_lateness_ms=5))
    for at in range(ENDED_MAX + 3):
        world.event("Go", 0, user="busy", n=at)
        world.report("delivered", 0, user="busy")
    assert len(world.user("busy").ended) == ENDED_MAX
    world.event("Go", 0)
    world.event("Go", 14)
    assert [one.entered_at_ms - START for one in world.user().ended] == [0, 14]
    world.event("Go", 15)
    assert [one.entered_at_ms - START for one in world.user().ended] == [14, 15]
    user = world.user()
    assert decode_user(encode_user(user)).ended == user.ended


def test_only_the_newest_messages_of_an_enrollment_are_remembered() -> None:
    steps = [send("in_app", step_id=f"s{n}") for n in range(TOUCHES_MAX + 2)]
    world = World(aiming(*steps, wait(50)))
    world.event("Go", 0)
    ids = [message.id for message in world.messages]
    for at, message in enumerate(ids, start=1):
        world.report("delivered", at, message=message)
    (enrollment,) = world.user().enrollments
    assert [one for _, one in enrollment.touches] == ids[2:]


def test_an_enrollment_without_a_goal_is_not_remembered() -> None:
    world = World(campaign("c", send("in_app")), aiming(wait(1), campaign_id="d", on=("Come",)))
    world.event("Go", 0)
    world.report("delivered", 1)
    assert world.user().ended == ()


def test_a_goal_that_a_changed_shop_has_no_more_is_not_counted() -> None:
    world = World(aiming(wait(1)))
    world.event("Go", 0)
    world.advance(1)
    world.adopt(campaign("c", wait(1)), aiming(wait(1), campaign_id="d", on=("Come",)), at=2)
    assert world.event("Bought", 3) == []


def test_who_turns_out_to_be_another_reaches_the_goals_of_both() -> None:
    world = World(aiming(wait(2), per="event.n"))
    world.event("Go", 0, n=1)
    world.event("Go", 1, user="anon", n=2)
    world.advance(3)
    world.merge("anon", 4)
    assert world.event("Bought", 5) == ["5 c goal", "5 c goal"]


ENTERED, GOAL_EVENT, ADVANCED = "Go", "Bought", "advance"
WINDOW, LATENESS, LASTS = 20, 15, 7


@settings(max_examples=120)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([ENTERED, GOAL_EVENT, GOAL_EVENT, ADVANCED]),
            st.integers(0, 12),
            st.integers(0, 40),
        ),
        max_size=30,
    )
)
def test_goals_are_those_that_a_naive_reader_of_the_whole_story_finds(
    story: list[tuple[str, int, int]],
) -> None:
    """The reader keeps every enrollment for ever, and asks each of each event."""
    goal = Goal((GOAL_EVENT,), within_ms=WINDOW)
    policy = Policy(max_lateness_ms=LATENESS, enrollments_max=1_000)
    world = World(aiming(wait(LASTS), per="event.n", goal=goal), policy=policy)
    at, number = 100, 0
    starts: dict[str, int] = {}
    reached: set[str] = set()
    for what, later, ago in story:
        at += later
        number += 1
        found = world.advance(at)
        assert not [one for one in found if "goal" in one]
        if what == ADVANCED:
            continue
        world.event(what, at, t=at - ago, n=number)
        starts |= {one.enrollment: at - ago for one in world.records if one.kind == "entered"}
        goals = [one.enrollment for one in world.records if one.kind == "goal"]
        expected = {
            one
            for one, start in starts.items()
            if what == GOAL_EVENT
            and one not in reached
            and start <= at - ago < start + WINDOW
            and at < start + WINDOW + LATENESS
        }
        assert sorted(goals) == sorted(expected)
        reached |= expected


def test_a_user_without_goals_keeps_nothing_for_them() -> None:
    world = World(campaign("c", send("in_app")))
    world.event("Go", HOUR)
    world.report("delivered", DAY)
    assert b"touches" not in encode_user(world.user())
    assert b"ended" not in encode_user(world.user())
