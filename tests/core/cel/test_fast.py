from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from engine.core import cel
from engine.core.cel.emit import CarefulCode
from engine.core.cel.errors import TRAPS
from engine.core.cel.fast import FastCode
from tests.core.cel.expressions import ANYTHING, MIXED, SPANS, bindings

if TYPE_CHECKING:
    from collections.abc import Mapping


def _same(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    if isinstance(a, list):
        return len(a) == len(b) and all(map(_same, a, b))
    return bool(a == b)


def _agree(text: str, values: Mapping[str, Any]) -> None:
    try:
        tree = cel.compile(text).tree
    except cel.CelCheckError:
        reject()
    careful: Any
    try:
        careful = CarefulCode().function(tree)(values)
    except cel.CelError as error:
        careful = error
    try:
        fast = FastCode().function(tree)(values)
    except TRAPS:
        return
    assert _same(fast, careful), (text, values, fast, careful)


@settings(max_examples=300)
@given(MIXED, bindings(SPANS))
def test_the_fast_form_gives_the_value_of_the_careful_one_or_none(
    text: str, values: dict[str, Any]
) -> None:
    _agree(text, values)


@settings(max_examples=100)
@given(st.builds("{} {} {}".format, ANYTHING, st.sampled_from("+-*/%"), ANYTHING), bindings(SPANS))
def test_the_fast_form_computes_what_the_careful_one_does(
    text: str, values: dict[str, Any]
) -> None:
    _agree(text, values)


_TRAPPY = [True, False, 0, 1, 2, -1, 0.0, 1.0, 2.5, math.nan, "", "a", "30m", None, [], [1], {}]
_TRAPPY_TEXTS = [
    "x == 1",
    "x != 1",
    "x == 0",
    "x != 0",
    "x == 1.0",
    "x == true",
    "x != false",
    "x == null",
    "x == 'a'",
    "x == '30m'",
    "x < 1",
    "1 < x",
    "x >= 0.5",
    "x < 'b'",
    "'a' <= x",
    "x < true",
    "x == y",
    "x != y",
    "x < y",
    "x >= y",
    "x in ['a', 'b']",
    "x in ['a', 2]",
    "x in [1, 0]",
    "x in y",
    "x in ['30m']",
    "x && y",
    "x || y",
    "!x",
    "x ? y : 2",
    "x + y",
    "x - y",
    "x * y",
    "x / y",
    "x % y",
    "-x",
    "x * 2.0",
    "x + 1",
    "y[0]",
    "y[x]",
    "y[-1]",
    "y['a']",
    "y.a",
    "has(y.a)",
    "[x] == [y]",
    "{'k': x} == {'k': y}",
    "{1: 2}[x]",
    "x in {1: 2}",
    "x in {true: 2}",
    "size(x)",
    "y.all(e, e == x)",
    "y.exists(e, x)",
    "y.map(e, e == x)",
]


@pytest.mark.parametrize("text", _TRAPPY_TEXTS)
def test_no_pair_of_values_on_which_python_differs_slips_through(text: str) -> None:
    for x in _TRAPPY:
        for y in _TRAPPY:
            _agree(text, {"x": x, "y": y})


def test_the_usual_condition_is_answered_without_the_careful_form() -> None:
    program = cel.compile('user.segment == "VIP" && cart.value > 500.0')
    values = {"user": {"segment": "VIP"}, "cart": {"value": 600}}
    assert FastCode().function(program.tree)(values) is True


@pytest.mark.parametrize(
    "text", ["user.price > 20.0 || true", "1 / i == 1 || true", "x < 'a' || p"]
)
def test_what_the_fast_form_cannot_decide_the_careful_one_absorbs(text: str) -> None:
    values = {"user": {}, "i": 0, "x": 5, "p": True}
    assert cel.compile(text).truth(values) is True
