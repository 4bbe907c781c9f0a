"""Conditions as trees that say themselves in CEL, and know what they mean.

The oracle's half of the tests: written from the contract alone and sharing nothing with `engine`.
Every question is answered by a search over everything that ever happened, at one instant; nothing
is kept, trimmed, armed or solved for. An error of CEL is the exception `WrongError`, caught where
the language absorbs it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

MS = 1
SECOND = 1000
UNITS = (("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000))


class WrongError(Exception):
    """What CEL calls an error."""


@dataclass(frozen=True)
class Happened:
    """One event as it was applied: when it happened, and what it said."""

    t: int
    name: str
    said: dict[str, Any]


@dataclass
class View:
    """One user at one instant.

    `events` are in order of arrival; `active` is when he last did something, None for never.
    """

    now: int
    events: list[Happened] = field(default_factory=list)
    active: int | None = None
    user: dict[str, Any] = field(default_factory=dict)
    event: dict[str, Any] = field(default_factory=dict)
    event_name: str = ""
    segments: dict[str, Any] = field(default_factory=dict)
    counted: dict[str, Any] | None = None
    score: float | None = None
    sent: list[tuple[int, str, str]] = field(default_factory=list)
    session: dict[str, Any] | None = None

    def of(self, name: str, window: int | None = None) -> list[Happened]:
        """The events of a name with `now - w < t <= now`, oldest first; as they came at one t."""
        return sorted(
            (
                one
                for one in self.events
                if one.name == name
                and one.t <= self.now
                and (window is None or self.now - window < one.t)
            ),
            key=lambda one: one.t,
        )


def holds(tree: Any, view: View) -> bool:
    """A condition that ends in an error is not true."""
    try:
        return tree.of(view) is True
    except WrongError:
        return False


def told(duration: int) -> str:
    """A duration as a shop writes it."""
    for unit, length in UNITS:
        if duration and duration % length == 0:
            return f"{duration // length}{unit}"
    return f"{duration}ms"


def quoted(text: str) -> str:
    return json.dumps(text)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def truth(tree: Any, view: View) -> bool:
    value = tree.of(view)
    if not isinstance(value, bool):
        raise WrongError
    return value


# Putting together


@dataclass(frozen=True)
class Both:
    """`a && b`: false on one side decides, whatever is wrong on the other."""

    parts: tuple[Any, ...]

    def cel(self) -> str:
        return " && ".join(f"({part.cel()})" for part in self.parts)

    def of(self, view: View) -> bool:
        return _absorbing(self.parts, view, decides=False)


@dataclass(frozen=True)
class Either:
    parts: tuple[Any, ...]

    def cel(self) -> str:
        return " || ".join(f"({part.cel()})" for part in self.parts)

    def of(self, view: View) -> bool:
        return _absorbing(self.parts, view, decides=True)


def _absorbing(parts: tuple[Any, ...], view: View, *, decides: bool) -> bool:
    wrong = False
    for part in parts:
        try:
            if truth(part, view) is decides:
                return decides
        except WrongError:
            wrong = True
    if wrong:
        raise WrongError
    return not decides


@dataclass(frozen=True)
class No:
    part: Any

    def cel(self) -> str:
        return f"!({self.part.cel()})"

    def of(self, view: View) -> bool:
        return not truth(self.part, view)


@dataclass(frozen=True)
class Choice:
    """`a ? b : c`."""

    asked: Any
    then: Any
    otherwise: Any

    def cel(self) -> str:
        return f"({self.asked.cel()}) ? ({self.then.cel()}) : ({self.otherwise.cel()})"

    def of(self, view: View) -> Any:
        return (self.then if truth(self.asked, view) else self.otherwise).of(view)


@dataclass(frozen=True)
class Compared:
    """Two values by one of `== != < <= > >=`."""

    left: Any
    by: str
    right: Any

    def cel(self) -> str:
        return f"({self.left.cel()}) {self.by} ({self.right.cel()})"

    def of(self, view: View) -> bool:
        return compare(self.left.of(view), self.by, self.right.of(view))


def compare(left: Any, by: str, right: Any) -> bool:
    alike = (is_number(left) and is_number(right)) or type(left) is type(right)
    if by == "==":
        return alike and bool(left == right)
    if by == "!=":
        return not (alike and left == right)
    if not alike or left is None:
        raise WrongError
    return bool(
        {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[by]
    )


# Values


@dataclass(frozen=True)
class Literal:
    value: Any

    def cel(self) -> str:
        return json.dumps(self.value)

    def of(self, _: View) -> Any:
        return self.value


@dataclass(frozen=True)
class Read:
    """`user.n`, `event.s`, `e.n`: a missing one is an error."""

    of_what: str
    name: str

    def cel(self) -> str:
        return f"{self.of_what}.{self.name}"

    def of(self, view: View) -> Any:
        return member(self._from(view), self.name)

    def _from(self, view: View) -> Any:
        return {"user": view.user, "event": view.event, "e": view.counted}[self.of_what]


def member(of_what: Any, name: str) -> Any:
    if not isinstance(of_what, dict) or name not in of_what:
        raise WrongError
    return of_what[name]


@dataclass(frozen=True)
class Has(Read):
    """`has(user.n)`."""

    def cel(self) -> str:
        return f"has({self.of_what}.{self.name})"

    def of(self, view: View) -> bool:
        return self.name in self._from(view)


@dataclass(frozen=True)
class EventName:
    def cel(self) -> str:
        return "event_name"

    def of(self, view: View) -> str:
        return view.event_name


@dataclass(frozen=True)
class Computed:
    """Two numbers by `+ - *`, or divided where that is cut towards zero or exact."""

    left: Any
    by: str
    right: Any

    def cel(self) -> str:
        return f"({self.left.cel()}) {self.by} ({self.right.cel()})"

    def of(self, view: View) -> Any:
        left, right = self.left.of(view), self.right.of(view)
        if not (is_number(left) and is_number(right)):
            raise WrongError
        if self.by == "/":
            if right == 0:
                raise WrongError
            if isinstance(left, int) and isinstance(right, int):
                whole = abs(left) // abs(right)
                return whole if (left < 0) == (right < 0) else -whole
            return left / right
        return {"+": left + right, "-": left - right, "*": left * right}[self.by]


# Sessions


def follow(
    user: dict[str, Any], t: int, gap: int, now: int
) -> list[tuple[str, int, dict[str, Any] | None]]:
    """What an activity at `t` makes of sessions: it goes on with one, or begins one.

    Given back are the events that are made, in order, the last one with the session that begins.
    """
    session = user["session"]
    if session is not None and t < session["ends"]:
        if not session["ended"] and t > session["active"]:
            user["session"] = {**session, "active": t, "ends": t + gap}
        return []
    made: list[tuple[str, int, dict[str, Any] | None]] = []
    if session is not None and not session["ended"]:
        user["session"] = {**session, "ended": True}
        made.append(("Session Ended", session["ends"], None))
    begun = {"start": t, "active": t, "ends": t + gap, "ended": False, "known": now,
             "first": user["active"] is None}  # fmt: skip
    return [*made, ("Session Started", t, begun)]
