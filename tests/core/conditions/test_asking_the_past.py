"""Conditions of a campaign that ask of the past, wherever a campaign has conditions."""

from __future__ import annotations

from typing import Any

import msgspec

from engine.core.history import instants_of, sent_name
from engine.core.inputs import EventImported
from engine.core.policy import Policy
from tests.core.world import DAY, HOUR, MINUTE, START, World, campaign, send, wait, when


def test_the_third_view_of_the_same_product_enters_with_the_event_at_hand_counted() -> None:
    condition = 'count("Viewed", "24h", e, e.id == event.id) >= 3'
    world = World(campaign("c", wait(HOUR), on=("Viewed",), when=condition))
    for at, product in enumerate(["a", "b", "a", "b", "c"]):
        assert world.event("Viewed", at, id=product) == []
    assert world.event("Viewed", 10) == []  # no product
    assert world.event("Viewed", 11, id="a") == ["11 c entered"]


def test_a_window_lets_an_event_go_at_its_end_to_the_millisecond() -> None:
    condition = 'count("Failed", "10m") >= 2'
    world = World(campaign("c", on=("Failed",), when=condition))
    world.event("Failed", 0)
    assert world.event("Failed", 10 * MINUTE) == []
    assert world.event("Failed", 20 * MINUTE - 1)[0] == f"{20 * MINUTE - 1} c entered"


def test_the_tenth_purchase_is_the_tenth_however_few_are_kept() -> None:
    condition = 'count("Bought") == 10'
    world = World(campaign("c", on=("Bought",), when=condition, exits=("Left",)))
    told = [world.event("Bought", at * DAY) for at in range(20)]
    assert [bool(said) for said in told] == [at == 9 for at in range(20)]
    assert len(world.user().history["Bought"]) == 8


def test_a_late_event_counts_at_its_own_time() -> None:
    condition = 'count("Viewed", "1h") >= 2'
    world = World(campaign("c", on=("Go",), when=condition))
    world.event("Viewed", 2 * HOUR)
    world.event("Viewed", 2 * HOUR + 1, t=HOUR)  # on the window's edge, at 2 h, it is out
    assert world.event("Go", 2 * HOUR + 2) == []
    world.event("Viewed", 2 * HOUR + 3, t=HOUR + 5)
    assert world.event("Go", 2 * HOUR + 4)[0] == f"{2 * HOUR + 4} c entered"


def test_audience_per_and_branches_ask_too() -> None:
    world = World(
        campaign(
            "c",
            wait(MINUTE),
            when('sum("Bought", "total", "1d") > 100.0', (send("email", step_id="rich"),)),
            audience='!did("Complained", "7d")',
            per='last("Bought").id',
        )
    )
    world.reachable()
    assert world.event("Go", 1) == ["1 c refused per"]  # nothing was bought: there is no last one
    world.event("Bought", 2, id="o1", total=60)
    assert world.event("Go", 3) == ["3 c entered"]
    world.event("Bought", 4, id="o2", total=50)
    assert world.event("Go", 5) == ["5 c entered"]
    assert [one.per for one in world.user().enrollments] == ['"o1"', '"o2"']
    assert world.advance(3 + MINUTE)[0] == f"{3 + MINUTE} c branched steps.1 then"
    world.event("Complained", 2 * MINUTE)
    assert world.event("Go", 2 * MINUTE) == [f"{2 * MINUTE} c refused audience"]


def test_messages_are_counted_by_channel_and_by_campaign() -> None:
    condition = 'received("email", "1d") < 2 && received("c", "1h") < 1'
    world = World(
        campaign("c", send("email"), on=("Go",), when=condition),
        campaign("other", send("email"), on=("Other",)),
        campaign("pushes", send("push"), on=("Push",)),
    )
    world.reachable()
    entered = "0 c entered"
    assert world.event("Go", 0)[0] == entered
    assert world.event("Go", MINUTE) == []
    assert world.event("Go", HOUR)[0] == f"{HOUR} c entered"
    assert world.event("Go", 3 * HOUR) == []
    assert world.event("Go", DAY)[0] == f"{DAY} c entered"
    world.event("Push", DAY + 1)
    history = world.user().history
    assert set(history) == {sent_name("email"), sent_name("c")}
    assert list(instants_of(history[sent_name("c")])) == [START + DAY]


def test_a_campaign_with_a_channel_s_name_is_not_counted_for_it_twice() -> None:
    world = World(
        campaign("email", send("email"), on=("Go",), when='received("email", "1d") < 2'),
    )
    world.reachable()
    assert [bool(world.event("Go", at)) for at in range(3)] == [True, True, False]


def test_no_event_of_a_client_passes_for_a_message() -> None:
    world = World(campaign("c", on=("Go",), when='received("email") >= 1'))
    world.event(sent_name("email"), 1)
    assert world.event("Go", 2) == []


def test_history_that_is_imported_is_asked() -> None:
    world = World(campaign("c", on=("Go",), when='first("Bought").id == 7 && count("Bought") == 2'))
    for t, number in ((-DAY, 8), (-2 * DAY, 7)):
        raw = msgspec.Raw(msgspec.json.encode({"id": number}))
        world.processor.take(EventImported("u", "Bought", START + t, START, raw), START)
    assert world.event("Go", 1)[0] == "1 c entered"


def test_a_shop_keeps_as_many_events_as_its_settings_say() -> None:
    condition = 'distinct("Viewed", "id") >= 3'
    policy = Policy(events_kept_max=2)
    world = World(campaign("c", on=("Viewed",), when=condition), policy=policy)
    said: list[Any] = [world.event("Viewed", at, id=at) for at in range(5)]
    assert said == [[]] * 5
    assert len(instants_of(world.user().history["Viewed"])) == 2


def test_an_error_is_counted_and_the_condition_is_not_true() -> None:
    world = World(campaign("c", on=("Go",), when='since("Bought") > "1h" || event.x'))
    assert world.event("Go", 1) == []
    assert world.event("Go", 2, x=True)[0] == "2 c entered"
