from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.goals import Goal
from engine.core.inputs import SentMessage
from engine.core.messages.answers import answered
from engine.core.messages.clicks import CLICKS_MAX, utm_said
from engine.core.plan import Policy
from engine.core.state import decode_user, encode_user
from tests.core.messages.clicking import GOAL, UTM, aiming, credited, two_sent
from tests.core.world import START, World, campaign, send, wait

if TYPE_CHECKING:
    from engine.core.effects import SendMessage


def click(
    world: World, message: SendMessage, at: int, *, user: str = "u", machine: str = ""
) -> None:
    sent = SentMessage(message.id, message.channel, message.campaign, message.enrollment)
    said = answered(user, sent, "clicked", START + at, machine=machine)
    world.processor.take(said, START + at)
    world.commit()


def test_who_clicked_bought_by_that_message_though_another_came_later() -> None:
    world, first, _ = two_sent()
    click(world, first, 3)
    world.event("Bought", 9)
    assert credited(world) == [("a", first.id, "clicked"), ("b", "", "")]


def test_of_two_clicks_the_last_one_counts() -> None:
    world, first, second = two_sent()
    click(world, second, 7)
    click(world, first, 8)
    world.event("Bought", 9)
    assert credited(world) == [("a", first.id, "clicked"), ("b", "", "")]


def test_where_nobody_clicked_the_message_that_was_delivered_last_counts() -> None:
    world, _, second = two_sent()
    world.event("Bought", 9)
    assert credited(world) == [("a", "", ""), ("b", second.id, "delivered")]


def test_a_click_of_a_machine_is_no_touch() -> None:
    world, first, second = two_sent()
    click(world, first, 7, machine="scanner")
    world.event("Bought", 9)
    assert credited(world) == [("a", "", ""), ("b", second.id, "delivered")]


def test_a_late_goal_is_put_down_to_no_click_that_came_after_it() -> None:
    world, first, second = two_sent()
    click(world, first, 8)
    world.event("Bought", 9, t=7)
    assert credited(world) == [("a", "", ""), ("b", second.id, "delivered")]


def test_a_click_counts_after_its_enrollment_has_ended_and_a_restart() -> None:
    world = World(campaign("a", send("in_app"), goal=GOAL))
    world.event("Go", 0)
    (message,) = world.messages
    world.report("delivered", 1)
    click(world, message, 3)
    user = world.user()
    assert user.enrollments == ()
    assert decode_user(encode_user(user)).ended[0].clicks == ((START + 3, message.id),)
    world.event("Bought", 9)
    assert credited(world) == [("a", message.id, "clicked")]


def test_a_click_that_is_the_goal_is_put_down_to_its_own_message() -> None:
    world = World(
        campaign("a", send("email"), wait(90), goal=Goal(("Email Link Clicked",), within_ms=50))
    )
    world.reachable()
    world.event("Go", 0)
    (message,) = world.messages
    world.report("delivered", 1)
    sent = SentMessage(message.id, "email", "a", message.enrollment)
    world.processor.take(answered("u", sent, "clicked", START + 4), START + 4)
    world.commit()
    assert credited(world) == [("a", message.id, "clicked")]


def test_a_click_on_what_a_merged_user_was_sent_counts_for_the_enrollment_that_goes_on() -> None:
    world = World(aiming("a", send("in_app")))
    world.event("Go", 0, user="u")
    world.report("delivered", 1)
    world.event("Go", 2, user="anon")
    (message,) = world.messages
    world.report("delivered", 3, user="anon")
    world.merge("anon", 4)
    assert len(world.user().enrollments) == 1
    click(world, message, 5)
    world.event("Bought", 9)
    assert credited(world) == [("a", message.id, "clicked")]


def test_clicks_of_two_who_become_one_are_one_users() -> None:
    world = World(aiming("a", send("in_app")))
    for user, at in (("u", 0), ("anon", 2)):
        world.event("Go", at, user=user)
        (message,) = world.messages
        world.report("delivered", at + 1, user=user)
    click(world, message, 4, user="anon")
    world.merge("anon", 5)
    world.event("Bought", 9)
    assert credited(world) == [("a", message.id, "clicked")]


