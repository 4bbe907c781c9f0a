from __future__ import annotations

import re

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from engine.core.cel import automaton
from engine.core.cel.automaton import found
from engine.core.cel.errors import CelError

_ATOMS = [
    *("a", "b", ".", "[ab]", "[^a]", r"\d", r"\w", r"\W", r"\b", "^", "x", "(a|b)", "(?:ab)"),
    *("(?i:A)", r"\n", "[a-c0-3]", r"\s", r"\.", r"[\w-]", "(?:)", "(b|)", r"\A", "(?s:.)"),
    *("(?m:^)", "(?m:$)", "[]a]", "[^]]", r"[\]a]", r"\x41", "(?P<n>a)", "{", "[a{,2}]"),
]
_PATTERNS = st.recursive(
    st.sampled_from(_ATOMS),
    lambda inner: st.one_of(
        st.builds("{}{}".format, inner, inner),
        st.builds("(?:{}|{})".format, inner, inner),
        st.builds(
            "(?:{}){}".format, inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{1,}", "*?"])
        ),
    ),
    max_leaves=6,
)


@settings(max_examples=300)
@given(_PATTERNS, st.lists(st.text("abAx1 \n.{", max_size=6), min_size=1, max_size=4))
def test_a_pattern_is_found_where_pythons_own_engine_finds_it(
    pattern: str, texts: list[str]
) -> None:
    """What it has remembered of one text holds for the next."""
    for text in texts:
        try:
            expected = re.search(pattern, text, re.ASCII) is not None
        except re.error:  # one name for two groups
            reject()
        assert found(pattern, text) is expected


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("a$", "a\n", False),
        ("(?m)a$", "a\nb", True),
        (r"\B", "", True),
        (r"a\z", "ba", True),
        ("(?i)STRASSE", "strasse", True),
        ("(?i)É", "é", True),
        ("(?i)s", "\u017f", True),
        ("(?i)s", "ß", False),
        ("(?i)i", "İ", False),
        ("(a(?i)b)c", "aBC", False),
        ("[[:alpha:]]+[[:^digit:]]", "ab", True),
        (r"[^\D]", "a", False),
        ("(a|😀){2}", "🐱😀😀", True),
        ("(?<n>a)b", "ab", True),
        ("a{,3}", "a{,3}", True),
        ("a{0}b", "b", True),
    ],
)
def test_what_python_has_otherwise_follows_re2(pattern: str, text: str, expected: bool) -> None:
    assert found(pattern, text) is expected


@pytest.mark.parametrize("pattern", ["(a*)*b", "(a|a)*b", "a*a*a*a*a*b", "(.*)(.*)(.*)(.*)x"])
def test_no_pattern_takes_more_than_linear_time(pattern: str) -> None:
    assert found(pattern, "a" * 8_000) is False


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", "expected `)`, found the end at 2"),
        ("a)", "expected the end or another character, found `)` at 2"),
        ("*", "expected something to repeat, found `*` at 1"),
        ("a**", "expected one repetition at a time, found `*` at 3"),
        ("(?=a)", "there is no looking around"),
        ("(?<!a)", "there is no looking around"),
        (r"\1", r"expected a known escape after `\`, found `1` at 2"),
        ("\\", r"expected a known escape after `\`, found the end at 2"),
        ("a{2,1}", "a repetition is from 0 to 1000"),
        ("a{1001}", "a repetition is from 0 to 1000"),
        ("[b-a]", "expected a range from low to high"),
        ("[a", "expected `]`, found the end at 3"),
        ("[[:foo:]]", "expected a known class such as [:alpha:]"),
        ("(?P<1>a)", "expected a name for the group"),
        ("(?P<a", "expected `>` to end the name, found the end at 6"),
        (r"\x{110000}", "expected a code point"),
        (r"\xg", "expected hexadecimal digits"),
        ("x" * 513, "longer than 512 characters"),
        ("(" * 33, "groups nest deeper than 32"),
        ("(a{30}){30}", "has more than 500 states"),
    ],
)
def test_what_is_no_pattern_is_refused_with_its_place(pattern: str, message: str) -> None:
    with pytest.raises(CelError) as raised:
        found(pattern, "a")
    assert message in raised.value.message


def test_a_text_too_long_to_match_is_an_error() -> None:
    with pytest.raises(CelError, match="at most 8192 characters"):
        found("a", "a" * 8_193)


def test_steps_forgotten_when_too_many_change_no_answer() -> None:
    text = "".join(chr(code) for code in range(0x4E00, 0x4E00 + 3_500))
    assert found("(一|.)*(?:.{20})x", text) is False
    assert found("(一|.)*(?:.{20})[丁-龥]", text) is True


def test_what_is_remembered_of_a_pattern_is_bounded_and_found_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(automaton, "_STEPS_KEPT_MAX", 20)
    asked = automaton.Automaton(r"\b[a-z]{3}[0-9]+x$")
    texts = ["abc1x", "ab c12x", "aabc3x", "abc12xx", "q abc9x", "\nabc1", "abc0x "] * 20
    assert [asked.found_in(text) for text in texts] == [
        re.search(r"\b[a-z]{3}[0-9]+x\Z", text) is not None for text in texts
    ]
    assert len(asked._nodes) <= 20
