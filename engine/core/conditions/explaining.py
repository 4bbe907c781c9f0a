"""Why a condition is true or not: its parts, each with what it comes to and until when that holds.

Each part is asked as the engine asks the whole: its value is that of the compiled expression, and
until when it holds is what `Solution` says of it. There is no other reckoning in here, so that what
is told cannot differ from what was decided.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from math import isfinite
from typing import TYPE_CHECKING, Any

import msgspec

from engine.core.cel import CelCheckError, CelError, Kind, Program, TypeValue
from engine.core.cel.checked import (
    Apply,
    Asked,
    Checked,
    Choice,
    Comprehension,
    Constant,
    Field,
    Local,
    Logic,
    Operate,
    TypeName,
    Variable,
    parts,
    within,
)
from engine.core.cel.fragments import Fragments
from engine.core.cel.moments import GETTERS
from engine.core.conditions.atoms import MOMENT
from engine.core.conditions.bindings import bind_more
from engine.core.conditions.moment import Moment
from engine.core.conditions.solving import Solution
from engine.core.durations import format_duration
from engine.core.history import sent_name
from engine.core.inputs import EMPTY
from engine.core.instants import INSTANT_MAX_MS, format_instant
from engine.core.state import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.core.conditions.condition import Condition
    from engine.core.plan import Plan
    from engine.core.state import User
    from engine.core.turn import Turn

EVENTS_TOLD = 5
"""Events behind a part that are told, the newest."""

_NOT_OF_EVENTS = frozenset({"idle", "in_segment", "score", "visits"})


class Behind(msgspec.Struct, frozen=True):
    """An event behind a part: its name, and its instant in ISO 8601.

    `event` is "message" for one that was sent, and "activity" for what the user did last.
    """

    event: str
    at: str


class Part(msgspec.Struct, omit_defaults=True):
    """A part of a condition, at one instant.

    Attributes:
        text: Its words.
        value: What it comes to, as JSON; null where that is an error.
        error: The error's words.
        until: The first instant at which it may become another by time alone, as the engine reckons
            with it (of what is not true: at which it may become true); "" where time alone does
            nothing, or none is known.
        operator: What joins `parts`: `&&`, `||`, `!`, `?:`, `==`, `!=`; "" where they are only
            what it asks for.
        events: The newest of the events that it counts, newest first.
        parts: What it is made of.
    """

    text: str
    value: Any
    error: str = ""
    until: str = ""
    operator: str = ""
    events: list[Behind] = []
    parts: list[Part] = []


def explain(turn: Turn, asked: Program | Condition) -> Part:
    """A condition as a tree, asked of the turn's user at its instant, with the event at hand.

    O(parts * what asking costs): each part is compiled anew.
    """
    program = asked if isinstance(asked, Program) else asked.program
    bound = dict(turn.bindings(asked))
    bound.setdefault(MOMENT, Moment(turn.user, turn.now_ms, turn.plan))
    return _Asking(turn.plan, turn.user, turn.now_ms, set()).part(program, bound)


def because(part: Part) -> list[Part]:
    """The parts for which a condition is not true: those that would have to be otherwise."""
    if part.operator == "&&":
        return [one for inner in part.parts if inner.value is not True for one in because(inner)]
    if part.operator == "||":
        return [one for inner in part.parts for one in because(inner)]
    return [part]


def told_instant(at_ms: int) -> str:
    """An instant in ISO 8601; "" for none, and for one that ISO 8601 has no words for."""
    return format_instant(at_ms) if 0 < at_ms <= INSTANT_MAX_MS else ""


class _Asking:
    """One user at one instant; each segment is taken apart once."""

    def __init__(self, plan: Plan, user: User, now_ms: int, shown: set[str]) -> None:
        self._plan = plan
        self._user = user
        self._now_ms = now_ms
        self._shown = shown

    def part(self, program: Program, bound: dict[str, Any]) -> Part:
        return _Telling(self, program.text, bound).condition(program.tree)

    def segment(self, segment: str) -> list[Part]:
        """What a segment's condition is made of, asked as `Moment.in_segment` asks it."""
        if segment in self._shown:
            return []
        self._shown.add(segment)
        condition = self._plan.segments[segment]
        bound: dict[str, Any] = {"user": self._user.traits}
        collections = self._plan.collections
        bind_more(bound, condition.names, EMPTY, self._now_ms, self._user, collections)
        bound[MOMENT] = Moment(self._user, self._now_ms, self._plan)
        return [self.part(condition.program, bound)]

    def last_seen(self) -> list[Behind]:
        at_ms = self._user.last_seen_at_ms
        return [Behind("activity", format_instant(at_ms))] if at_ms else []


