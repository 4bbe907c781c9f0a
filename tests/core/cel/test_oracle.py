"""Against Google's implementation, where the two extensions make no difference."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import given, reject, settings

from engine.core import cel
from tests.core.cel.expressions import CONDITIONS, bindings

oracle = pytest.importorskip("cel_expr_python.cel")

NAMES = ("i", "j", "d", "f", "s", "t", "p", "q", "now", "then", "span", "x", "y", "m", "l")


@cache
def _environment() -> Any:
    # The oracle takes Python's datetime only where the variable is declared as a timestamp.
    known = dict.fromkeys(("now", "then"), oracle.Type.TIMESTAMP)
    return oracle.NewEnv(
        variables={
            **dict.fromkeys(NAMES, oracle.Type.DYN),
            **known,
            "span": oracle.Type.DURATION,
        }
    )


def _answer_of_oracle(text: str, values: dict[str, Any]) -> Any:
    value = _environment().compile(text, disable_check=True).eval(data=values)
    return cel.CelError if value.type() == oracle.Type.ERROR else value.plain_value()


def _answer(program: cel.Program, values: dict[str, Any]) -> Any:
    try:
        return program.evaluate(values)
    except cel.CelError:
        return cel.CelError


def _alike(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_alike, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_alike(a[key], b[key]) for key in a)
    if isinstance(a, datetime | timedelta):
        return bool(a == b)
    return type(a) is type(b) and bool(a == b)


@settings(max_examples=250)
@given(CONDITIONS, bindings())
def test_conditions_have_the_value_that_google_gives_them(
    text: str, values: dict[str, Any]
) -> None:
    try:
        program = cel.compile(text)
    except cel.CelCheckError:
        reject()  # refused before evaluation, where the oracle would answer with an error
    ours, theirs = _answer(program, values), _answer_of_oracle(text, values)
    assert _alike(ours, theirs), (text, values, ours, theirs)


@pytest.mark.parametrize(
    "text",
    [
        *("string(1.0)", "string(0.1)", "string(123456.789)", "string(1000000.0)", "string(1e-5)"),
        *("string(-0.0)", "string(1e300)", "string(123456789.0)", "string(1.0/0.0)"),
        *("string(duration('1.5s'))", "string(duration('-0.001s'))", "string(duration('1h'))"),
        *("string(timestamp('2009-02-13T23:31:30.5+01:00'))", "string(timestamp(0))"),
        *("int('-5')", "int(9.9)", "int(-9.9)", "double('1e5')", "bool('t')", "int(timestamp(7))"),
        *("-5 / 2", "-5 % 2", "5 % -3", "7 / -2", "1.0 / 0.0", "-1.0 / 0.0", "0.0 / -1.0"),
        *("duration('1h30m') + duration('30m')", "timestamp('2020-02-29T00:00:00Z')"),
        *("timestamp('2020-12-31T23:59:59Z').getDayOfYear()", "duration('-90s').getMinutes()"),
        *(
            "[1, 2, 3].map(e, e > 1, e * 2)",
            "{'a': 1}.map(k, k)",  # of one key: the order of more is the oracle's whim
            "[3, 1].filter(e, e > 2)",
        ),
        *("'abc'.matches('^a.c$')", "'ABC'.matches('(?i)abc')", "'a\\nb'.matches('a.b')"),
        *("r'\\d' + '\\x41\\u00e9\\101'", "'''a'b\"c'''", "has({'a': null}.a)", "{1: 2}[1.0]"),
        *("type(1) == int", "type([]) == list", "type(type(1)) == type", "null == null"),
    ],
)
def test_a_constant_has_the_value_that_google_gives_it(text: str) -> None:
    assert _alike(cel.compile(text).evaluate({}), _answer_of_oracle(text, {})), text
