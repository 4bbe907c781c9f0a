from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.tomlplaces import key_lines, line_of

SAMPLE = r"""# a comment with [brackets] and "quotes"
top = 1
a.b.c = "x = [ { # no comment"   # a comment

[server]   # = 5
port = 8_080
"quoted key" = 'its'
list = [
  1, # one
  [2.5, 3],

  {x = 1, y.z = [1979-05-27, 07:32:00]},
]
text = '''
[not.a.table]
key = 1'''
more = QQQ
a "quoted" word \\
\"\"\" and two quotes""QQQ

[[keys.write]]
key = "a"

[keys.write.more]
deep = true

[[keys.write]]
key = "b"
  [[keys.write.origins]]
  at = "x"
  [[keys.write.origins]]
  at = "y"

[ spaced . "out" ]
x = {}
y = []
""".replace("QQQ", '"' * 3)


def leaves(data: object, path: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    children = (
        list(data.items())
        if isinstance(data, dict)
        else list(enumerate(data))
        if isinstance(data, list)
        else []
    )
    if not children:
        return {path} if path else set()
    return set().union(*(leaves(value, (*path, key)) for key, value in children))


def inner(data: object, path: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    found = {path}
    if isinstance(data, dict):
        found |= set().union(*(inner(value, (*path, key)) for key, value in data.items()))
    elif isinstance(data, list):
        found |= set().union(*(inner(value, (*path, n)) for n, value in enumerate(data)))
    return found


def agrees(text: str) -> None:
    """Each value has a line, and nothing has one that is no value."""
    data = tomllib.loads(text)
    lines = key_lines(text)
    assert leaves(data) <= set(lines)
    assert set(lines) <= inner(data)
    assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())


def test_every_key_of_a_rich_text_has_its_line() -> None:
    agrees(SAMPLE)
    lines = key_lines(SAMPLE)
    rows = SAMPLE.split("\n")
    for path, start in {
        ("top",): "top",
        ("a", "b", "c"): "a.b.c",
        ("server", "port"): "port",
        ("server", "quoted key"): '"quoted key"',
        ("server", "list", 0): "  1,",
        ("server", "list", 1, 1): "  [2.5",
        ("server", "list", 2, "y", "z"): "  {x",
        ("server", "more"): "more",
        ("keys", "write", 0, "more", "deep"): "deep",
        ("keys", "write", 1, "key"): 'key = "b"',
        ("keys", "write", 1, "origins", 1, "at"): '  at = "y"',
        ("spaced", "out", "y"): "y",
    }.items():
        assert rows[lines[path] - 1].startswith(start), path


def test_what_has_no_line_has_that_of_what_holds_it() -> None:
    lines = key_lines("[a]\nb = 1\n")
    assert line_of(lines, ("a", "b", "c", 3)) == 2
    assert line_of(lines, ("a", "missing")) == 1
    assert line_of(lines, ("nothing",)) == 1


LINES = SAMPLE.split("\n")


@given(st.lists(st.sampled_from(LINES), max_size=12))
def test_lines_of_any_valid_text_agree_with_its_values(chosen: list[str]) -> None:
    text = "\n".join(chosen)
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    agrees(text)


@pytest.mark.parametrize(
    "text", ["", "\n\n", "# x", "a = '''\n\n'''", "a=1\r\nb=2\r\n[c]\r\nd=3\r\n"]
)
def test_small_texts_agree(text: str) -> None:
    agrees(text)
