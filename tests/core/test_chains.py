"""Campaigns that start each other over a wait: fast ones come to an end, slow ones go on."""

from __future__ import annotations

import pytest

from engine.core.chains import LINK_MS, LINKS_MAX
from engine.core.state import decode_user, encode_user
from tests.core.world import DAY, HOUR, MINUTE, World
from tests.core.written import campaigns


def written(campaign_id: str, steps: str, enter: str = "enter: {event: Go}") -> str:
    return f"campaign: {campaign_id}\n{enter}\nsteps:\n{steps}"


def made(*texts: str) -> World:
    return World(*campaigns(*texts))


def entered(told: list[str]) -> list[str]:
    return [one for one in told if one.endswith(" entered")]


def circle(wait: str, then: str = "0s") -> World:
    return made(
        written("a", f"  - {{wait: {wait}, id: w}}\n  - emit: {{event: Pong}}\n"),
        written(
            "b", f"  - {{wait: {then}, id: w}}\n  - emit: {{event: Go}}\n", "enter: {event: Pong}"
        ),
    )


@pytest.mark.parametrize("wait", ["1ms", "1s", "59s"])
def test_a_circle_that_goes_round_faster_than_once_a_minute_comes_to_an_end(wait: str) -> None:
    world = circle(wait)
    told = world.event("Go", 1) + world.advance(DAY)
    assert len([one for one in told if one.endswith("refused loop")]) == 1
    assert LINKS_MAX < len(entered(told)) <= 61 * LINKS_MAX
    assert world.user().enrollments == ()


def test_another_event_of_the_user_begins_another_chain() -> None:
    world = circle("1ms")
    first = world.event("Go", 1) + world.advance(HOUR)
    assert len(entered(first)) == LINKS_MAX + 1
    again = world.event("Go", HOUR + 1) + world.advance(2 * HOUR)
    assert len(entered(again)) == LINKS_MAX + 1


def test_a_circle_of_hours_goes_on_for_ever() -> None:
    world = circle("1h")
    told = world.event("Go", 1) + world.advance(30 * DAY)
    assert [one for one in told if "refused" in one] == []
    assert len(entered(told)) == 2 * 30 * 24 - 1


@pytest.mark.parametrize("waits", [("100s", "50s"), ("50s", "100s"), ("2m", "0s"), ("119s", "1s")])
def test_links_that_take_a_minute_each_all_in_all_go_on_for_ever(waits: tuple[str, str]) -> None:
    world = circle(*waits)
    told = world.event("Go", 1) + world.advance(DAY)
    assert [one for one in told if "refused" in one] == []
    assert len(entered(told)) > 2 * 24 * 60 * 60 // 151


def test_a_link_is_forgotten_with_each_minute() -> None:
    world = made(written("a", "  - {wait: 1m, id: w}\n  - emit: {event: Go}\n"))
    world.event("Go", 1)
    world.advance(2 * HOUR)
    (one,) = world.user().enrollments
    assert one.chain[0] == 1
    assert one.chain[1] == one.entered_at_ms
    assert LINK_MS == MINUTE


def test_traits_and_messages_are_links_as_events_are() -> None:
    world = made(
        written(
            "on", "  - {wait: 1s, id: w}\n  - set: {a: true}\n", "enter: {when: user.a == false}"
        ),
        written(
            "off", "  - {wait: 1s, id: w}\n  - set: {a: false}\n", "enter: {when: user.a == true}"
        ),
    )
    told = world.identify(1, a=True) + world.advance(DAY)
    assert len([one for one in told if one.endswith("refused loop")]) == 1
    assert world.user().enrollments == ()


def test_what_users_do_makes_no_chain_however_fast() -> None:
    world = made(written("a", "  - {wait: 1ms, id: w}\n  - emit: {event: Heard}\n"),
                  written("b", "  - {exit: x}\n", "enter: {event: Heard}"))  # fmt: skip
    told = [one for at in range(300) for one in world.event("Go", 10 * at)]
    assert [one for one in told if "refused" in one] == []


def test_a_chain_is_saved_with_its_user() -> None:
    world = circle("1ms")
    world.event("Go", 1)
    world.advance(20)
    user = world.user()
    (saved,) = decode_user(encode_user(user)).enrollments
    assert saved.chain == user.enrollments[0].chain != ()
