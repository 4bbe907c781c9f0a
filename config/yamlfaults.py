"""What a person is told about a text that is no YAML: what stands there, and what would be right.

libyaml says what its scanner was at ("while scanning for the next token found character that
cannot start any token"); here that is turned into what was written and how to write it instead.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import yaml

_NO_YAML: Final = "not YAML: "
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
"""What libyaml, which counts the lines, takes for the end of one."""
_INDENT_TAB = re.compile(r" *(?:- *)*\t")
_ENTRY = re.compile(r"\s*(?:- +)*([\w.-]+):\s+(\S.*)")
_SPECIAL: Final = frozenset("!&*@`%|>?,[]{}")
_PAIR = re.compile(r":(?:\s|$)")
_SHOWN_MAX: Final = 60


class Told(NamedTuple):
    """A fault: its line from 1, what is wrong, what would be right."""

    line: int
    message: str
    hint: str


class _At(NamedTuple):
    """Where the parser stopped: line and column from 0, that line, and what it was busy with."""

    row: int
    column: int
    lines: list[str]
    problem: str
    context: str
    opened: tuple[int, int] | None

    @property
    def text(self) -> str:
        return self.lines[self.row] if self.row < len(self.lines) else ""

    @property
    def char(self) -> str:
        return self.text[self.column : self.column + 1]


def syntax_told(text: str, error: yaml.MarkedYAMLError) -> Told:
    """What is wrong with a text that the parser refused. O(text)."""
    mark = error.problem_mark or error.context_mark
    opened = error.context_mark
    at = _At(
        mark.line if mark else 0,
        mark.column if mark else 0,
        _BREAK.split(text),
        error.problem or "",
        error.context or "",
        (opened.line, opened.column) if opened else None,
    )
    told = _tab(at) or _unclosed(at) or _pairs(at) or _indented(at) or _special(at)
    if told is None:
        message = " ".join(part for part in (at.context, at.problem) if part)
        told = Told(at.row + 1, message, "check indentation and quotes")
    return told._replace(message=_NO_YAML + told.message)


def character_told(text: str, position: int, character: int | str | bytes) -> Told:
    """A character that no YAML may have. O(text)."""
    code = character if isinstance(character, int) else ord(character)
    before = text[: max(position, 0)]
    column = len(before) - before.rfind("\n")
    message = f"{_NO_YAML}the control character U+{code:04X} in column {column}"
    return Told(before.count("\n") + 1, message, "remove that character")


def _tab(at: _At) -> Told | None:
    if at.char != "\t" and "tab character" not in at.problem:
        return None
    more = sum(1 for line in at.lines[at.row + 1 :] if _INDENT_TAB.match(line))
    further = f", and {more} more line{'s' * (more > 1)} with one" if more else ""
    hint = "YAML indents with spaces alone: write spaces in its place"
    return Told(at.row + 1, f"a tab in column {at.column + 1}{further}", hint)


def _unclosed(at: _At) -> Told | None:
    if at.opened is None:
        return None
    row, column = at.opened
    if "quoted scalar" in at.context and "end of stream" in at.problem:
        message = f"the quote in column {column + 1} is never closed"
        return Told(row + 1, message, "close it; one of the same kind inside is doubled")
    if at.context in {"while parsing a flow sequence", "while parsing a flow mapping"}:
        first, last = ("[", "]") if "sequence" in at.context else ("{", "}")
        message = (
            f"expected `,` or `{last}` in column {at.column + 1}, since `{first}` was opened in "
            f"line {row + 1}, column {column + 1}"
        )
        return Told(at.row + 1, message, "close it; a value that has , : or brackets needs quotes")
    return None


def _pairs(at: _At) -> Told | None:
    """A colon too many, or none."""
    if "could not find expected ':'" in at.problem and at.opened is not None:
        return _no_pair(at.opened[0] + 1)
    if "mapping values are not allowed" not in at.problem:
        return None
    if _PAIR.search(at.text[: at.column]):
        message = f"a second `: ` in one line, in column {at.column + 1}"
        return Told(at.row + 1, message, "put the value in quotes: description: 'a: b'")
    above = next((row for row in range(at.row - 1, -1, -1) if at.lines[row].strip()), None)
    if above is not None and _indent(at.lines[above]) >= _indent(at.text):
        return _no_pair(above + 1)
    message = "this line is indented deeper than the line above, which has a value already"
    return Told(at.row + 1, message, "align it with the keys of its map")


def _no_pair(line: int) -> Told:
    return Told(line, "expected `key: value`", "write a colon and a space after the key")


def _indented(at: _At) -> Told | None:
    line = at.row + 1
    if "expected '-' indicator" in at.problem:
        message = "expected an item of the list above, which begins with `- `"
        return Told(line, message, "begin it with `- `, or indent it under the item that it is of")
    if "did not find expected key" not in at.problem:
        return None
    if at.text[: at.column].strip():
        message = f"text behind the end of a value, in column {at.column + 1}"
        return Told(line, message, "put all of the value in quotes; a quote inside is doubled")
    if at.char == "-":
        hint = "indent it under the key that it is a list of"
        return Told(line, "expected a key, found an item of a list", hint)
    return Told(line, "the indentation fits no line above", "align it with the keys of its map")


def _special(at: _At) -> Told | None:
    """A value that begins with what means something else in YAML."""
    if "escape character" in at.problem:
        hint = "double the backslash, or write the value in single quotes"
        message = f"a backslash in double quotes in column {at.column + 1} that means nothing"
        return Told(at.row + 1, message, hint)
    row = at.opened[0] if at.opened is not None else at.row
    entry = _ENTRY.fullmatch(at.lines[row]) if row < len(at.lines) else None
    if entry is not None and entry[2][0] in _SPECIAL:
        key, value = entry[1], entry[2].rstrip().replace("'", "''")
        quoted = f"{key}: '{value}'" if len(value) <= _SHOWN_MAX else f"{key}: '…'"
        return Told(row + 1, f"a value that begins with `{entry[2][0]}`", f"quote it: {quoted}")
    if at.char and "cannot start" in at.problem:
        message = f"`{at.char}` in column {at.column + 1} begins nothing"
        return Told(at.row + 1, message, "put the value in quotes")
    return None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
