from __future__ import annotations

from config import encode_content, load_shop
from engine.core.inputs import PlanChanged
from engine.core.plan import Plan
from engine.core.state import new_user
from engine.runtime.plans import strays
from engine.runtime.processor import Processor
from engine.runtime.stored import read_stored
from tests.core.world import START, World, campaign, send, told, wait

CAMPAIGN = (
    "campaign: c\nenter: {event: Go}\nsteps: [{wait: 1h, id: w}, {send: in_app, template: t}]"
)
FILES = {"campaigns/c.yaml": CAMPAIGN, "templates/t.in_app.liquid": "old"}
EDITED = {**FILES, "templates/t.in_app.liquid": "new"}
CHANGES = [(1, PlanChanged("a")), (5, PlanChanged("b")), (9, PlanChanged("c"))]


def test_a_plan_that_can_be_read_is_compiled_again_with_its_templates() -> None:
    shop = load_shop({"campaigns/d.yaml": CAMPAIGN.replace("in_app", "sms"),
                      "templates/t.sms.liquid": "text"})  # fmt: skip
    stored = read_stored(CHANGES[:1], {"a": encode_content(FILES)}, shop)
    assert list(stored.plans["a"].campaigns) == ["c"]
    assert stored.lost == frozenset()
    # A message of a template that the shop has no more can still be rendered.
    assert sorted(stored.templates) == [("t", "in_app"), ("t", "sms")]


def test_of_two_templates_of_a_name_the_newer_is_in_force() -> None:
    shop = load_shop(EDITED)
    stored = read_stored(CHANGES[:1], {"a": encode_content(FILES)}, shop)
    assert stored.templates["t", "in_app"] is shop.templates["t", "in_app"]


def test_the_next_plan_that_can_be_read_stands_in_for_one_that_cannot() -> None:
    shop = load_shop(EDITED)
    contents = {"a": b"not a content", "b": encode_content(FILES)}
    stored = read_stored(CHANGES, contents, shop)
    assert stored.lost == {"a", "c"}
    assert stored.plans["a"] is stored.plans["b"]
    assert stored.plans["c"] is shop.plan


def test_who_is_in_a_campaign_of_a_lost_plan_is_found_by_what_he_has_seen() -> None:
    world = World(campaign("c", wait(10)))
    for user, seen in (("before", 4), ("in", 7), ("after", 9)):
        world.event("Go", 0, user=user)
        world.user(user).seen = seen
    idle = new_user("idle")
    idle.seen = 7
    users = [*world.processor.users.values(), idle]
    assert strays(users, CHANGES, {"b"}) == {"b": [world.user("in")]}
    assert strays(users, CHANGES, {"x"}) == {}


def test_whose_plan_is_lost_goes_on_where_another_has_his_step_or_leaves() -> None:
    world = World(campaign("c", wait(10, "w")), campaign("d", wait(10, "w")))
    world.event("Go", 0)
    processor = Processor(Plan("q"), world.processor.users, now_ms=START + 5)
    standing_in = Plan("q", [campaign("c", send("push"), wait(20, "w"))])
    processor.find_anew(list(processor.users.values()), standing_in)
    batch = processor.begin(START + 5)
    assert batch is not None
    assert [told(record) for record in batch.records] == ["5 d exited campaign_removed"]
    assert [one.due_at_ms - START for one in processor.users["u"].enrollments] == [20]
