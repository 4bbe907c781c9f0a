from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from engine.core.cel import compile as compile_cel
from engine.core.cel.checked import Constant, Local, within
from engine.core.cel.fragments import Fragments
from tests.core.cel.expressions import CONDITIONS


def told(text: str) -> list[str]:
    """The words of each part, the whole first, without constants."""
    tree = compile_cel(text).tree
    fragments = Fragments(text)
    parts: list[Any] = [part for part in within(tree) if not isinstance(part, Constant | Local)]
    return [fragments.of(part) for part in parts]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a && (b || c) && d", ["a && (b || c) && d", "a", "b || c", "b", "c", "d"]),
        ("(x + 1) > 2", ["(x + 1) > 2", "x + 1", "x"]),
        ("-5 < user.x", ["-5 < user.x", "user.x", "user"]),
        ("!(q) || - 5 < -x", ["!(q) || - 5 < -x", "!(q)", "q", "- 5 < -x", "-x", "x"]),
        ("((a)) == ((b))", ["((a)) == ((b))", "a", "b"]),
        ("a ? (b) : c", ["a ? (b) : c", "a", "b", "c"]),
        ("l[i + 1].size() > 2", ["l[i + 1].size() > 2", "l[i + 1].size()", "l[i + 1]", "l",
          "i + 1", "i"]),
        ('idle( "3m" )', ['idle( "3m" )']),
        ('count("A", "1d", e, (e.x + 1) > 2) >= 3', None),
        ("type(x) == google.protobuf.Timestamp", None),
        ('{"a": x}.a in [1, 2]', ['{"a": x}.a in [1, 2]', '{"a": x}.a', '{"a": x}', "x", "[1, 2]"]),
        ("a // why not\n   && b", ["a && b", "a", "b"]),
        ('s == ")" && t', ['s == ")" && t', 's == ")"', "s", "t"]),
    ],
)  # fmt: skip
def test_the_words_of_a_part_are_those_that_were_written(
    text: str, parts: list[str] | None
) -> None:
    said = told(text)
    assert said[0] == (parts[0] if parts else text)
    if parts is not None:
        assert said == parts


def bare(tree: Any) -> Any:
    """A tree without the places of its nodes."""
    if isinstance(tree, tuple):
        return tuple(map(bare, tree))
    if isinstance(tree, msgspec.Struct):
        said = msgspec.structs.asdict(tree)
        said.pop("at", None)
        said.pop("level", None)  # within another macro it is another one
        return (type(tree), *map(bare, said.values()))
    return tree


def has_local(tree: Any) -> bool:
    return any(isinstance(part, Local) for part in within(tree))


@settings(max_examples=60)
@given(CONDITIONS)
def test_the_words_of_a_part_compile_to_that_part(text: str) -> None:
    fragments = Fragments(text)
    for part in within(compile_cel(text).tree):
        if not has_local(part):
            words = fragments.of(part)  # type: ignore[arg-type]
            again = compile_cel(words).tree
            while bare(again) != bare(part) and words.startswith("!"):
                words = words[1:].lstrip()  # of `!!a` both have the place of the first
                again = compile_cel(words).tree
            assert bare(again) == bare(part)
