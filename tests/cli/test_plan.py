"""A tracking plan is proposed that fits what the archive has, and is one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from config import load_shop
from engine.cli.import_history import command as import_history
from engine.cli.plan import command as plan
from engine.core.intake.items import ItemInvalid, decode_item, read_item
from tests.acceptance.conftest import write

if TYPE_CHECKING:
    from pathlib import Path

EVENTS: list[dict[str, Any]] = [
    {
        "user_id": f"u{number}",
        "event": "Product Added",
        "timestamp": 1_767_225_600_000 + number,
        "properties": {
            "product_id": f"p{number % 3}",
            "price": 10 if number % 2 else 9.99,
            "quantity": 1 + number % 2,
            "currency": ("EUR", "USD")[number % 2],
            "note": None if number % 5 else f"note {number}",
            "at": "2026-01-01T00:00:00Z",
            "gift": number % 2 == 0,
            "tags": ["a", "b"],
            "maker": {"name": f"n{number}", "since": 1990},
            "$lib": "web",
            "yes": "no",
        },
    }
    for number in range(40)
]
OTHERS = [
    {"user_id": "u1", "event": "Parcel: left", "timestamp": 1_767_225_700_000, "passive": True},
    {"user_id": "u1", "event": "on", "timestamp": 1_767_225_700_001, "properties": {"x": [1, "a"]}},
    {
        "user_id": "u1",
        "type": "identify",
        "timestamp": 1_767_225_700_002,
        "traits": {"email": "a@example.com", "age": 7},
    },
]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    shop, events = tmp_path / "shop", tmp_path / "events.ndjson"
    write(shop, {"hairspring.toml": ""})
    events.write_text("".join(json.dumps(event) + "\n" for event in [*EVENTS, *OTHERS]))
    import_history.main([str(shop), "--events", str(events)], standalone_mode=False)
    return shop


def proposed(shop: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    capsys.readouterr()
    plan.main(["infer", "--data", str(shop / "data"), *more], standalone_mode=False)
    return capsys.readouterr().out


def test_what_is_proposed_says_what_came(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(proposed(shop, capsys, "--json"))
    assert (found["inputs"], found["events"], found["left_out"]) == (44, 42, 0)
    assert found["plan"]["events"]["Product Added"]["properties"] == {
        "product_id": {"type": "string", "required": True},
        "price": {"type": "number", "required": True},
        "quantity": {"type": "integer", "required": True},
        "currency": {"type": "string", "required": True, "enum": ["EUR", "USD"]},
        "note": "string",
        "at": {"type": "timestamp", "required": True},
        "gift": {"type": "boolean", "required": True},
        "tags": {
            "type": "array",
            "required": True,
            "items": {"type": "string", "enum": ["a", "b"]},
        },
        "maker": {
            "type": "object",
            "required": True,
            "properties": {
                "name": {"type": "string", "required": True},
                "since": {"type": "integer", "required": True},
            },
        },
        "yes": {"type": "string", "required": True, "enum": ["no"]},
    }
    assert found["plan"]["events"]["on"] == {
        "properties": {"x": {"type": "array", "required": True, "items": "any"}}
    }
    assert found["plan"]["identify"] == {"traits": {"age": "integer"}}


def test_what_is_proposed_is_a_plan_that_takes_everything_it_came_from(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = proposed(shop, capsys)
    assert text.startswith("# Proposed by `hairspring plan infer` from 42 events")
    loaded = load_shop({"hairspring.toml": "", "tracking-plan.yaml": text})
    assert loaded.tracking_plan is not None
    for item in [*EVENTS, *OTHERS]:
        loaded.tracking_plan.judge(read_item(decode_item(json.dumps(item).encode())))
    other = {**EVENTS[0], "properties": {**EVENTS[0]["properties"], "currency": "GBP"}}
    with pytest.raises(ItemInvalid, match="Invalid enum value 'GBP'"):
        loaded.tracking_plan.judge(read_item(decode_item(json.dumps(other).encode())))


def test_an_archive_without_events_is_an_empty_plan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop, events = tmp_path / "shop", tmp_path / "events.ndjson"
    write(shop, {"hairspring.toml": ""})
    events.write_text(json.dumps({**OTHERS[2], "traits": {}}) + "\n")
    import_history.main([str(shop), "--events", str(events)], standalone_mode=False)
    assert json.loads(proposed(shop, capsys, "--json"))["plan"] == {"events": {}}


def test_an_import_takes_what_fits_the_plan_and_tells_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop, events = tmp_path / "shop", tmp_path / "events.ndjson"
    price = "events: {Product Added: {properties: {price: integer}}}\n"
    write(shop, {"hairspring.toml": "", "tracking-plan.yaml": price})
    events.write_text("".join(json.dumps(event) + "\n" for event in EVENTS[:2]))
    args = [str(shop), "--events", str(events), "--json"]
    import_history.main(args, standalone_mode=False)
    told = json.loads(capsys.readouterr().out)
    assert (told["taken"], told["bad_lines"]) == (1, 1)
    assert told["bad_lines_shown"][0].startswith(
        "events.ndjson:1: $.properties.price: Expected int"
    )
