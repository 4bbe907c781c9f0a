"""The language's own conformance cases (google/cel-spec), without messages, bytes, unsigned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.core import cel

CASES = Path(__file__).parents[3] / "../shared/data/cel/cases.json"

REFERENCE = Path(__file__).parents[3] / "docs/reference/expressions.md"

EXCEPTED = {
    "string(timestamp('9999-12-31T23:59:59.999999999Z'))": "to the microsecond, not nanosecond",
    "timestamp('0001-01-01T00:00:01.000000001Z') + duration('-999999999ns')"
    " == timestamp('0001-01-01T00:00:00.000000002Z')": "as above",
    "timestamp('0001-01-01T00:00:01.999999999Z') + duration('999999999ns')"
    " == timestamp('0001-01-01T00:00:02.999999998Z')": "as above",
    "timestamp('9999-12-31T23:59:59.999999999Z') + duration('1ns')": "as above: 1ns is nothing",
    "timestamp('0001-01-01T00:00:00Z') + duration('-1ns')": "as above: -1ns is nothing",
}
"""What we answer otherwise, each with its reason."""

ERROR = object()


def _decoded(value: dict[str, Any]) -> Any:
    ((kind, content),) = value.items()
    match kind:
        case "int64Value":
            return int(content)
        case "doubleValue":
            return float(content)
        case "listValue":
            return [_decoded(item) for item in content.get("values", [])]
        case "mapValue":
            entries = content.get("entries", [])
            return {_decoded(entry["key"]): _decoded(entry["value"]) for entry in entries}
        case _:
            assert kind in {"stringValue", "boolValue", "nullValue"}, kind
            return content


def _answer(case: dict[str, Any]) -> Any:
    names = frozenset(entry["name"] for entry in case.get("typeEnv", []))
    unchecked = case.get("disableCheck") or not names
    bindings = {name: _decoded(each["value"]) for name, each in case.get("bindings", {}).items()}
    try:
        program = cel.compile(case["expr"], None if unchecked else cel.Scope(names))
        return program.evaluate(bindings)
    except (cel.CelCheckError, cel.CelError):
        return ERROR


def _agrees(case: dict[str, Any]) -> bool:
    answer = _answer(case)
    if "value" not in case:
        return answer is ERROR
    expected = _decoded(case["value"])
    return type(answer) is type(expected) and answer == expected


def test_each_exception_is_told_in_the_reference() -> None:
    told = REFERENCE.read_text()
    assert [text for text in EXCEPTED if f"`{text}`" not in told] == []


@pytest.mark.skipif(not CASES.exists(), reason="the conformance cases are not beside the checkout")
def test_every_conformance_case_is_answered_as_the_language_says() -> None:
    cases = json.loads(CASES.read_bytes())
    failures = [case for case in cases if not _agrees(case)]
    for case in failures:
        if case["expr"] not in EXCEPTED:
            print("/".join(case["path"]), case["expr"], "gave", _answer(case))
    assert {case["expr"] for case in failures} == EXCEPTED.keys()
    assert len(failures) <= 0.02 * len(cases)
