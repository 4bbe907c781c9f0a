"""Regular expressions to trees: the syntax of RE2 but for Unicode classes.

There are no back references and no looking around, so that an automaton can answer in time linear
in the text (Thompson 1968; Cox, "Regular Expression Matching Can Be Simple And Fast", 2007).
"""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache
from operator import itemgetter

import msgspec

from engine.core.cel.limits import NESTING_MAX, PATTERN_LENGTH_MAX

REPEAT_MAX = 1_000
"""The largest number in `{n,m}`, as in RE2."""


class PatternError(ValueError):
    """A text that is not a regular expression, or one past a limit."""


class Chars(msgspec.Struct, frozen=True):
    """One character out of ranges of code points, or out of all others.

    The ranges are in order and apart from each other (`_united`).
    """

    ranges: tuple[tuple[int, int], ...]
    negated: bool = False
    any_case: bool = False

    def has(self, char: str) -> bool:
        """Whether a character is one of these. O(log ranges)."""
        ranges = self.ranges
        for code in _forms_of(char) if self.any_case else (ord(char),):
            place = bisect_left(ranges, code, key=_HIGH)
            if place < len(ranges) and ranges[place][0] <= code:
                return not self.negated
        return self.negated


class Boundary(msgspec.Struct, frozen=True):
    """A place between characters: `^ $` of a line, `A z` of the text, `b B` of a word."""

    what: str


class Sequence(msgspec.Struct, frozen=True):
    """One after the other; none is the empty text."""

    parts: tuple[Shape, ...]


class Alternatives(msgspec.Struct, frozen=True):
    """Any one of these."""

    parts: tuple[Shape, ...]


class Repeat(msgspec.Struct, frozen=True):
    """At least `least` times, at most `most` times; None is without end."""

    part: Shape
    least: int
    most: int | None


Shape = Chars | Boundary | Sequence | Alternatives | Repeat

_DIGITS = ((48, 57),)
_WORD = ((48, 57), (65, 90), (95, 95), (97, 122))
_SPACE = ((9, 10), (12, 13), (32, 32))
_CLASSES = {"d": _DIGITS, "w": _WORD, "s": _SPACE}
_POSIX = {
    "alnum": ((48, 57), (65, 90), (97, 122)),
    "alpha": ((65, 90), (97, 122)),
    "digit": _DIGITS,
    "lower": ((97, 122),),
    "punct": ((33, 47), (58, 64), (91, 96), (123, 126)),
    "space": ((9, 13), (32, 32)),
    "upper": ((65, 90),),
    "word": _WORD,
    "xdigit": ((48, 57), (65, 70), (97, 102)),
}
_CONTROLS = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_NEWLINE = ((10, 10),)
_CODE_POINTS_MAX = 0x10FFFF
_FORMS_KEPT_MAX = 4_096
_HIGH = itemgetter(1)
_END = ""


def parse_pattern(text: str) -> Shape:
    """The tree of a regular expression. O(length).

    Raises:
        PatternError: What was expected and what was found, with the position from 1.
    """
    if len(text) > PATTERN_LENGTH_MAX:
        raise PatternError(f"longer than {PATTERN_LENGTH_MAX} characters")
    parser = _PatternParser(text)
    shape = parser.alternatives()
    if parser.char != _END:
        raise parser.expected("the end or another character")
    return shape


