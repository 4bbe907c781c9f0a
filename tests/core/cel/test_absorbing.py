from __future__ import annotations

import pytest

from engine.core import cel

OPERANDS = {"true": "t", "false": "f", "an error": "e.missing", "no boolean": "n"}
BINDINGS = {"t": True, "f": False, "e": {}, "n": 32, "l": [0, 1, 2]}
E, T, F = "error", True, False

AND = {
    "true": {"true": T, "false": F, "an error": E, "no boolean": E},
    "false": {"true": F, "false": F, "an error": F, "no boolean": F},
    "an error": {"true": E, "false": F, "an error": E, "no boolean": E},
    "no boolean": {"true": E, "false": F, "an error": E, "no boolean": E},
}
OR = {
    "true": {"true": T, "false": T, "an error": T, "no boolean": T},
    "false": {"true": T, "false": F, "an error": E, "no boolean": E},
    "an error": {"true": T, "false": E, "an error": E, "no boolean": E},
    "no boolean": {"true": T, "false": E, "an error": E, "no boolean": E},
}


def _verdict(text: str) -> object:
    truth = cel.compile(text).truth(BINDINGS)
    return E if isinstance(truth, cel.CelError) else truth


@pytest.mark.parametrize("operator", ["&&", "||"])
@pytest.mark.parametrize("left", OPERANDS)
@pytest.mark.parametrize("right", OPERANDS)
def test_logic_follows_the_truth_table_with_errors(operator: str, left: str, right: str) -> None:
    table = AND if operator == "&&" else OR
    assert table[left][right] == _verdict(f"{OPERANDS[left]} {operator} {OPERANDS[right]}")
    assert table[left][right] == table[right][left]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("e.x && t && f", F),
        ("e.x || f || t", T),
        ("(e.x && t) || t", T),
        ("!(e.x && f)", T),
        ("!e.x", E),
        ("e.x ? t : t", E),
        ("n ? t : t", E),
        ("(e.x ? t : t) || t", T),
        ("l.all(i, 1 / i >= 0)", E),
        ("l.all(i, 1 / i > 5)", F),
        ("l.exists(i, 1 / i == 1)", T),
        ("l.exists(i, 1 / i == 9)", E),
        ("l.exists(i, i)", E),
        ("l.all(i, (i / 0 == 1 && f) || t)", T),
        ("l.exists_one(i, 1 / i == 1)", E),
        ("l.filter(i, 1 / i == 1) == [1]", E),
        ("l.map(i, 1 / i) == []", E),
        ("n.all(i, t) || t", T),
        ("n.all(i, t)", E),
    ],
)
def test_errors_are_absorbed_where_the_language_says_and_nowhere_else(
    text: str, expected: object
) -> None:
    assert _verdict(text) == expected


def test_the_first_error_is_the_one_that_is_told() -> None:
    truth = cel.compile("e.first && e.second").truth(BINDINGS)
    assert isinstance(truth, cel.CelError)
    assert truth.message == "no such key: 'first'"
