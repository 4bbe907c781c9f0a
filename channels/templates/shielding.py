"""Liquid inside markup, kept out of the hands of those who rewrite the markup.

A template's HTML or MJML is compiled once, as it is loaded, with its Liquid still in it. A compiler
knows nothing of Liquid: it would move a tag between two table rows before the table, and end an
attribute at a quote inside `{{ … }}`. So each piece of Liquid becomes a word that means nothing to
it, and comes back when it is done, with the line that it was written on.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

_LIQUID: Final = re.compile(
    r"\{%-?\s*(?P<verbatim>raw|comment|doc)\b.*?\{%-?\s*end(?P=verbatim)\s*-?%\}"
    r"|\{\{.*?\}\}|\{%.*?%\}",
    re.DOTALL,
)
MARKUP: Final = re.compile(
    r"<!--.*?(?:-->|\Z)"
    r"|<[!?][^>]*>"
    r"""|<(?P<end>/?)(?P<tag>[a-zA-Z][\w-]*)(?P<attributes>(?:[^<>"']|"[^"]*"|'[^']*')*+)>""",
    re.DOTALL,
)
"""A comment, a declaration, or a tag, of markup without Liquid."""

VERBATIM: Final = frozenset({"style", "script", "title", "textarea"})
"""Elements whose content is text to a browser, comments in it too (HTML, 13.1.2)."""


class Lines(msgspec.Struct, frozen=True):
    """Which line of the file a place in a compiled text comes from.

    Attributes:
        places: Where each piece of Liquid begins in the compiled text, in ascending order.
        lines: The lines of the file on which they are written, from 1.
    """

    places: tuple[int, ...]
    lines: tuple[int, ...]

    def at(self, text: str, index: int) -> int:
        """The line for a place in or behind a piece of Liquid. O(log pieces + distance)."""
        found = bisect_right(self.places, index) - 1
        if found < 0:
            return self.lines[0] if self.lines else 1
        return self.lines[found] + text.count("\n", self.places[found], index)


class Shielded:
    """A text whose pieces of Liquid are words. O(text).

    Args:
        source: A template's body.
        first_line: The line of the file on which it begins.

    Attributes:
        text: The body with words for Liquid.
        head: What of it comes before any markup: Liquid that a template begins with.
        pieces: What each word stands for.
    """

    def __init__(self, source: str, first_line: int) -> None:
        self._prefix = _prefix(source)
        self.pieces: list[str] = []
        self._lines: list[int] = []
        self._places: list[int] = []
        parts: list[str] = []
        end = line = made = 0
        for found in _LIQUID.finditer(source):
            plain = source[end : found.start()]
            line += plain.count("\n")
            word = self._word(len(self.pieces))
            self.pieces.append(found[0])
            self._lines.append(first_line + line)
            self._places.append(made + len(plain))
            line += found[0].count("\n")
            parts += (plain, word)
            made += len(plain) + len(word)
            end = found.end()
        self.text = "".join(parts) + source[end:]
        self._first_line = first_line
        first = MARKUP.search(self.text)
        self.head = self.text[: first.start()] if first is not None else ""
        self._pattern = re.compile(rf"{self._prefix}(\d+)z", re.IGNORECASE)

    def line_at(self, index: int) -> int:
        """The line of the file that a place in `text` comes from. O(text)."""
        found = bisect_right(self._places, index) - 1
        if found < 0:
            return self._first_line + self.text.count("\n", 0, index)
        within = self.pieces[found].count("\n")
        return self._lines[found] + within + self.text.count("\n", self._places[found], index)

    def line_of_text(self, text: str, index: int) -> int:
        """As `line_at`, for a place in what `wrapped` gave: it has the same lines. O(text)."""
        number = self.head.count("\n") + text.count("\n", 0, index)
        place = 0
        for _ in range(number):
            place = self.text.find("\n", place) + 1
        return self.line_at(place)

    def line_of(self, number: int) -> int:
        """The line of a piece."""
        return self._lines[number]

    def wrapped(self, wrap: Callable[[str, list[str]], str]) -> tuple[str, set[int]]:
        """The text behind the head, with words between tags as `wrap` gives them, and which.

        `wrap` is given the word and the names of the elements that are open around it, outermost
        first. Words inside tags and comments stay as they are.
        """
        parts: list[str] = []
        around: list[str] = []
        between: set[int] = set()
        text = self.text[len(self.head) :]
        end = 0

        def lay(some: str) -> str:
            between.update(int(found[1]) for found in self._pattern.finditer(some))
            return self._pattern.sub(lambda found: wrap(found[0], around), some)

        for markup in MARKUP.finditer(text):
            if around and around[-1] in VERBATIM and markup["tag"] != around[-1]:
                continue
            parts += (lay(text[end : markup.start()]), markup[0])
            end = markup.end()
            if markup["tag"] is not None:
                follow(around, markup)
        parts.append(lay(text[end:]))
        return "".join(parts), between

    def restored(self, compiled: str) -> tuple[str, Lines, set[int]]:
        """A compiled text with its Liquid again, where its lines come from, and the pieces in it.

        A word that became a comment, an element's whole text or an attribute is taken back whole.
        """
        pattern = re.compile(
            rf"<!--{self._prefix}(\d+)z-->|{self._prefix}(\d+)z(?:=\"\")?", re.IGNORECASE
        )
        parts: list[str] = []
        places: list[int] = []
        lines: list[int] = []
        seen: set[int] = set()
        end = made = 0
        for found in pattern.finditer(compiled):
            number = int(found[1] or found[2])
            plain, piece = compiled[end : found.start()], self.pieces[number]
            seen.add(number)
            places.append(made + len(plain))
            lines.append(self._lines[number])
            parts += (plain, piece)
            made += len(plain) + len(piece)
            end = found.end()
        return "".join(parts) + compiled[end:], Lines(tuple(places), tuple(lines)), seen

    def words(self, text: str) -> tuple[str, str]:
        """The words that a text made of these begins with, and the rest of it."""
        word = rf"(?:<!--)?({self._prefix}\d+z)(?:-->)?"
        found = re.match(rf"(?:\s|{word})*", text, re.IGNORECASE)
        assert found is not None
        return "".join(re.findall(word, found[0], re.IGNORECASE)), text[found.end() :]

    def has_any(self, text: str) -> bool:
        """Whether a text of these words has Liquid."""
        return self._pattern.search(text) is not None

    def has_tags(self, text: str) -> bool:
        """Whether a text of these words has Liquid that is more than a value."""
        numbers = (int(found[1]) for found in self._pattern.finditer(text))
        return any(self.pieces[number].startswith("{%") for number in numbers)

    def _word(self, number: int) -> str:
        return f"{self._prefix}{number}z"


def follow(around: list[str], markup: re.Match[str]) -> None:
    """Have `around` as it is behind a tag: elements without an end open nothing."""
    tag = markup["tag"].lower()
    if markup["end"]:
        if tag in around:
            while around.pop() != tag:
                pass
    elif tag not in VOID and not markup["attributes"].endswith("/"):
        around.append(tag)


VOID: Final = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source"}
    | {"track", "wbr"}
)
"""Elements that have no end (HTML, 13.1.2)."""


def _prefix(source: str) -> str:
    """Letters that the text does not have: compilers may make them small."""
    small, prefix = source.lower(), "lq"
    while prefix in small:
        prefix += "x"
    return prefix
