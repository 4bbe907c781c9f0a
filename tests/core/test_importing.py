"""History that a shop brings in: it is known from then on, and makes nothing go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.core.history import pack_instants
from engine.core.inputs import EventImported, Input, TraitsImported, decode_inputs, encode_inputs
from tests.core.world import DAY, HOUR, START, World, campaign, send, wait, wait_event

if TYPE_CHECKING:
    from engine.core.plan import Campaign

AWAITS = campaign("a", wait_event("Bought", HOUR), on=("Other",))
CART = campaign("c", wait(HOUR), send("email"), on=("Go",), exits=("Bought",))


def take(world: World, happened: EventImported | TraitsImported, at: int) -> list[str]:
    happened.user_id = happened.user_id or "u"
    world.processor.take(happened, START + at)
    return world.commit()


def bring(world: World, name: str, at: int, *, t: int) -> list[str]:
    return take(world, EventImported("u", name, START + t, START + t), at)


def tell(world: World, at: int, *, t: int, **traits: Any) -> None:
    raw = msgspec.Raw(msgspec.json.encode(traits))
    take(world, TraitsImported("u", START + t, START + t, raw), at)


@pytest.fixture
def world() -> World:
    started = World(CART)
    started.reachable()
    return started


@pytest.mark.parametrize("t", [10, -400 * DAY])
def test_nobody_enters_by_history_however_old(world: World, t: int) -> None:
    assert bring(world, "Go", 10, t=t) == []
    assert world.user().enrollments == ()


def test_it_is_in_the_history_beyond_any_lateness(world: World) -> None:
    bring(world, "Bought", 10, t=-400 * DAY)
    assert world.user().history == {"Bought": pack_instants([START - 400 * DAY])}
    bring(world, "Anything", 20, t=15)
    assert world.user().last_seen_at_ms == START + 15


@pytest.mark.parametrize("others", [(), (AWAITS,)], ids=["untimed", "timed"])
def test_what_is_passive_makes_nobody_less_idle(others: tuple[Campaign, ...]) -> None:
    world = World(CART, *others)
    bring(world, "Seen", 10, t=5)
    noticed = EventImported("u", "Bought", START + 8, START + 8, passive=True)
    take(world, noticed, 20)
    assert world.user().last_seen_at_ms == START + 5
    assert world.user().history["Bought"] == pack_instants([START + 8])


def test_a_purchase_that_is_brought_in_keeps_the_reminder_from_going(world: World) -> None:
    world.event("Go", 10)
    assert bring(world, "Bought", 50, t=5) == []  # before the cart
    assert bring(world, "Bought", 60, t=30) == ["60 c exited event"]
    assert world.advance(DAY) == []


def test_time_passes_before_it_as_before_any_input(world: World) -> None:
    world.event("Go", 10)
    told = bring(world, "Other", 2 * HOUR, t=-DAY)
    assert told == [f"{10 + HOUR} c sent steps.1 email", f"{10 + HOUR} c finished"]


def test_later_traits_win_over_earlier_ones_as_they_are_brought_in() -> None:
    fresh = World(CART)
    tell(fresh, 10, t=-2 * DAY, plan="free", city="Bern", consent={"email": True, "sms": True})
    tell(fresh, 11, t=-1 * DAY, plan="paid", consent={"email": False})
    assert fresh.user().traits == {
        "plan": "paid",
        "city": "Bern",
        "consent": {"email": False, "sms": True},
    }


def test_a_default_that_is_brought_in_changes_nothing_that_he_has() -> None:
    world = World(CART)
    for t, default, said in ((-9, True, b'{"plan":"free"}'), (-8, False, b'{"plan":"paid"}'),
                             (-7, True, b'{"plan":"none","city":"Bern"}')):  # fmt: skip
        raw = msgspec.Raw(said)
        take(world, TraitsImported("u", START + t, START + t, raw, default=default), 10)
    assert world.user().traits == {"plan": "paid", "city": "Bern"}


def test_what_was_said_since_stays_and_what_nobody_said_is_added() -> None:
    world = World(CART)
    world.identify(5, email="new@example.com", consent={"email": False})
    tell(world, 10, t=-DAY, email="old@example.com", city="Bern", consent={"email": True, "sms": 1})
    assert world.user().traits == {
        "email": "new@example.com",
        "city": "Bern",
        "consent": {"email": False, "sms": 1},
    }
    tell(world, 20, t=6, email="newest@example.com")
    assert world.user().traits["email"] == "newest@example.com"


def test_a_no_to_everything_is_not_taken_back_by_an_older_yes() -> None:
    world = World(CART)
    world.identify(5, consent=False)
    tell(world, 10, t=-DAY, consent={"email": True})
    assert world.user().traits["consent"] is False


def test_a_user_of_a_version_that_kept_no_instant_keeps_his_traits() -> None:
    world = World(CART)
    world.identify(5, email="new@example.com")
    world.user().identified_at_ms = 0
    tell(world, 10, t=-DAY, email="old@example.com", city="Bern")
    assert world.user().traits == {"email": "new@example.com", "city": "Bern"}


def test_of_traits_that_do_not_fit_the_consent_is_taken_where_nothing_was_said_since() -> None:
    world = World(CART)
    world.identify(5, a="x" * 40_000, consent={"sms": True})
    tell(world, 10, t=-DAY, b="x" * 40_000, consent={"email": False, "sms": False})
    assert set(world.user().traits) == {"a", "consent"}
    assert world.user().traits["consent"] == {"email": False, "sms": True}


def test_history_is_journaled_as_history() -> None:
    inputs: list[Input] = [
        EventImported("u", "Go", 1, 1, message_id="m", at_ms=5),
        TraitsImported("u", 2, 2, msgspec.Raw(b'{"a":1}'), at_ms=5),
    ]
    again = decode_inputs(encode_inputs(inputs))
    assert [type(one) for one in again] == [EventImported, TraitsImported]
    assert encode_inputs(again) == encode_inputs(inputs)
