"""What a shop test expects beside what happened: what belongs together, and what differs.

For each user the two are aligned as a longest common subsequence (Wagner and Fischer 1974), where
an expectation, which says a part, and a thing that happened are the same if nothing that it says
is otherwise. What is left between two that match is paired by likeness, so that one wrong word is
told as that word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from channels.rendering import Rendered
from channels.templates.plaintext import plain_text
from config.expected import worth
from config.schema import EXPECT_FIELDS, EXPECT_TEXTS, SAYS
from engine.core.effects import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from config import Expected

Mark: TypeAlias = Literal["", "-", "+"]

LIKE_MIN = 2
"""How many of its words an expectation must share with what happened to be told beside it."""

_TEXT_SHOWN_MAX = 100
_READ_SHOWN_MAX = 300

_HTML = frozenset({"email", "in_app"})


class Happened(msgspec.Struct, frozen=True):
    """One thing that happened: its record, and the message as it was rendered, if it is one."""

    record: Record
    rendered: Rendered | None = None

    def text(self, part: str) -> str:
        """A part of the message, with one space for each run of white space; "" without it."""
        if self.rendered is None:
            return ""
        text = self.rendered.body if part == "body" else self.rendered.front.get(part, "")
        return " ".join(text.split())

    def reading(self, part: str) -> str:
        """The same as somebody reads it: of HTML, its text."""
        text = self.text(part)
        is_html = part == "body" and self.record.channel in _HTML
        return " ".join(plain_text(text).split()) if is_html else text


class Aligned(msgspec.Struct, frozen=True):
    """One line of a comparison.

    Attributes:
        mark: Nothing where it is as expected, or nobody asked; `-` was expected and did not happen,
            `+` happened and was not expected.
        at_ms: When; None for an expectation that does not say.
        user_id: To whom.
        said: In the words of a test file, what it is first.
        line: Of the expectation in its file; 0 where there is none.
        differs: What of the expectation above it is otherwise.
    """

    mark: Mark
    at_ms: int | None
    user_id: str
    said: dict[str, str]
    line: int = 0
    differs: tuple[str, ...] = ()


_Placed: TypeAlias = tuple[int, Aligned]
"""A line, and the instant at which it is told."""


def align(
    expected: Sequence[Expected], happened: Sequence[Happened], *, nothing: bool = False
) -> list[Aligned]:
    """Both in order of time, marked. O(expected * happened) for each user.

    Args:
        expected: In order of time for each user.
        happened: Likewise. A message that is sent and not expected is marked; anything else that is
            not expected is not.
        nothing: Nothing was to happen: all of it is marked.
    """
    if nothing:
        return [_as_line("+", one) for one in happened]
    users = dict.fromkeys(
        [*(one.record.user_id for one in happened), *(one.user_id for one in expected)]
    )
    placed: list[_Placed] = []
    for user_id in users:
        placed += _align_one(
            [one for one in expected if one.user_id == user_id],
            [one for one in happened if one.record.user_id == user_id],
        )
    placed.sort(key=lambda pair: pair[0])
    return [line for _, line in placed]


def _align_one(expected: list[Expected], happened: list[Happened]) -> Iterator[_Placed]:
    """The lines of one user, in the order of both."""
    matched = [*_matched(expected, happened), (len(expected), len(happened))]
    told = seen = last_at_ms = 0
    for place, at in matched:
        for at_ms, line in _between(expected[told:place], happened[seen:at], last_at_ms):
            last_at_ms = at_ms
            yield at_ms, line
        if place < len(expected):
            last_at_ms = happened[at].record.at_ms
            yield last_at_ms, _as_line("", happened[at], expected[place].line)
        told, seen = place + 1, at + 1


def _matched(expected: list[Expected], happened: list[Happened]) -> list[tuple[int, int]]:
    """Which expectations what happened meets, as many as can be, the earliest first."""
    rows, columns = len(expected), len(happened)
    lengths = [[0] * (columns + 1) for _ in range(rows + 1)]
    for row in reversed(range(rows)):
        for column in reversed(range(columns)):
            lengths[row][column] = (
                lengths[row + 1][column + 1] + 1
                if not differences(expected[row], happened[column])
                else max(lengths[row + 1][column], lengths[row][column + 1])
            )
    pairs = []
    row = column = 0
    while row < rows and column < columns:
        if not differences(expected[row], happened[column]):
            pairs.append((row, column))
            row, column = row + 1, column + 1
        elif lengths[row + 1][column] > lengths[row][column + 1]:
            row += 1
        else:
            column += 1
    return pairs


def _between(
    missing: list[Expected], happened: list[Happened], last_at_ms: int
) -> Iterator[_Placed]:
    """What lies between two that match: expectations not met, each beside what is most like it."""
    beside: dict[int, Expected] = {}
    alone: list[Expected] = []
    for one in missing:
        free = [place for place in range(len(happened)) if place not in beside]
        place = max(free, key=lambda at: _likeness(one, happened[at]), default=-1)
        if place >= 0 and _likeness(one, happened[place]) >= LIKE_MIN:
            beside[place] = one
        else:
            alone.append(one)
    lines = [(last_at_ms if one.at_ms is None else one.at_ms, _as_missing(one)) for one in alone]
    for place, found in enumerate(happened):
        at_ms = found.record.at_ms
        meant = beside.get(place)
        if meant is not None:
            lines.append((at_ms, _as_missing(meant)))
            lines.append((at_ms, _as_line("+", found, 0, differences(meant, found))))
        else:
            lines.append((at_ms, _as_line("+" if found.record.kind == "sent" else "", found)))
    lines.sort(key=lambda pair: pair[0])
    return iter(lines)


def differences(expected: Expected, happened: Happened) -> tuple[str, ...]:
    """What of an expectation is otherwise in something that happened; empty: it is met.

    The time is no part of what is told: it stands at the head of both lines.
    """
    record = happened.record
    told = [] if record.kind == expected.kind else [f"is {record.kind}, not {expected.kind}"]
    if expected.at_ms is not None and expected.at_ms != record.at_ms:
        told.append("is at another time")
    for name, text in expected.fields.items():
        found = _field(record, name)
        if found != text:
            told.append(f"{name} is {found!r}, not {text!r}")
    for name, texts in expected.texts.items():
        found, read = happened.text(name), happened.reading(name)
        said = (" ".join(text.split()) for text in texts)
        told += [
            f"{name} does not hold {text!r}: it is {_short(read, _READ_SHOWN_MAX)!r}"
            for text in said
            if text not in found and text not in read
        ]
    return tuple(told)


def _likeness(expected: Expected, happened: Happened) -> int:
    """How many words of an expectation are met."""
    words = 2 + len(expected.fields) + len(expected.texts)
    return words - len(differences(expected, happened)) - (expected.at_ms is None)


def _as_missing(one: Expected) -> Aligned:
    said = {one.kind: one.fields[SAYS[one.kind]]}
    said |= {name: text for name, text in one.fields.items() if name != SAYS[one.kind]}
    said |= {name: ", ".join(texts) for name, texts in one.texts.items()}
    return Aligned("-", one.at_ms, one.user_id, said, one.line)


def _as_line(mark: Mark, one: Happened, line: int = 0, differs: Iterable[str] = ()) -> Aligned:
    record = one.record
    first = SAYS[record.kind]
    said: dict[str, str] = {record.kind: _field(record, first)}
    for name in EXPECT_FIELDS:
        if name != first and (text := _field(record, name)):
            said[name] = text
    for name in EXPECT_TEXTS:
        if name != "body" and record.kind == "sent" and (text := one.text(name)):
            said[name] = _short(text)
    return Aligned(mark, record.at_ms, record.user_id, said, line, tuple(differs))


def _field(record: Record, name: str) -> str:
    """A field as a test asks for it; the way that a split took is its variant."""
    if name == "branch":
        return record.branch or record.variant
    if name == "value":
        return "" if record.value is None else worth(record.value)
    return str(getattr(record, name))


def _short(text: str, most: int = _TEXT_SHOWN_MAX) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
