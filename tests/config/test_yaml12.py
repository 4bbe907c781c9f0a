from __future__ import annotations

import json
import string

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from config.yaml12 import (
    DEPTH_MAX,
    NODES_MAX,
    Mapping,
    Scalar,
    YamlFault,
    compose,
    place_within,
    plain,
    resolve,
)

TEXTS = """
on off yes no y n On NO 1:30 12:30:45 012 007 0b1 1_000 0x 0o8 +.5.5 1.2.3 - . e5 1e nUll tRue
2026-01-31 2026-01-31T08:00:00Z 00.5 -012 0x_1 << = .Nan +.nan 5%
"""


@pytest.mark.parametrize("text", TEXTS.split())
def test_what_the_core_schema_does_not_name_is_text(text: str) -> None:
    assert resolve(text) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("NULL", None),
        ("true", True),
        ("FALSE", False),
        ("0", 0),
        ("-0", 0),
        ("+12", 12),
        ("0o14", 12),
        ("0xfF", 255),
        ("1.", 1.0),
        (".5", 0.5),
        ("-1.5e3", -1500.0),
        ("1e3", 1000.0),
        ("0.5", 0.5),
        (".inf", float("inf")),
        ("-.INF", float("-inf")),
    ],
)
def test_a_plain_scalar_means_what_the_core_schema_says(text: str, value: object) -> None:
    resolved = resolve(text)
    assert (resolved, type(resolved)) == (value, type(value))


def test_not_a_number_is_a_number() -> None:
    value = resolve(".nan")
    assert isinstance(value, float)
    assert value != value  # noqa: PLR0124 - that is how to ask


def test_a_number_of_a_thousand_digits_is_text() -> None:
    assert resolve("9" * 5000) == "9" * 5000


def test_quotes_make_text_of_anything() -> None:
    node, _ = compose('["1", \'true\', "", ! 5, !!str null]')
    assert plain(node) == ["1", "true", "", "5", "null"]


def test_the_tags_of_the_core_schema_hold_for_what_they_say() -> None:
    node, _ = compose("[!!int 5, !!float 5, !!bool true, !!null ~, !!seq [], !!map {}]")
    assert plain(node) == [5, 5, True, None, [], {}]


@pytest.mark.parametrize("text", ["!!int five", "!!set {a}", "!mine 5", "!!python/none", "!!seq x"])
def test_any_other_tag_is_a_fault(text: str) -> None:
    with pytest.raises(YamlFault, match="the tag"):
        compose(f"a:\n  {text}")


def test_keys_are_text_whatever_they_look_like() -> None:
    node, _ = compose("{1: a, true: b, ~: c, 1.50: d}")
    assert plain(node) == {"1": "a", "true": "b", "~": "c", "1.50": "d"}


def test_each_value_knows_its_line() -> None:
    node, _ = compose("a: 1\nb:\n  - x\n\n  - {c: y}\nd: |\n  z\n")
    assert isinstance(node, Mapping)
    assert node.lines == {"a": 1, "b": 2, "d": 6}
    b = plain(node)
    assert b == {"a": 1, "b": ["x", {"c": "y"}], "d": "z\n"}


def test_a_key_that_stands_twice_is_told_with_both_lines() -> None:
    _, twice = compose("a: 1\nb: {c: 1,\n  c: 2}\na: 3\n")
    assert [(fault.line, fault.message) for fault in twice] == [
        (3, "c stands twice in one map, first in line 2"),
        (4, "a stands twice in one map, first in line 1"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "empty"),
        ("# only\n", 1, "empty"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("a: [1\nb: 2\n", 2, "not YAML"),
        ("a: b: c\n", 1, "not YAML"),
        ("a: *nobody\n", 1, "nobody names nothing"),
        ("a: &me [*me]\n", 1, "me names nothing"),
        ("? [a]\n: b\n", 1, "a key that is a list"),
        ("? {a: b}\n: b\n", 1, "a key that is a list"),
        ("a: &x [b]\n*x : c\n", 2, "a key that is a list"),
        ("a: \x07\n", 1, "not YAML"),
        ("a: 1\nb: \x07\n", 2, "not YAML"),
        ("a: \ud800\n", 1, "UTF-8"),
        ("b: 1\na: '\n\n", 2, "not YAML"),
        ("a:\n  " + "[" * (DEPTH_MAX + 1), 2, "nested"),
        ("a:\n  " + "- " * (DEPTH_MAX + 1), 2, "nested"),
        ("a:\n" + " [\n" * 100_000, DEPTH_MAX + 1, "nested"),
        ("- x\n" * (NODES_MAX + 1), NODES_MAX, "more than"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_cannot_be_taken_is_told_with_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(YamlFault, match=message) as caught:
        compose(text)
    assert caught.value.line == line


def test_aliases_count_as_what_they_stand_for() -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(YamlFault, match="more than 20000 values"):
        compose("\n".join(levels))
    node, _ = compose("\n".join(levels[:3]))
    assert node.weight > 1110


def test_an_alias_is_the_value_it_names() -> None:
    node, _ = compose("a: &x {b: 1}\nc: *x\n&k d: 2\ne: *k\n")
    assert plain(node) == {"a": {"b": 1}, "c": {"b": 1}, "d": 2, "e": "d"}


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Zl", "Zp")), max_size=12)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_json_means_the_same_as_yaml(data: object) -> None:
    node, twice = compose(json.dumps(data, ensure_ascii=False))
    assert plain(node) == data
    assert twice == []


@given(st.text(max_size=200))
@example("%YAML 1.1\n---\na: 1\n")
@example("a: !<tag:yaml.org,2002:str> 1")
def test_any_text_gives_values_or_a_fault_within_it(text: str) -> None:
    try:
        line = compose(text)[0].line
    except YamlFault as fault:
        line = fault.line
    assert 1 <= line <= len(text.splitlines()) + 2


WORDS = st.lists(
    st.text(string.ascii_letters + string.digits + "'\"\\&=.()", min_size=1, max_size=6),
    min_size=1,
    max_size=6,
)


@given(WORDS, st.sampled_from([None, "'", '"', "|", ">"]), st.sampled_from([" ", "\n", "\n\n"]))
def test_a_place_within_a_text_is_found_in_the_file(
    words: list[str], style: str | None, gap: str
) -> None:
    # A letter first: the dumper writes by YAML 1.1, where 0E0 is no number.
    value = "w" + (" " if style == '"' else gap).join(words)
    # Narrow for what is folded, wide for what would be broken by escapes.
    width = 10_000 if style == '"' else 20
    text = "first: 1\n" + yaml.dump({"a": {"b": value}}, default_style=style, width=width)
    node, _ = compose(text)
    lines = text.split("\n")
    assert isinstance(node, Mapping)
    assert plain(node) == {"first": resolve("1") if style is None else 1, "a": {"b": value}}
    inner = next(iter(node.entries["a"].entries.values()))  # type: ignore[union-attr]
    assert isinstance(inner, Scalar)
    for offset, character in enumerate(value):
        line, column = place_within(text, inner, offset)
        if character not in "\\\"' \n":
            assert lines[line - 1][column - 1] == character
