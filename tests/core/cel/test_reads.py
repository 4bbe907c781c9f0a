from __future__ import annotations

import pytest

from engine.core import cel


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("event.price > 20.0", {"price"}),
        ("has(event.price) && event.total > event.price", {"price", "total"}),
        ("event.cart.size > 1", {"cart"}),
        ('user.name == "x"', set()),
        ("event.items.exists(i, i.price > event.least)", {"items", "least"}),
        ("has(event.a) ? event.b : [event.c][0]", {"a", "b", "c"}),
        ('{"a": event.a}.a == 1', {"a"}),
        ('event["a"] == event["b c"]', {"a", "b c"}),
    ],
)
def test_fields_are_found_wherever_they_are_read(text: str, fields: set[str]) -> None:
    assert cel.fields_read(cel.compile(text).tree, "event") == fields


@pytest.mark.parametrize(
    "text",
    ["size(event) > 1", '"a" in event', "event[event.a] == 1", "event.exists(k, k == event.a)"],
)
def test_what_may_need_the_whole_says_so(text: str) -> None:
    assert cel.fields_read(cel.compile(text).tree, "event") is None
