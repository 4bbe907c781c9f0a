from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.yaml12 import YamlFault, compose


def fault(text: str) -> YamlFault:
    with pytest.raises(YamlFault) as caught:
        compose(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a:\n\tb: 1\n", 2, "a tab in column 1"),
        ("a: 1\n\tb: 2\n", 2, "a tab in column 1"),
        ("a: |\n  x\n\ty\n", 3, "a tab in column 1"),
        ("a:\n\tb: 1\n\tc: 2\n  \td: 2\n", 2, "a tab in column 1, and 2 more lines with one"),
        ("a:\n  -\tb: 1\n  \tc: 2\n", 2, "a tab in column 4, and 1 more line with one"),
    ],
)
def test_a_tab_is_told_with_its_line_column_and_what_to_do(
    text: str, line: int, message: str
) -> None:
    told = fault(text)
    assert (told.line, told.message) == (line, f"not YAML: {message}")
    assert told.hint == "YAML indents with spaces alone: write spaces in its place"


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ("a: @x\n", 1, "a value that begins with `@`", "quote it: a: '@x'"),
        ("b: 1\nwhen: !(x > 1)\n", 2, "a value that begins with `!`", "quote it: when: '!(x > 1)'"),
        ("- when: &a && 'b'\n", 1, "begins with `&`", "quote it: when: '&a && ''b'''"),
        (f"a: @{'x' * 99}\n", 1, "begins with `@`", "quote it: a: '…'"),
        ("when: !(a)\n", 1, "the tag !(a)", "begins with ! needs quotes"),
        ("when: *a\n", 1, "*a names nothing", "begins with * needs quotes"),
        ("a: {{ x }}\n", 1, "a key that is a list or map", "needs quotes, like '{{ x }}'"),
        ("a: b: c\n", 1, "a second `: ` in one line, in column 5", "put the value in quotes"),
        ("a:\n  b: 1\n   c: 2\n", 3, "indented deeper than the line above", "align it"),
        ("a:\n  b: 1\n c: 2\n", 3, "the indentation fits no line above", "align it"),
        ("b: 1\na: 'x\nc: 1\n", 2, "the quote in column 4 is never closed", "close it"),
        ("a: 'it's'\n", 1, "text behind the end of a value, in column 8", "a quote inside is"),
        ("a: [1, 2\nb: 1\n", 2, "since `[` was opened in line 1, column 4", "close it"),
        ("a: {x: 1\nb: 2\n", 2, "expected `,` or `}` in column 2", "close it"),
        ("key:value\nx: 1\n", 1, "expected `key: value`", "a colon and a space"),
        ("a: 1\nb\nc: 2", 2, "expected `key: value`", "a colon and a space"),
        ("- a\nb: 1\n", 2, "expected an item of the list above", "begin it with `- `"),
        ("a: 1\n- b\n", 2, "expected a key, found an item of a list", "indent it under the key"),
        ('a: "\\q"\n', 1, "a backslash in double quotes in column 5", "double the backslash"),
        ("a: \x07b\n", 1, "the control character U+0007 in column 4", "remove that character"),
        ("", 1, "the file is empty", "write something"),
        ("# x\n", 1, "the file is empty", "write something"),
    ],
)
def test_what_is_no_yaml_is_told_by_what_stands_there(
    text: str, line: int, message: str, hint: str
) -> None:
    told = fault(text)
    assert told.line == line
    assert message in told.message
    assert hint in told.hint


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_counted_whatever_ends_them(end: str) -> None:
    assert fault(end.join(["a: 1", "b:", "\tc: 1", ""])).line == 3


@given(st.text("ab:- \t\n'\"[]{},!&*@|>#%?\\\r\x85\ufeff", max_size=40))
def test_every_fault_is_in_one_of_the_lines_and_says_what_to_do(text: str) -> None:
    told = None
    try:
        compose(text)
    except YamlFault as error:
        told = error
    if told is not None:
        assert 1 <= told.line <= len(text.splitlines()) + 1
        assert told.message
        assert told.hint
