from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from engine.core.intake.items import PROPERTIES_MAX, decode_item, read_item
from engine.core.intake.visits import with_utm
from engine.core.plan import Policy
from tests.core.messages.clicking import UTM, credited, two_sent

SAID = {"name": "spring", "source": "shop", "medium": "email", "term": "lamp", "content": "b"}
MEANS = {
    "utm_campaign": "spring", "utm_source": "shop", "utm_medium": "email", "utm_term": "lamp",
    "utm_content": "b",
}  # fmt: skip


def read(kind: str, **said: Any) -> dict[str, Any]:
    """The properties that a call comes to."""
    call = {"type": kind, "userId": "u", "event": "Seen", "timestamp": 1_767_225_600_000, **said}
    properties: dict[str, Any] = json.loads(
        bytes(read_item(decode_item(json.dumps(call).encode())).properties)  # type: ignore[union-attr]
    )
    return properties


@pytest.mark.parametrize("kind", ["track", "page", "screen"])
def test_a_calls_campaign_is_among_its_properties_as_utm(kind: str) -> None:
    assert read(kind, context={"campaign": SAID, "ip": "192.0.2.1"}) == MEANS
    assert read(kind, context={"campaign": {"name": "spring"}}) == {"utm_campaign": "spring"}


def test_what_an_event_says_itself_stands() -> None:
    told = read("track", properties={"utm_source": "ad", "a": 1}, context={"campaign": SAID})
    assert told == {**MEANS, "utm_source": "ad", "a": 1}


@pytest.mark.parametrize(
    "context",
    [
        {"campaign": "spring"},
        {"campaign": None},
        {"campaign": {"name": 7, "source": ["shop"], "medium": "", "id": "x"}},
        {"page": {"campaign": SAID}},
        [{"campaign": SAID}],
    ],
)
def test_a_campaign_in_another_form_is_passed_over_and_costs_no_event(context: Any) -> None:
    assert read("track", properties={"a": 1}, context=context) == {"a": 1}


def test_an_event_that_is_full_stays_as_it_is() -> None:
    full = {f"p{number}": number for number in range(PROPERTIES_MAX - 1)}
    assert read("track", properties=full, context={"campaign": SAID}) == full


def test_bytes_that_are_no_text_are_passed_over() -> None:
    properties = msgspec.Raw(b'{"a": 1}')
    context = msgspec.Raw(b'{"campaign": {"name": "\xff"}}')
    assert with_utm(properties, context, PROPERTIES_MAX) is properties


def test_a_visit_whose_context_names_the_campaign_is_a_click_on_its_message() -> None:
    world, first, _ = two_sent(Policy(utm=UTM))
    context = {"campaign": {"source": "shop", "name": "a"}}
    world.event("Page Viewed", 7, **read("page", context=context))
    world.event("Bought", 9)
    assert credited(world) == [("a", first.id, "clicked"), ("b", "", "")]
