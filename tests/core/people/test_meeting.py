"""What the one was in meets what the other had done, as two users become one."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.conditions.needs import AWAITED_MAX
from engine.core.effects import Record
from engine.core.goals import Goal
from engine.core.inputs import EventReceived, UsersMerged
from engine.core.messages.caps import Cap
from engine.core.policy import Policy
from tests.core.world import DAY, HOUR, START, S, World, campaign, program, send, wait

MERGED = "anon"
IDS = ("u", "anon-0", "anon-1", "anon-2")
BOUGHT = Goal(("Buy",), within_ms=HOUR, value=program("event.total"))
DEAR = Goal(("Buy",), program("event.total > 5"), HOUR, program("event.total"))
STEPS = (wait(10 * S), send("in_app", step_id="one"), wait(10 * S), send("in_app", step_id="two"))


def goals(world: World) -> list[tuple[str, float | None, str]]:
    return [(one.user_id, one.value, one.message) for one in world.records if one.kind == "goal"]


# Goals


def test_who_has_bought_under_his_other_id_has_reached_the_goal_and_is_reminded_of_nothing() -> (
    None
):
    world = World(campaign("c", *STEPS, goal=BOUGHT))
    world.event("Go", 0)
    world.event("Buy", 5 * S, user=MERGED, total=9)
    assert world.merge(MERGED, 6 * S) == ["6000 c goal", "6000 c exited goal"]
    assert goals(world) == [("u", 9.0, "")]
    assert world.advance(DAY) == []


def test_the_known_one_s_order_is_the_goal_of_what_the_visitor_was_in() -> None:
    world = World(campaign("c", *STEPS, goal=BOUGHT))
    world.event("Go", 0, user=MERGED)
    world.event("Buy", 5 * S, total=9)
    assert world.merge(MERGED, 6 * S) == ["6000 c goal", "6000 c exited goal"]
    assert goals(world) == [("u", 9.0, "")]


def test_an_order_of_the_other_takes_back_what_waits_and_names_what_was_delivered() -> None:
    world = World(campaign("c", *STEPS, goal=BOUGHT))
    world.event("Go", 0)
    world.advance(10 * S)
    (first,) = world.messages
    world.report("delivered", 11 * S)
    world.advance(20 * S)
    (second,) = world.messages
    world.event("Buy", 21 * S, user=MERGED, total=9)
    assert world.merge(MERGED, 22 * S) == ["22000 c goal"]  # it had come to its end
    assert goals(world) == [("u", 9.0, first.id)]
    assert [(one.id, one.reason) for one in world.cancelled] == [(second.id, "exited")]
    assert world.event("Buy", 30 * S, total=1) == []


@pytest.mark.parametrize(
    ("at", "merged_at", "reaches"),
    [
        (-1, 10 * S, False),  # before the start
        (0, 10 * S, True),
        (HOUR - 1, HOUR, True),
        (HOUR, HOUR + 1, False),
        (HOUR - 1, HOUR + DAY - 1, True),
        (HOUR - 1, HOUR + DAY, False),  # that is beyond all lateness
    ],
)
def test_an_order_of_the_other_counts_in_the_window_alone(
    at: int, merged_at: int, *, reaches: bool
) -> None:
    world = World(campaign("c", wait(9 * DAY), goal=BOUGHT))
    world.event("Before", -5, user=MERGED)
    if at < 0:
        world.event("Buy", at, user=MERGED, total=9)
    world.event("Go", 0)
    if at >= 0:
        world.event("Buy", at, user=MERGED, total=9)
    assert bool(world.merge(MERGED, merged_at)) is reaches


def test_an_older_order_may_be_the_goal_where_the_newest_is_not() -> None:
    world = World(campaign("c", wait(DAY), goal=DEAR))
    world.event("Go", 0)
    for at, total in ((1, 3), (2, 7), (3, 8), (4, 1)):
        world.event("Buy", at, user=MERGED, total=total)
    assert world.merge(MERGED, 10) == ["10 c goal", "10 c exited goal"]
    assert goals(world) == [("u", 7.0, "")]


def test_what_was_asked_of_one_s_own_orders_is_not_asked_again() -> None:
    """A goal that is another one by now counts from then on."""
    world = World(campaign("c", wait(DAY), goal=DEAR))
    world.event("Go", 0)
    world.event("Buy", 1, total=3)
    world.adopt(campaign("c", wait(DAY), goal=BOUGHT), at=2)
    assert world.merge(MERGED, 10) == []
    assert world.event("Buy", 20, total=3) == ["20 c goal", "20 c exited goal"]


def test_where_an_order_of_the_other_is_goal_and_exit_the_goal_counts() -> None:
    world = World(campaign("c", *STEPS, goal=BOUGHT, exits=("Buy",)))
    world.event("Go", 0)
    world.event("Buy", 5, user=MERGED, total=9)
    assert world.merge(MERGED, 6) == ["6 c goal", "6 c exited event"]


def test_whoever_bought_in_between_leaves_and_the_younger_goes_on() -> None:
    world = World(campaign("c", *STEPS, goal=BOUGHT))
    world.event("Go", 0)
    world.event("Buy", 5, user=MERGED, total=9)
    world.event("Go", 6, user=MERGED)
    assert world.merge(MERGED, 7) == ["7 c goal", "7 c exited goal"]
    assert [one.entered_at_ms - START for one in world.user().enrollments] == [6]


def test_replaying_a_merge_finds_the_goal_again() -> None:
    twin = World(campaign("c", *STEPS, goal=BOUGHT))
    raw = msgspec.Raw(b'{"total":2}')
    go, buy = (
        EventReceived(who, name, START, START, raw, at_ms=START, is_anonymous=who == MERGED)
        for who, name in (("u", "Go"), (MERGED, "Buy"))
    )
    said = UsersMerged("u", START, START, merged_id=MERGED, at_ms=START)
    twin.processor.replay(enumerate([go, buy, said], start=2))
    kinds = [one.kind for one in twin.processor.made if isinstance(one, Record)]
    assert kinds == ["entered", "goal", "exited"]


# However many, in whatever order: held against what is written of it


instants = st.integers(0, 60).map(lambda second: second * S)
merges = st.permutations(IDS[1:])


@given(
    entered=st.lists(st.tuples(st.sampled_from(IDS), instants), max_size=6),
    bought=st.lists(st.tuples(st.sampled_from(IDS), instants), max_size=AWAITED_MAX),
    order=merges,
    within=st.sampled_from([5 * S, 20 * S, HOUR]),
)
@settings(max_examples=60)
def test_each_enrollment_reaches_its_goal_if_anybody_of_them_bought_in_its_window(
    entered: list[tuple[str, int]], bought: list[tuple[str, int]], order: list[str], within: int
) -> None:
    world = World(campaign("c", wait(HOUR), per="event.n", goal=Goal(("Buy",), within_ms=within)))
    reached: set[str] = set()
    started: dict[str, int] = {}
    happening = [(at, 0, who, "Buy") for who, at in bought]
    happening += [(at, 1, who, "Go") for who, at in entered]
    for number, (at, _, who, name) in enumerate(sorted(happening)):
        world.event(name, at, user=who, n=number)
        started |= {one.enrollment: at for one in world.records if one.kind == "entered"}
        reached |= {one.enrollment for one in world.records if one.kind == "goal"}
    for place, who in enumerate(order):
        world.merge(who, 100 * S + place)
        told = [one.enrollment for one in world.records if one.kind == "goal"]
        assert len(set(told)) == len(told)
        assert not reached.intersection(told)
        reached.update(told)
    # One at the very instant of an entry came before it, which under one id tells.
    own = dict(zip(started, _whose(entered), strict=True))
    expected = {
        one
        for one, start in started.items()
        if any(start + (who == own[one]) <= at < start + within for who, at in bought)
    }
    assert reached == expected


def _whose(entered: list[tuple[str, int]]) -> list[str]:
    return [who for _, who in sorted((at, who) for who, at in entered)]


@given(
    said=st.lists(
        st.tuples(st.sampled_from(IDS), st.sampled_from(["email", "sms"]), st.booleans())
    ),
    order=merges,
    sends=st.lists(st.tuples(st.sampled_from(IDS), instants), max_size=6),
)
@settings(max_examples=60)
def test_a_no_of_anybody_stays_a_no_and_all_messages_count_under_the_caps(
    said: list[tuple[str, str, bool]], order: list[str], sends: list[tuple[str, int]]
) -> None:
    world = World(campaign("c", send("in_app")), policy=Policy(caps=(Cap(3, 40 * S),)))
    latest: dict[tuple[str, str], bool] = {}
    for who, channel, yes in said:
        world.identify(0, user=who, consent={channel: yes})
        latest[who, channel] = yes
    went = []
    for at, who in sorted((at, who) for who, at in sends):
        world.event("Go", at, user=who)
        went += [at for one in world.records if one.kind == "sent"]
    for who in order:
        world.merge(who, 60 * S)
    consent = world.user().traits.get("consent", {}) if said or sends else {}
    for channel in ("email", "sms"):
        answers = [yes for (_, about), yes in latest.items() if about == channel]
        assert consent.get(channel) == (all(answers) if answers else None)
    within = sum(at > 61 * S - 40 * S for at in went)
    told = world.event("Go", 61 * S)
    assert ("capped" in told[1]) == (within >= 3)