class _Telling:
    """The parts of one text."""

    def __init__(self, asking: _Asking, text: str, bound: dict[str, Any]) -> None:
        self._asking = asking
        self._text = text
        self._bound = bound
        self._moment: Moment = bound[MOMENT]
        self._fragments = Fragments(text)

    def condition(self, tree: Checked) -> Part:
        """A part that is true or not."""
        value = Program(self._text, tree, frozenset()).truth(self._bound)
        error = value.message if isinstance(value, CelError) else ""
        part = Part(self._fragments.of(tree), None if error else value, error)
        part.until = self._until(tree)
        part.operator, joined = _joined(tree)
        if part.operator:
            part.parts = [self.condition(one) for one in joined if not isinstance(one, Constant)]
        elif isinstance(tree, Asked):
            self._add_what_is_behind(part, tree)
        elif not _is_name(tree):
            part.parts = [self._operand(one) for one in _asked_for(tree)]
        return part

    def _operand(self, tree: Checked) -> Part:
        """A part of any value."""
        self._moment.until_ms = NEVER
        part = Part(self._fragments.of(tree), None)
        try:
            part.value = told_value(Program(self._text, tree, frozenset()).evaluate(self._bound))
        except CelError as error:
            part.error = error.message
        if isinstance(tree, Asked):
            if tree.function != "since":  # which is another one at each millisecond
                part.until = told_instant(self._moment.until_ms)
            self._add_what_is_behind(part, tree)
        return part

    def _until(self, tree: Checked) -> str:
        try:
            _, until_ms = Solution(tree, self._text).solve(self._bound)
        except CelCheckError:
            return ""  # asked as an event arrives, where it may change at any millisecond
        return told_instant(until_ms)

    def _add_what_is_behind(self, part: Part, asked: Asked) -> None:
        if asked.function == "in_segment":
            part.operator = "segment"
            part.parts = self._asking.segment(asked.name)
        elif asked.function == "idle":
            part.events = self._asking.last_seen()
        elif asked.function not in _NOT_OF_EVENTS:
            part.events = list(self._events(asked))

    def _events(self, asked: Asked) -> Iterator[Behind]:
        """The newest events that a function of history finds, through the history itself."""
        sent = asked.function == "received"
        name = sent_name(asked.name) if sent else asked.name
        since_ms = -1 if asked.window_ms is None else self._moment.now_ms - asked.window_ms
        for n in range(1, EVENTS_TOLD + 1):
            # The method takes how many where the others take a window.
            changed = {"function": "nth_newest", "name": name, "window_ms": n, "field": ""}
            nth = msgspec.structs.replace(asked, kind=Kind.ANY, **changed)
            try:
                at_ms: Any = Program(self._text, nth, frozenset({MOMENT})).evaluate(self._bound)
            except CelError:
                return
            if at_ms is None or at_ms <= since_ms:
                return
            yield Behind("message" if sent else name, format_instant(at_ms))


def told_value(value: object) -> Any:  # noqa: ANN401, PLR0911 - any JSON value; one return a kind
    """A value of the language as JSON: instants in ISO 8601, durations as the shop writes them."""
    match value:
        case datetime():
            return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case timedelta():
            ms = value // timedelta(milliseconds=1)
            return format_duration(ms) if ms >= 0 else f"-{format_duration(-ms)}"
        case float() if not isfinite(value):  # JSON has no form for it
            return str(value)
        case list():
            return [told_value(one) for one in value]
        case dict():
            return {str(told_value(key)): told_value(one) for key, one in value.items()}
        case TypeValue():
            return value.name
        case _:
            return value


def _joined(tree: Checked) -> tuple[str, tuple[Checked, ...]]:
    """What joins the conditions that a condition is made of, and those."""
    match tree:
        case Logic(_, operator, parts):
            return operator, parts
        case Operate(_, "!", (operand,)):
            return "!", (operand,)
        case Choice(_, condition, then, otherwise):
            return "?:", (condition, then, otherwise)
        case Operate(_, "==" | "!=" as operator, (left, right)):
            are_truths = left.kind is Kind.BOOL and right.kind is Kind.BOOL
            return (operator, (left, right)) if are_truths else ("", ())
        case _:
            return "", ()


def _asked_for(tree: Checked) -> Iterator[Checked]:
    """What a part asks for: the names with their fields, and the questions to history."""
    if _is_name(tree) or isinstance(tree, Asked):
        yield tree
    elif isinstance(tree, Comprehension):
        yield from _asked_for(tree.over)
    elif not isinstance(tree, Constant | TypeName | Local):
        for part in parts(tree):
            yield from _asked_for(part)


def _is_name(tree: Checked) -> bool:
    match tree:
        case Variable():
            return True
        case Field(_, operand, _):
            return _is_name(operand)
        case Apply(_, function, (Variable(_, "now"), *_)):
            return function in GETTERS
        case Operate(_, "[]", (operand, key)):
            return _is_name(operand) and not any(isinstance(one, Local) for one in within(key))
        case _:
            return False