class _PatternParser:
    """A cursor over the text; `flags` are those of the group that it is in."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._flags: frozenset[str] = frozenset()

    @property
    def char(self) -> str:
        return self._text[self._at : self._at + 1]

    def expected(self, what: str) -> PatternError:
        found = f"`{self.char}`" if self.char else "the end"
        return PatternError(f"expected {what}, found {found} at {self._at + 1}")

    def _taken(self, text: str) -> bool:
        if not self._text.startswith(text, self._at):
            return False
        self._at += len(text)
        return True

    def _until(self, end: str, what: str) -> str:
        stop = self._text.find(end, self._at)
        if stop < 0:
            self._at = len(self._text)
            raise self.expected(f"`{end}` to end {what}")
        inner = self._text[self._at : stop]
        self._at = stop + len(end)
        return inner

    def alternatives(self) -> Shape:
        self._depth += 1
        if self._depth > NESTING_MAX:
            raise PatternError(f"groups nest deeper than {NESTING_MAX}")
        parts = [self._sequence()]
        while self._taken("|"):
            parts.append(self._sequence())
        self._depth -= 1
        return parts[0] if len(parts) == 1 else Alternatives(tuple(parts))

    def _sequence(self) -> Shape:
        parts: list[Shape] = []
        while self.char not in {_END, "|", ")"}:
            parts.append(self._repeated(self._atom()))
        return Sequence(tuple(parts))

    def _repeated(self, part: Shape) -> Shape:
        bounds = self._bounds()
        if bounds is None:
            return part
        # Which match is preferred (`*?`) does not matter to whether there is one.
        self._taken("?")
        if self.char in {"*", "+", "?"} and self.char != _END:
            raise self.expected("one repetition at a time")
        return Repeat(part, *bounds)

    def _bounds(self) -> tuple[int, int | None] | None:
        for sign, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._taken(sign):
                return bounds
        stop = self._text.find("}", self._at)
        least, comma, most = self._text[self._at + 1 : max(stop, 0)].partition(",")
        if self.char != "{" or not _is_count(least) or not (most == "" or _is_count(most)):
            return None
        self._at = stop + 1
        last = int(least) if not comma else int(most) if most else None
        if int(least) > REPEAT_MAX or (last is not None and not int(least) <= last <= REPEAT_MAX):
            raise PatternError(f"a repetition is from 0 to {REPEAT_MAX}, the lesser number first")
        return int(least), last

    def _atom(self) -> Shape:
        char = self.char
        self._at += 1
        match char:
            case "(":
                return self._group()
            case "[":
                return self._class()
            case "\\":
                return self._escaped()
            case ".":
                return Chars((), negated=True) if "s" in self._flags else Chars(_NEWLINE, True)
            case "^" | "$":
                lines = "m" in self._flags
                return Boundary(char if lines else {"^": "A", "$": "z"}[char])
            case "*" | "+" | "?":
                self._at -= 1
                raise self.expected("something to repeat")
            case _:
                return self._chars(((ord(char), ord(char)),))

    def _chars(self, ranges: tuple[tuple[int, int], ...], *, negated: bool = False) -> Chars:
        return Chars(_united(ranges), negated, "i" in self._flags)

    def _group(self) -> Shape:
        flags = self._flags
        if self._taken("?P<") or (not self._looks_behind() and self._taken("?<")):
            if not self._until(">", "the name").isidentifier():
                raise self.expected("a name for the group")
        elif self._taken("?") and not self._flagged():
            return Sequence(())
        shape = self.alternatives()
        if not self._taken(")"):
            raise self.expected("`)`")
        self._flags = flags
        return shape

    def _looks_behind(self) -> bool:
        return self._text[self._at : self._at + 3] in {"?<=", "?<!"}

    def _flagged(self) -> bool:
        """Take `i:`, `i-s:` or `i)`, whose flags hold to the group's end; whether `:` came."""
        start = self._at
        while self.char not in {_END, ":", ")"}:
            self._at += 1
        flags = self._text[start : self._at]
        if not set(flags) <= set("imsU-") or self.char == _END:
            self._at = start
            raise self.expected("`:` or a flag out of i, m, s (there is no looking around)")
        on, _, off = flags.partition("-")
        self._flags = (self._flags | set(on)) - set(off)
        return self._taken(":") or not self._taken(")")

    def _escaped(self) -> Shape:
        char = self.char
        self._at += 1
        if char.lower() in _CLASSES and char != _END:
            return self._chars(_CLASSES[char.lower()], negated=char.isupper())
        if char in {"A", "z", "b", "B"}:
            return Boundary(char)
        self._at -= 1
        code = self._escaped_code()
        return self._chars(((code, code),))

    def _escaped_code(self) -> int:
        char = self.char
        self._at += 1
        if char in _CONTROLS:
            return _CONTROLS[char]
        if char == "x":
            return self._hexadecimal()
        if char == _END or (char.isalnum() and char.isascii()):
            self._at -= 1
            raise self.expected("a known escape after `\\`")
        return ord(char)

    def _hexadecimal(self) -> int:
        if self._taken("{"):
            digits = self._until("}", "the code point")
        else:
            digits = self._text[self._at : self._at + 2]
            self._at += 2
        if not digits or not set(digits.lower()) <= set("0123456789abcdef"):
            raise self.expected("hexadecimal digits")
        code = int(digits, 16)
        if code > _CODE_POINTS_MAX:
            raise self.expected("a code point")
        return code

    def _class(self) -> Shape:
        negated = self._taken("^")
        ranges: list[tuple[int, int]] = []
        while not ranges or self.char != "]":
            if self.char == _END:
                raise self.expected("`]`")
            ranges.extend(self._class_item())
        self._at += 1
        return self._chars(tuple(ranges), negated=negated)

    def _class_item(self) -> tuple[tuple[int, int], ...]:
        if self._taken("[:"):
            name = self._until(":]", "the class")
            if name.removeprefix("^") not in _POSIX:
                raise self.expected("a known class such as [:alpha:]")
            return _others(_POSIX[name[1:]]) if name.startswith("^") else _POSIX[name]
        kind = self._text[self._at + 1 : self._at + 2]
        if self.char == "\\" and kind and kind.lower() in _CLASSES:
            self._at += 2
            ranges = _CLASSES[kind.lower()]
            return _others(ranges) if kind.isupper() else ranges
        low = high = self._class_char()
        if self.char == "-" and self._text[self._at + 1 : self._at + 2] not in {"]", _END}:
            self._at += 1
            high = self._class_char()
        if high < low:
            raise self.expected("a range from low to high")
        return ((low, high),)

    def _class_char(self) -> int:
        if self._taken("\\"):
            return self._escaped_code()
        char = self.char
        if char == _END:
            raise self.expected("`]`")
        self._at += 1
        return ord(char)


@lru_cache(_FORMS_KEPT_MAX)
def _forms_of(char: str) -> tuple[int, ...]:
    """A character's code points in either case; what two characters make in the other is none."""
    lower, upper = char.lower(), char.upper()
    forms = (char, lower, upper, upper.lower(), lower.upper())
    return tuple({ord(form) for form in forms if len(form) == 1})


def _united(ranges: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """The same code points in ranges that are in order and apart. O(ranges log ranges)."""
    united: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if united and low <= united[-1][1] + 1:
            united[-1] = united[-1][0], max(high, united[-1][1])
        else:
            united.append((low, high))
    return tuple(united)


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(REPEAT_MAX))


def _others(ranges: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """All code points outside of ranges in ascending order."""
    starts = (0, *(high + 1 for _, high in ranges))
    ends = (*(low - 1 for low, _ in ranges), _CODE_POINTS_MAX)
    return tuple((low, high) for low, high in zip(starts, ends, strict=True) if low <= high)
