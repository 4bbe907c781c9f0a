from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from engine.core import cel
from engine.errors import HairspringError


def test_a_condition_is_true_false_or_an_error_as_a_value() -> None:
    program = cel.compile('user.segment == "VIP" && cart.value > 500.0')
    vip = {"segment": "VIP"}
    assert program.truth({"user": vip, "cart": {"value": 501}}) is True
    assert program.truth({"user": vip, "cart": {"value": 500.0}}) is False
    assert program.truth({"user": {"segment": "new"}, "cart": {}}) is False
    missing = program.truth({"user": vip, "cart": {}})
    assert isinstance(missing, cel.CelError)
    assert missing.message == "no such key: 'value'"


def test_a_value_that_is_no_boolean_is_an_error_of_a_condition() -> None:
    truth = cel.compile("user.age").truth({"user": {"age": 1}})
    assert isinstance(truth, cel.CelError)
    assert truth.message == "a condition is true or false, this is of type int"


def test_a_missing_key_and_a_missing_variable_are_told_apart() -> None:
    program = cel.compile("event.price")
    with pytest.raises(cel.CelError, match="no such key: 'price'"):
        program.evaluate({"event": {}})
    with pytest.raises(cel.CelError, match="no such variable: 'event'"):
        program.evaluate({})


def test_every_fault_is_one_of_the_operating_errors() -> None:
    for fault in (cel.CelSyntaxError, cel.CelCheckError, cel.CelError):
        assert issubclass(fault, cel.ExpressionError)
        assert issubclass(fault, HairspringError)
    assert issubclass(cel.CelSyntaxError, cel.CelTextError)
    assert not issubclass(cel.CelSyntaxError, cel.CelCheckError)


def test_an_error_as_a_value_holds_on_to_no_frames() -> None:
    error = cel.compile("event.price > 1").truth({"event": {}})
    assert isinstance(error, cel.CelError)
    assert error.__traceback__ is None
    assert error.__context__ is None
    unbound = cel.compile("event.price > 1").truth({})
    assert isinstance(unbound, cel.CelError)
    assert unbound.__context__ is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2.0", 3.0),
        ("2.0 * 3", 6.0),
        ("7 / 2.0", 3.5),
        ("1 == 1.0", True),
        ("event.n + 0.5", 2.5),
        ("event.n < 2.5", True),
        ("1 / 0.0 > 10", True),
        ("0.0 in [0]", True),
    ],
)
def test_numbers_mix_across_int_and_double(text: str, value: object) -> None:
    answer = cel.compile(text).evaluate({"event": {"n": 2}})
    assert (type(answer), answer) == (type(value), value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("gap >= '30m'", True),
        ("gap < '1h30m'", False),
        ("gap == '90m'", True),
        ("gap != '2w'", True),
        ("'1d' > gap", True),
        ("gap in ['1h30m']", True),
        ("gap == 'VIP'", False),
        ("[gap] == ['90m']", True),
    ],
)
def test_a_duration_compares_with_a_duration_string(text: str, value: object) -> None:
    assert cel.compile(text).evaluate({"gap": timedelta(minutes=90)}) is value


def test_a_duration_has_no_order_with_another_string() -> None:
    truth = cel.compile("gap > 'soon'").truth({"gap": timedelta(minutes=90)})
    assert isinstance(truth, cel.CelError)
    assert "'soon'" in truth.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("i + 1", "integer overflow"),
        ("-i - 2", "integer overflow"),
        ("i * 2", "integer overflow"),
        ("-(-i - 1)", "integer overflow"),
        ("(-i - 1) / -1", "integer overflow"),
        ("i / 0", "division by zero"),
        ("i % 0", "modulo by zero"),
        ("i[0]", "no such overload"),
        ("'abc'[0]", "no such overload"),
        ("l[3]", "no such item: 3 of a list of 3"),
        ("l[-1]", "no such item: -1"),
        ("l[0.5]", "no such item: 0.5"),
        ("t < 1", "no such overload: < of bool, int"),
        ("l < l", "no such overload: < of list, list"),
        ("s * 2", "no such overload: . of string, int"),
        ("{1: 2}[t]", "no such key: True"),
        ("{s: 1, s: 2}", "repeated key: 'a'"),
        ("{d: 1}", "unsupported key type: double"),
        ("now - now - s", "no such overload: - of google.protobuf.Duration, string"),
        ("naive < now", "without a time zone"),
        ("o == o && o < o", "no such overload: < of an unknown object"),
    ],
)
def test_an_evaluation_that_cannot_be_is_an_error(text: str, message: str) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    bindings = {
        "i": 2**63 - 1,
        "l": [1, 2, 3],
        "t": True,
        "s": "a",
        "d": 1.0,
        "now": now,
        "naive": now.replace(tzinfo=None),
        "o": object(),
    }
    with pytest.raises(cel.CelError, match=message):
        cel.compile(text.replace("'abc'", "s")).evaluate(bindings)


def test_macros_stop_at_the_limit_of_work() -> None:
    program = cel.compile("l.all(a, l.all(b, l.all(c, a + b + c >= 0)))")
    assert program.truth({"l": list(range(40))}) is True
    truth = program.truth({"l": list(range(50))})
    assert isinstance(truth, cel.CelError)
    assert "more than 100000 elements" in truth.message


def test_data_nested_deeper_than_python_can_follow_is_an_error() -> None:
    deep: list[object] = []
    for _ in range(5000):
        deep = [deep]
    other: list[object] = []
    for _ in range(5000):
        other = [other]
    truth = cel.compile("a == b").truth({"a": deep, "b": other})
    assert isinstance(truth, cel.CelError)
    assert truth.message == "the data nest too deep"


def test_generated_code_reaches_nothing_of_pythons_own() -> None:
    with pytest.raises(cel.CelError, match="no such variable"):
        cel.compile("open").evaluate({})
    with pytest.raises(cel.CelError, match="no such function"):
        cel.compile("exec('1')").evaluate({})
    with pytest.raises(cel.CelError, match="no such overload"):
        cel.compile("x.__class__").evaluate({"x": "a"})


@pytest.mark.parametrize(
    ("x", "name"),
    [
        (1, "int"),
        (1.0, "double"),
        ("", "string"),
        (True, "bool"),
        (None, "null_type"),
        ([], "list"),
        ({}, "map"),
        (datetime(2026, 1, 1, tzinfo=UTC), "google.protobuf.Timestamp"),
        (timedelta(), "google.protobuf.Duration"),
    ],
)
def test_the_type_of_each_kind_of_value_has_its_name(x: object, name: str) -> None:
    assert cel.compile("type(x)").evaluate({"x": x}) == cel.TypeValue(name)
    assert cel.compile(f"type(x) == {name}").truth({"x": x}) is True
    assert cel.compile("type(type(x)) == type").truth({"x": x}) is True
