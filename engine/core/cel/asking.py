"""The functions of history: how each is called, and what it gives.

What a condition needs of a user's past must be known before it is asked, so that the rest need not
be kept: names, properties and windows are written out in the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from engine.core.cel.checked import Kind
from engine.core.cel.tree import Call, Literal, Name, Tree
from engine.core.cel.values import is_duration_text
from engine.core.durations import DurationError, parse_duration_ms

if TYPE_CHECKING:
    from collections.abc import Callable

    Tell = Callable[..., None]
    """Takes a fault: its offset, a message and a hint."""

MOMENT = "@"
"""The variable that programs with such functions read: a `Moment`."""

PREDICATE_NAMES = frozenset({"event", "user"})
"""The variables that the condition on a counted event may read."""


class Question(msgspec.Struct, frozen=True):
    """How a function of history is called.

    Attributes:
        subject: What its first argument names; "" where there is none.
        field: Whether a property is named behind it.
        window: Whether the window must be there, may be there or (None) may not.
        predicate: Whether a name for the counted event and a condition on it may follow.
        kind: What it gives.
        example: A call of it.
    """

    subject: str
    kind: Kind
    example: str
    field: bool = False
    window: bool | None = False
    predicate: bool = False


_COUNTED = '"Product Viewed", "24h", e, e.price > 10.0'
_SUMMED = '"Order Completed", "total", "30d"'

QUESTIONS: dict[str, Question] = {
    "count": Question("an event", Kind.INT, f"count({_COUNTED})", predicate=True),
    "did": Question("an event", Kind.BOOL, f"did({_COUNTED})", predicate=True),
    **{
        name: Question("an event", Kind.DOUBLE, f"{name}({_SUMMED})", field=True)
        for name in ("sum", "avg", "min", "max")
    },
    "distinct": Question(
        "an event", Kind.INT, 'distinct("Product Viewed", "product_id", "7d")', field=True
    ),
    "since": Question("an event", Kind.DURATION, 'since("Cart Viewed")', window=None),
    "last": Question("an event", Kind.MAP, 'last("Order Completed").total', window=None),
    "first": Question("an event", Kind.MAP, 'first("Signed Up").plan', window=None),
    "idle": Question("", Kind.BOOL, 'idle("30m")', window=True),
    "received": Question("a channel or campaign", Kind.INT, 'received("email", "7d")'),
    "in_segment": Question("a segment", Kind.BOOL, 'in_segment("vip")', window=None),
    "score": Question("a model", Kind.DOUBLE, 'score("churn")', window=None),
    "visits": Question("", Kind.INT, 'visits("7d")', window=False),
}
"""By name. Which of them an expression may call is said by its `Scope`."""


ASKED_AS = {"visits": ("count", "Session Started")}
"""Functions that are another one, of an event that the engine makes."""


class Arguments(msgspec.Struct):
    """The arguments of a call, told apart; the condition on counted events is not checked yet."""

    name: str = ""
    field: str = ""
    window_ms: int | None = None
    variable: str = ""
    predicate: Tree | None = None


def read_arguments(tree: Call, tell: Tell) -> Arguments:
    """Tell the arguments of a call of one of `QUESTIONS` apart; `tell` takes what does not fit."""
    question = QUESTIONS[tree.function]
    hint = f"write it like {question.example}"
    rest = list(tree.arguments)
    read = Arguments()
    if question.subject:
        read.name = _text(tree, rest, question.subject, tell, hint)
    if question.field:
        read.field = _text(tree, rest, "a property", tell, hint)
        if not rest and is_duration_text(read.field):
            tell(tree.at, f"{tree.function}() wants a property before its window", hint=hint)
            read.field = ""
    if question.predicate and len(rest) > 1:
        read.predicate = rest.pop()
        variable = rest.pop()
        if isinstance(variable, Name) and not variable.absolute:
            read.variable = variable.name
        else:
            read.predicate = None
            what = "wants a name for the counted event before the condition on it"
            tell(variable.at, f"{tree.function}() {what}", hint=hint)
    if rest and question.window is not None:
        read.window_ms = _window_ms(tree, rest.pop(0), tell, hint)
    elif question.window:
        tell(tree.at, f"{tree.function}() wants a window", hint=hint)
    if rest:
        tell(rest[0].at, f"{tree.function}() takes no more than that", hint=hint)
    return read


def _text(tree: Call, rest: list[Tree], what: str, tell: Tell, hint: str) -> str:
    if not rest:
        tell(tree.at, f"{tree.function}() wants {what}", hint=hint)
        return ""
    given = rest.pop(0)
    if not isinstance(given, Literal) or not isinstance(given.value, str):
        known = f"wants {what} as a text in quotes, known before it is asked"
        tell(given.at, f"{tree.function}() {known}", hint=hint)
        return ""
    if not given.value or not given.value.isprintable():
        tell(given.at, f"{given.value!r} names nothing", hint=hint)
    return given.value


def _window_ms(tree: Call, given: Tree, tell: Tell, hint: str) -> int | None:
    if not isinstance(given, Literal) or not isinstance(given.value, str):
        known = "wants its window as a text in quotes, known before it is asked"
        tell(given.at, f"{tree.function}() {known}", hint=hint)
        return None
    try:
        window_ms = parse_duration_ms(given.value)
    except DurationError as error:
        tell(given.at, error.message, hint=error.hint or hint)
        return None
    if not window_ms:
        tell(given.at, f"nothing is in a window of {given.value}", hint=hint)
    return window_ms