def test_only_the_newest_clicks_of_an_enrollment_are_remembered() -> None:
    world, first, _ = two_sent()
    for at in range(7, 7 + CLICKS_MAX + 3):
        click(world, first, at)
    (one, _) = world.user().enrollments
    assert [at_ms - START for at_ms, _ in one.clicks] == [*range(10, 10 + CLICKS_MAX)]


@pytest.mark.parametrize(
    "said",
    [
        {"utm_source": "shop", "utm_campaign": "a"},
        {"utm_campaign": "a", "utm_medium": "in_app"},
        {"url": "https://shop.example/p?x=1&utm_source=shop&utm_campaign=a#top"},
        {"search": "?utm_source=shop&utm_campaign=a&utm_medium=in_app"},
    ],
)
def test_a_visit_that_bears_the_utm_of_a_message_is_a_click_on_it(said: dict[str, Any]) -> None:
    world, first, _ = two_sent(Policy(utm=UTM))
    world.event("Page Viewed", 7, **said)
    world.event("Bought", 9)
    assert credited(world) == [("a", first.id, "clicked"), ("b", "", "")]


def test_an_order_that_bears_it_is_put_down_to_it_at_once() -> None:
    world, first, _ = two_sent(Policy(utm=UTM))
    world.event("Bought", 9, utm_source="shop", utm_campaign="a")
    assert credited(world) == [("a", first.id, "clicked"), ("b", "", "")]


@pytest.mark.parametrize(
    "said",
    [
        {"utm_source": "shop", "utm_campaign": "spring"},  # another campaign of the shop's
        {"utm_source": "else", "utm_campaign": "a"},
        {"utm_campaign": "a", "utm_medium": "email"},  # it was sent no email
        {"utm_medium": "in_app"},  # which may be anybody's
        {"url": "https://shop.example/utm_source=shop"},
        {"utm_campaign": ["a"], "url": 5},
        {"note": "utm_campaign"},
    ],
)
def test_a_visit_with_other_utm_is_a_click_on_nothing(said: dict[str, Any]) -> None:
    world, _, second = two_sent(Policy(utm=UTM))
    world.event("Page Viewed", 7, **said)
    world.event("Bought", 9)
    assert credited(world) == [("a", "", ""), ("b", second.id, "delivered")]


def test_the_shops_own_source_alone_is_a_click_on_the_newest_message() -> None:
    world, _, second = two_sent(Policy(utm=UTM))
    world.event("Page Viewed", 7, utm_source="shop")
    world.event("Bought", 9)
    assert credited(world) == [("a", "", ""), ("b", second.id, "clicked")]


def test_a_campaigns_own_utm_stands_over_the_shops_and_a_variant_is_not_compared() -> None:
    own = aiming(
        "a", send("in_app"), tracking={"utm": {"campaign": "spring", "content": "{variant}"}}
    )
    world = World(own, policy=Policy(utm=UTM))
    world.event("Go", 0)
    (message,) = world.messages
    world.report("delivered", 1)
    world.event("Page Viewed", 7, utm_campaign="spring", utm_content="whatever")
    world.event("Bought", 9)
    assert credited(world) == [("a", message.id, "clicked")]


@pytest.mark.parametrize(("tracked", "touch"), [(False, "delivered"), (True, "clicked")])
def test_transactional_links_get_the_shops_utm_where_it_says_so(tracked: bool, touch: str) -> None:
    policy = Policy(utm=UTM, utm_transactional=tracked)
    world = World(aiming("a", send("in_app"), purpose="transactional"), policy=policy)
    world.event("Go", 0)
    world.report("delivered", 1)
    world.event("Bought", 9, utm_campaign="a")
    assert [one[2] for one in credited(world)] == [touch]


@given(st.dictionaries(st.sampled_from(["url", "search", "utm_source", "utm_campaign", "x"]),
                       st.one_of(st.text(), st.integers(), st.none(), st.lists(st.text()),
                                 st.builds("?{}".format, st.text()),
                                 st.builds("?utm_campaign={}".format, st.text()))))  # fmt: skip
def test_whatever_an_event_bears_its_utm_is_texts(properties: dict[str, Any]) -> None:
    assert all(isinstance(value, str) for value in utm_said(properties).values())
