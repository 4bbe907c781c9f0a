"""Items held against a tracking plan: what fits is taken as it is, what does not says where."""

from __future__ import annotations

import json
from random import Random  # noqa: TID251 - seeded
from typing import Any

import pytest

from engine.core.inputs import EventNoticed, EventReceived
from engine.core.intake.forms import Form
from engine.core.intake.items import ItemInvalid, decode_item, read_item
from engine.core.intake.tracking_plan import TrackingPlan

NUMBER = Form(kind="number", least=0, most=100)
ADDED = Form(
    kind="object",
    properties={
        "product_id": Form(kind="string", required=True, least=1, most=8),
        "price": NUMBER,
        "count": Form(kind="integer", least=1),
        "currency": Form(kind="string", enum=("EUR", "USD")),
        "size": Form(kind="integer", enum=(1, 2)),
        "gift": Form(kind="boolean"),
        "at": Form(kind="timestamp"),
        "code": Form(kind="string", pattern="^[A-Z]{3}$"),
        "tags": Form(kind="array", items=Form(kind="string"), most=2),
        "any-thing": Form(),
        "lines": Form(
            kind="array",
            items=Form(kind="object", properties={"sku": Form(kind="string", required=True)}),
        ),
        "maker": Form(kind="object", properties={"name": Form(kind="string")}, is_open=False),
    },
)


def judged(plan: TrackingPlan, **item: Any) -> Any:
    said = {"user_id": "u1", "event": "Product Added", **item}
    return plan.judge(read_item(decode_item(json.dumps(said).encode()), 1_000))


def fault(plan: TrackingPlan, **item: Any) -> ItemInvalid:
    with pytest.raises(ItemInvalid) as raised:
        judged(plan, **item)
    return raised.value


PLAN = TrackingPlan({"Product Added": ADDED, "Price Dropped": Form(kind="object")})


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"price": 1, "count": 2, "currency": "EUR", "size": 2, "gift": False},
        {"price": None, "count": None, "currency": None, "at": None, "tags": None, "maker": None},
        {"at": "2026-01-01T00:00:00Z", "code": "ABC", "tags": ["a", "b"]},
        {"at": 1_700_000_000_000, "any-thing": {"deep": [1]}, "lines": [{"sku": "a", "more": 1}]},
        {"unknown": 1, "maker": {"name": "x"}},
    ],
)
def test_what_fits_is_taken_as_it_is(properties: dict[str, Any]) -> None:
    said = {"product_id": "p1", **properties}
    happened = judged(PLAN, properties=said)
    assert type(happened) is EventReceived
    assert json.loads(bytes(happened.properties)) == said


@pytest.mark.parametrize(
    ("properties", "path", "message"),
    [
        ({"product_id": None}, "product_id", "Expected str, got null"),
        ({"product_id": "123456789"}, "product_id", "Expected str of length <= 8"),
        ({"price": "1"}, "price", "Expected float | null, got str"),
        ({"price": 101}, "price", "Expected float <= 100.0"),
        ({"count": 0}, "count", "Expected int >= 1"),
        ({"count": 1.5}, "count", "Expected int | null, got float"),
        ({"currency": "GBP"}, "currency", "Invalid enum value 'GBP'"),
        ({"size": 3}, "size", "Invalid enum value 3"),
        ({"gift": "yes"}, "gift", "Expected bool | null, got str"),
        ({"at": True}, "at", "Expected a timestamp"),
        ({"code": "abc"}, "code", "Expected str matching ^[A-Z]{3}$"),
        ({"code": 7}, "code", "Expected str"),
        ({"tags": ["a", 1]}, "tags[1]", "Expected str, got int"),
        ({"tags": ["a", "b", "c"]}, "tags", "Expected array of length <= 2"),
        ({"lines": [{"sku": "a"}, {}]}, "lines[1].sku", "missing"),
        ({"maker": {"nam": "x"}}, "maker.nam", "not known"),
    ],
)
def test_what_does_not_fit_says_where_and_what_would(
    properties: dict[str, Any], path: str, message: str
) -> None:
    found = fault(PLAN, properties={"product_id": "p1", **properties})
    assert (found.path, found.message) == (f"$.properties.{path}", message)
    assert "tracking-plan.yaml" in found.hint


