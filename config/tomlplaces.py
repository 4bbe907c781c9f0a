"""Where each key of a TOML text stands: the standard library's parser does not say.

Reads a text that `tomllib` has taken (TOML 1.0), so it need not judge, only follow: headers,
dotted and quoted keys, arrays, inline tables, strings over several lines.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Path: TypeAlias = tuple[str | int, ...]
"""Keys from the root, and the number of an item in a list."""

_TOKEN = re.compile(
    r"""
    (?P<blank>[ \t\r]+|\#[^\n]*)
  | (?P<newline>\n)
  | (?P<text>"{3}(?:\\.|[^\\])*?"{3,5}(?!")|'{3}.*?'{3,5}(?!')|"(?:\\.|[^"\\\n])*"|'[^'\n]*')
  | (?P<mark>[\[\]{},=.])
  | (?P<bare>[^\s\[\]{},=."'\#]+)
    """,
    re.VERBOSE | re.DOTALL,
)


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


def line_of(lines: Mapping[Path, int], path: Path) -> int:
    """The line of a key, else of what holds it, else 1. O(length of the path)."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def told(path: Path) -> str:
    """A path as a person writes it: `guardrails.caps[1].max`."""
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).removeprefix(".")


def key_lines(text: str) -> dict[Path, int]:
    """The line (from 1) of every table, key and list item of a valid TOML text. O(text)."""
    return _Follower(text).run()


class _Follower:
    def __init__(self, text: str) -> None:
        self._tokens = [*_tokens(text), _Token("newline", "\n", text.count("\n") + 1)]
        self._at = 0
        self._lines: dict[Path, int] = {}
        self._tables: dict[Path, int] = {}

    def run(self) -> dict[Path, int]:
        prefix: Path = ()
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            if token.kind == "newline":
                self._at += 1
            elif token.text == "[" and token.kind == "mark":
                prefix = self._header()
            else:
                self._pair(prefix)
        return self._lines

    def _next(self) -> _Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _marked(self, marks: str) -> bool:
        token = self._tokens[self._at]
        return token.kind == "mark" and token.text in marks

    def _header(self) -> Path:
        line = self._next().line
        several = self._marked("[")
        self._at += several
        path: Path = ()
        names = self._names()
        for count, name in enumerate(names, start=1):
            path = (*path, name)
            self._lines.setdefault(path, line)
            if path in self._tables and not (several and count == len(names)):
                path = (*path, self._tables[path])
        if several:
            self._tables[path] = self._tables.get(path, -1) + 1
            path = (*path, self._tables[path])
        self._lines[path] = line
        self._at += 1 + several
        return path

    def _names(self) -> Path:
        names = [_name(self._next())]
        while self._marked("."):
            self._at += 1
            names.append(_name(self._next()))
        return tuple(names)

    def _pair(self, prefix: Path) -> None:
        line = self._tokens[self._at].line
        for name in self._names():
            prefix = (*prefix, name)
            self._lines.setdefault(prefix, line)
        self._at += 1
        self._value(prefix)

    def _value(self, path: Path) -> None:
        if self._marked("["):
            self._items(path)
        elif self._marked("{"):
            self._inline(path)
        else:
            while self._tokens[self._at].kind != "newline" and not self._marked(",]}"):
                self._at += 1

    def _items(self, path: Path) -> None:
        self._at += 1
        number = 0
        while not self._marked("]"):
            token = self._tokens[self._at]
            if token.kind == "newline" or self._marked(","):
                self._at += 1
                continue
            self._lines[*path, number] = token.line
            self._value((*path, number))
            number += 1
        self._at += 1

    def _inline(self, path: Path) -> None:
        self._at += 1
        while not self._marked("}"):
            if self._marked(",") or self._tokens[self._at].kind == "newline":
                self._at += 1
            else:
                self._pair(path)
        self._at += 1


def _tokens(text: str) -> list[_Token]:
    found = []
    line = 1
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "blank"
        if kind != "blank":
            found.append(_Token(kind, match.group(), line))
        line += match.group().count("\n")
    return found


def _name(token: _Token) -> str:
    if token.kind != "text":
        return token.text
    return str(tomllib.loads(f"name = {token.text}")["name"])
