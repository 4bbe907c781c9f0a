"""Events that are nothing the user did."""

from __future__ import annotations

import pytest

from engine.core.inputs import EventNoticed
from tests.core.world import HOUR, MINUTE, START, World
from tests.core.written import CAME, campaigns

SENT = """
campaign: sent
enter: {event: Parcel Sent}
exit: {event: Order Cancelled}
steps: [{wait: 10m, id: w}, {exit: done, id: x}]
"""
IDLE = """
campaign: idle
enter: {when: 'did("Seen") && idle("1h")'}
steps: [{exit: x, id: x}]
"""
AWAITS = """
campaign: awaits
enter: {event: Seen}
steps: [{wait: {event: Parcel Sent, at_most: 5h, then: [{exit: met, id: m}]}, id: w}]
"""
COUNTS = """
campaign: counts
enter: {when: 'count("Parcel Sent", "1h") >= 2'}
steps: [{exit: x, id: x}]
"""
LAPSED = """
campaign: lapsed
enter: {event: Parcel Sent, when: 'idle("1h")'}
steps: [{if: 'idle("1h")', then: [{exit: still, id: s}], id: i}]
"""


def notice(world: World, name: str, at: int) -> list[str]:
    world.processor.take(EventNoticed("u", name, START + at, START + at), START + at)
    return world.commit()


@pytest.mark.parametrize("others", [(), (IDLE,)], ids=["untimed", "timed"])
def test_it_enters_and_ends_as_any_event_does(others: tuple[str, ...]) -> None:
    world = World(*campaigns(SENT, *others))
    assert notice(world, "Parcel Sent", 0) == ["0 sent entered"]
    assert notice(world, "Order Cancelled", 5) == ["5 sent exited event"]


@pytest.mark.parametrize("others", [(), (IDLE,)], ids=["untimed", "timed"])
def test_the_user_has_done_nothing_by_it(others: tuple[str, ...]) -> None:
    world = World(*campaigns(SENT, *others))
    world.event("Seen", 0)
    notice(world, "Parcel Sent", 7)
    assert world.user().last_seen_at_ms == START


def test_he_is_as_idle_by_it_as_before() -> None:
    world = World(*campaigns(IDLE))
    world.event("Seen", 0)
    assert notice(world, "Parcel Sent", 50 * MINUTE) == []
    assert world.advance(HOUR) == [f"{HOUR} idle entered", f"{HOUR} idle exited x x"]


@pytest.mark.parametrize("others", [(), (CAME,)], ids=["untimed", "timed"])
def test_a_condition_that_it_asks_finds_him_as_idle_as_before(others: tuple[str, ...]) -> None:
    world = World(*campaigns(LAPSED, *others))
    world.event("Seen", 0)
    assert notice(world, "Parcel Sent", 59 * MINUTE) == []
    assert notice(world, "Parcel Sent", HOUR)[-1] == f"{HOUR} lapsed exited s still"


def test_it_begins_no_session_and_prolongs_none() -> None:
    world = World(*campaigns(CAME))
    assert notice(world, "Parcel Sent", 0) == []
    assert world.event("Seen", 1)[0] == "1 came entered"
    notice(world, "Parcel Sent", 29 * MINUTE)
    assert world.event("Seen", 31 * MINUTE)[0] == f"{31 * MINUTE} came entered"


def test_it_ends_a_wait_for_it() -> None:
    world = World(*campaigns(AWAITS))
    world.event("Seen", 0)
    assert notice(world, "Parcel Sent", 3)[-1] == "3 awaits exited m met"


def test_it_counts_in_conditions() -> None:
    world = World(*campaigns(COUNTS))
    assert notice(world, "Parcel Sent", 0) == []
    assert notice(world, "Parcel Sent", 1)[0] == "1 counts entered"
