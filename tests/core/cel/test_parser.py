from __future__ import annotations

import pytest

from engine.core import cel


def _fault(text: str) -> cel.CelSyntaxError:
    with pytest.raises(cel.CelSyntaxError) as raised:
        cel.compile(text)
    return raised.value


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("", 1, 1, "expected a value, found the end of the expression"),
        ("a >", 1, 4, "expected a value, found the end of the expression"),
        ("a b", 1, 3, "expected an operator or the end of the expression, found `b`"),
        ("a &&\n  (b", 2, 5, "expected `)` or an operator, found the end of the expression"),
        ("a.", 1, 3, "expected a field name after `.`, found the end of the expression"),
        ("a.true", 1, 3, "expected a field name after `.`, found `true`"),
        ("a[1", 1, 4, "expected `]`, found the end of the expression"),
        ("f(a b)", 1, 5, "expected `,` or `)`, found `b`"),
        ("{'a' 1}", 1, 6, "expected `:` and the value of this key, found `1`"),
        ("a ? b", 1, 6, "expected `:` and what else the value is, found the end of the expression"),
        ("while > 1", 1, 1, "expected a value, found `while`"),
        ("'abc", 1, 1, "expected ' to end the string, found no end"),
        ("x == 'a\nb'", 1, 6, "expected ' to end the string, found no end"),
        ("'a\\qb'", 1, 3, "expected an escape such as \\n or \\u00e9, found \\q"),
        ("'\\ud800'", 1, 2, "expected a code point, found \\ud800"),
        ("9223372036854775808", 1, 1, "expected an integer of 64 bits, found 9223372036854775808"),
        ("12ab", 1, 3, "expected the number to end, found 'a'"),
        ("1u", 1, 2, "expected a signed number, found an unsigned one"),
        ("b'x'", 1, 1, "expected a string, found bytes, which are not known"),
        ("x # y", 1, 3, "expected a value, a name or an operator, found `#`"),
        ("[1, , 2]", 1, 5, "expected a value, found `,`"),
        ("a ? b ? c : d : e", 1, 7, "expected `:` and what else the value is, found `?`"),
    ],
)
def test_a_fault_is_told_with_its_place_and_what_was_expected(
    text: str, line: int, column: int, message: str
) -> None:
    fault = _fault(text)
    assert (fault.line, fault.column, fault.message) == (line, column, message)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("a = 1", "compare with `==`"),
        ("a and b", "write `&&`"),
        ("a or b", "write `||`"),
        ("a & b", "write `&&`"),
        ("a not b", "write `!`"),
        ("not a", "write `!`"),
        ("a is null", "write `==`"),
        ("a === 1", "compare with `==`"),
        ("a !== 1", "write `!=`"),
        ("a =! 1", "write `!=`"),
        ("a => 1", "write `>=`"),
        ("a <> 1", "write `!=`"),
        ("a ≥ 1", "write `>=`"),
        ("a | b", "write `||`"),
        ("a; b", "a condition is one expression: join its parts with `&&` or `||`"),
        ("# a", "a comment begins with `//`"),
        ("“a” == b", 'write straight quotes: "text"'),
        ("a > 20,5", "a list is written in [ ], and a number with a point: 20.5"),
        ("a in ('b', 'c')", "a list is written in [ ], and a number with a point: 20.5"),
        ("a > 20.", "write 20.0"),
        ("a == 'b", "close it in the same line"),
        ("if a then b", "write `condition ? value : other`"),
        ("while > 1", "`while` is a reserved word"),
    ],
)
def test_a_habit_from_other_languages_is_met_with_the_right_form(text: str, hint: str) -> None:
    assert _fault(text).hint == hint


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3 - 4 / 2", 5),
        ("(1 + 2) * 3", 9),
        ("7 - 3 - 2", 2),
        ("-2 + 3", 1),
        ("1 - -1", 2),
        ("--1", 1),
        ("---1", -1),
        ("1 < 2 == true", True),
        ("true || false && false", True),
        ("!true || true", True),
        ("false ? 1 : false ? 2 : 3", 3),
        ("(true ? false : true) ? 1 : 2", 2),
        ("1 in [1] && !(2 in [1])", True),
        ("[1, 2,][1]", 2),
        ("{'a': 1,}.a", 1),
        ("1 // one\n + 1", 2),
        ("{'in': 1, 'x-y': 2}.`x-y`", 2),
        (".5 + 1e1", 10.5),
        ("0xff", 255),
        (r"r'\n'", "\\n"),
        (r"R'''a'b'''", "a'b"),
        ("'''a\nb'''", "a\nb"),
        (r"'\x41\u00e9\U0001F431\101\'\?'", "Aé🐱A'?"),
        ("-9223372036854775808", -(2**63)),
        ("[1, 2].map(x, .y)", [7, 7]),
    ],
)
def test_the_grammar_groups_and_reads_as_the_language_says(text: str, value: object) -> None:
    assert cel.compile(text).evaluate({"y": 7}) == value


@pytest.mark.parametrize("text", ["(" * 33 + "1" + ")" * 33, "[" * 40 + "]" * 40, "f(" * 40])
def test_what_nests_too_deep_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(cel.CelCheckError, match="nested deeper than 32") as raised:
        cel.compile(text)
    assert raised.value.line == 1
    assert raised.value.column > 30


def test_what_is_too_long_is_refused_before_it_is_read() -> None:
    assert "at most 16384 characters" in _fault("'" + "a" * 20_000 + "'").message


@pytest.mark.parametrize(
    "text", ["1" + " + 1" * 101, "a" + ".b" * 101, "a" + "[0]" * 101, "true ? 1 : " * 101 + "2"]
)
def test_a_chain_too_high_is_refused(text: str) -> None:
    with pytest.raises(cel.CelCheckError, match="more than 100 operations deep"):
        cel.compile(text)


def test_a_wide_condition_is_no_deep_one() -> None:
    text = " || ".join(f"x == {number}" for number in range(2, 1000))
    assert cel.compile(text).truth({"x": 999}) is True


@pytest.mark.parametrize(
    ("opening", "closing", "times"),
    [
        ("(", ")", 32),
        ("(f || t && 1 <= 2 + 3 * size([", "]) && t)", 10),
        ("[1].all(e, ", ")", 32),
        ("{1: [", "][0]}[1]", 16),
        ("(t ? ", " : f)", 32),
        ("!(!(", "))", 16),
    ],
)
def test_the_deepest_nesting_allowed_compiles_and_evaluates(
    opening: str, closing: str, times: int
) -> None:
    program = cel.compile(opening * times + "t" + closing * times)
    assert program.truth({"t": True, "f": False}) is True
    assert isinstance(program.truth({"f": False}), cel.CelError)