def test_what_must_be_there_is_told_by_its_own_path() -> None:
    found = fault(PLAN, properties={})
    assert (found.path, found.message) == ("$.properties.product_id", "missing")
    wanted = "tracking-plan.yaml has a string of 1 to 8 characters there, of 'Product Added'"
    assert found.hint == wanted


def test_an_event_that_the_plan_does_not_have_is_taken_unless_it_forbids_them() -> None:
    assert judged(PLAN, event="Seen").name == "Seen"
    closed = TrackingPlan({"Product Added": ADDED}, is_open=False)
    found = fault(closed, event="Seen")
    assert (found.path, found.message) == ("$.event", "'Seen' is not in tracking-plan.yaml")


def test_what_stock_clients_add_by_themselves_is_no_unknown_property() -> None:
    closed = Form(kind="object", properties={"a": Form(kind="integer")}, is_open=False)
    plan = TrackingPlan({"Product Added": closed})
    assert judged(plan, properties={"a": 1, "$lib": "x"}).name == "Product Added"
    landed = {"campaign": {"source": "ad"}}
    assert judged(plan, properties={"a": 1}, context=landed).name == "Product Added"
    assert fault(plan, properties={"a": 1, "b": 1}).path == "$.properties.b"
    assert fault(plan, properties={"a": "1", "$lib": "x"}).path == "$.properties.a"


def test_a_passive_event_is_one_that_is_nothing_the_user_did() -> None:
    plan = TrackingPlan(PLAN.events, frozenset({"Price Dropped"}))
    noticed = judged(plan, event="Price Dropped", message_id="m1", properties={"x": 1})
    assert type(noticed) is EventNoticed
    assert (noticed.user_id, noticed.message_id, noticed.occurred_at_ms) == ("u1", "m1", 1_000)
    assert bytes(noticed.properties) == b'{"x": 1}'


def test_traits_are_held_against_the_plan_and_reserved_ones_are_always_taken() -> None:
    traits = Form(kind="object", properties={"age": Form(kind="integer")}, is_open=False)
    plan = TrackingPlan({}, traits=traits)
    said = {"email": "a@example.com", "consent": {"email": True}, "age": 7}
    assert judged(plan, type="identify", traits=said).user_id == "u1"
    assert judged(plan, type="alias", previous_id="u2").merged_id == "u2"
    assert judged(plan, type="group", group_id="g1").user_id == "u1"
    assert fault(plan, type="identify", traits={"age": "7"}).path == "$.traits.age"
    assert fault(plan, type="identify", traits={"ago": 7}).path == "$.traits.ago"
    assert judged(plan, type="score", model="churn", score=0.5).score == 0.5


def test_a_text_that_a_pattern_takes_too_long_for_does_not_fit() -> None:
    slow = Form(kind="string", pattern="(a|b)*a(a|b){90}c")
    plan = TrackingPlan({"Product Added": Form(kind="object", properties={"code": slow})})
    text = "".join(Random(1).choices("ab", k=8_000))
    for _ in range(2):
        told = fault(plan, properties={"code": text})
        assert told.path == "$.properties.code"
        assert "takes too long" in told.message
    judged(plan, properties={"code": f"{'a' * 91}c"})


def test_more_texts_than_are_remembered_are_held_against_a_pattern_as_ever() -> None:
    code = Form(kind="string", pattern="^[a-z]+[0-9]+$", most=100)
    plan = TrackingPlan({"Product Added": Form(kind="object", properties={"code": code})})
    for place in (*range(3_000), *range(3_000)):
        judged(plan, properties={"code": f"sku{place}"})
        if place % 300 == 0:
            assert "matching" in fault(plan, properties={"code": f"sku{place}x"}).message
    judged(plan, properties={"code": "a" * 99 + "1"})
    assert "length" in fault(plan, properties={"code": "a" * 100 + "1"}).message
