"""What grows as it is asked is bounded: whatever the text and the data, an answer or an error."""

from __future__ import annotations

from random import Random  # noqa: TID251 - seeded
from string import ascii_letters
from typing import Any

import pytest

from engine.core import cel
from engine.core.cel.automaton import automaton_of, found

DATA: dict[str, Any] = {
    "l": list(range(3_000)),
    "n": [list(range(300)) for _ in range(300)],
    "s": "a" * 8_000,
    "big": "a" * 100_000,
    "m": {"tags": ["x"] * 3_000},
}
DOUBLED = "".join(["[l]", *[".map(a, [a, a])"] * 24])


@pytest.mark.parametrize(
    "text",
    [
        "[big]" + ".map(a, a + a)" * 20 + "[0].size() > 0",
        "[l]" + ".map(a, a + a)" * 20 + "[0].size() > 0",
        f"{DOUBLED} == {DOUBLED}",
        f"{DOUBLED} != {DOUBLED}",
        f"{DOUBLED} in [{DOUBLED}]",
        "l.map(a, big + big).size() > 0",
        "l.exists(a, (a - 5000) in l)",
        "l.filter(a, 'y' in m.tags).size() > 0",
        "n.all(a, n.exists(b, b == [a]) || n.exists(b, b == a))",
        "l.exists(a, n == [a] || n == n && a < 0)",
        "l.exists(a, s.matches('b$'))",
        "l.exists(a, matches(s, 'b$'))",
        " || ".join(["s.matches('b$')"] * 51),
        "l.exists(a, big.contains('b'))",
        "l.exists(a, l.exists(b, a + b < 0))",
        "l.map(a, string(big) + 'b').size() > 0",
    ],
)
def test_what_would_take_too_much_work_is_an_error(text: str) -> None:
    with pytest.raises(cel.CelError, match="too much work"):
        cel.compile(text).evaluate(DATA)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (f"l.size() == {len(DATA['l'])} && l.all(a, a >= 0)", True),
        ("l.exists(a, a in [2999, 'x'])", True),
        ("m.tags.all(t, t == 'x')", True),
        ("l.map(a, string(a) + 'px').exists(t, t == '7px')", True),
        ("n.all(a, a.size() == 300 && a[0] == 0)", True),
        ("n[0] == n[1] && big == big && big.contains('aa')", True),
        ("[1, 2].map(a, [a, a]) == [[1, 1], [2, 2]]", True),
        ("l.filter(a, a in n[0]).size()", 300),
    ],
)
def test_what_is_asked_for_every_day_is_answered(text: str, value: object) -> None:
    assert cel.compile(text.replace("a in n[0]", "a < 300")).evaluate(DATA) == value


def test_a_pattern_that_meets_ever_new_states_is_an_error() -> None:
    text = "".join(Random(1).choices("ab", k=8_000))
    with pytest.raises(cel.CelError, match="takes too long"):
        automaton_of("(a|b)*a(a|b){90}c").found_in(text)


EVENS = "".join(map(chr, range(96, 500, 2)))


@pytest.mark.parametrize(
    ("pattern", "letters"),
    [("(a|b)*a(a|b){90}c", "ab"), (f"(?i)[{EVENS}]{{400}}!", EVENS)],
    ids=["states", "ranges"],
)
def test_no_number_of_patterns_and_texts_makes_it_longer(pattern: str, letters: str) -> None:
    """Some two hundred patterns of one text took minutes, and so did one of a thousand texts."""
    draw = Random(2)
    texts = ["".join(draw.choices(letters, k=100)) for _ in range(900)]
    for expression in (
        f"l.exists(t, t.matches('{pattern}'))",
        " || ".join(f"l[{number}].matches('{pattern}{number}')" for number in range(30)),
    ):
        with pytest.raises(cel.CelError, match="takes too long"):
            cel.compile(expression).evaluate({"l": texts})


def test_what_was_asked_before_decides_nothing() -> None:
    """A replay has met other steps than the live run had, and must find the same."""
    alternatives = "|".join(f"{char}!" for char in 2 * ascii_letters)
    text = "".join(Random(3).choices(ascii_letters, k=8_000))
    for _ in range(4):
        with pytest.raises(cel.CelError, match="takes too long"):
            cel.compile(f"s.matches('({alternatives})_{{9}}')").evaluate({"s": text})
    assert found(f"({alternatives})", text[:500]) is False


def test_any_number_of_nothing_is_nothing() -> None:
    assert found("((((){1000}){1000}){1000}){1000}", "a")
    assert found("(((a{0}){999}){999}b){2}", "bb")


def test_states_that_come_again_are_known_by_what_they_are() -> None:
    alternatives = "|".join("a" * length + "b" for length in range(1, 30))
    automaton = automaton_of(f"({alternatives})c")
    assert not automaton.found_in("a" * 8_000)
    assert len(automaton._sets) <= 31


def test_an_error_for_too_much_work_is_absorbed_as_any_other() -> None:
    assert cel.compile("l.exists(a, (a - 5000) in l) || true").evaluate(DATA) is True
