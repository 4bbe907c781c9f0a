"""The parts of a condition that are no `&&`, `||`, `!` or `?:`, and until when each holds."""

from __future__ import annotations

import enum
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from engine.core.calendar import BOUNDARIES, next_boundary_ms
from engine.core.cel import CelError, Kind, Program
from engine.core.cel.checked import (
    Apply,
    Asked,
    Constant,
    Local,
    Operate,
    Variable,
    parts,
    within,
)
from engine.core.cel.errors import check_error
from engine.core.cel.moments import GETTERS, to_duration
from engine.core.conditions.touches import touches_of
from engine.core.state import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from engine.core.cel.checked import Checked
    from engine.core.conditions.solving import Bound, Solve
    from engine.core.conditions.touches import Touches

    Answer: TypeAlias = Callable[[Bound], tuple[object, int]]
    """The value of an atom, and the first instant at which that may change by itself."""

MOMENT: Final = "@"
"""The binding of the `Moment` that history functions ask."""

_US: Final = timedelta(microseconds=1)
_MIRRORED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_LIMITED: Final = {"now": "compare `now` with an instant, or ask for a part of it: now.getHours()"}
_SINCE_HINT: Final = 'compare since() with a duration: since("Cart Viewed") >= "30m"'


class Directions(enum.Flag):
    """What time alone can do to an atom."""

    NONE = 0
    RISE = 1
    FALL = 2
    BOTH = 3


_RISES_BY: Final = {">": Directions.RISE, ">=": Directions.RISE}
_FALLS_BY: Final = {"<": Directions.FALL, "<=": Directions.FALL}
_TURNED: Final = {Directions.RISE: Directions.FALL, Directions.FALL: Directions.RISE}


def atom(tree: Checked, text: str, *, want: bool) -> tuple[Solve, Directions]:
    """How to ask whether an atom is definitely `want`, and what time can do to that.

    Raises CelCheckError where it may change at any millisecond.
    """
    if isinstance(tree, Asked) and tree.function == "idle":
        return _idle(tree.window_ms or 0, want=want)
    if (plain := _plainly_counted(tree, want=want)) is not None:
        return plain
    answer, directions = _counted(tree, text) or _met(tree, text) or _recorded(tree, text)

    def solve(bound: Bound) -> tuple[bool, int]:
        value, until_ms = answer(bound)
        if value is not True and value is not False:
            bound[MOMENT].failed = True
        return value is want, until_ms

    return solve, directions if want else _TURNED.get(directions, directions)


def raised_by(tree: Checked, *, want: bool) -> Touches:
    """What can make an atom be definitely `want`, time aside: one more event makes none fewer.

    Unless it takes the place of one that a predicate would count: only so many are kept of a name.
    """
    touches = touches_of(tree)
    asked, least, at_least = _threshold(tree)
    if asked is not None and asked.predicate is None and least >= 1 and at_least is not want:
        return msgspec.structs.replace(touches, events=frozenset())
    if isinstance(tree, Asked) and tree.function == "idle" and want:
        return msgspec.structs.replace(touches, activity=False)
    return touches


# The two that nearly every condition has: no code needs to be made for them


def _idle(window_ms: int, *, want: bool) -> tuple[Solve, Directions]:
    """`idle("30m")`: from so long after the last on."""

    def solve(bound: Bound) -> tuple[bool, int]:
        moment = bound[MOMENT]
        last_seen_at_ms = moment.user.last_seen_at_ms
        if not last_seen_at_ms:
            return not want, NEVER
        idle_at_ms = last_seen_at_ms + window_ms
        if moment.now_ms >= idle_at_ms:
            return want, NEVER
        return not want, idle_at_ms

    return solve, Directions.RISE if want else Directions.FALL


def _plainly_counted(tree: Checked, *, want: bool) -> tuple[Solve, Directions] | None:
    """`_counted`, where nothing is asked of the events."""
    asked, least, at_least = _threshold(tree)
    if asked is None or asked.window_ms is None or least < 1 or asked.predicate is not None:
        return None
    name, window_ms, many = asked.name, asked.window_ms, at_least is want

    def solve(bound: Bound) -> tuple[bool, int]:
        moment = bound[MOMENT]
        moment.until_ms = NEVER
        at_ms = moment.nth_newest(name, least)
        if at_ms is None or at_ms + window_ms <= moment.now_ms:
            return not many, moment.until_ms
        leaves_at_ms = at_ms + window_ms
        return many, min(moment.until_ms, leaves_at_ms)

    return solve, Directions.FALL if many else Directions.RISE


# So many events in a window


def _counted(tree: Checked, text: str) -> tuple[Answer, Directions] | None:
    """`did(…)` or `count(…) >= 3`, with a window: true until the third newest leaves it."""
    asked, least, at_least = _threshold(tree)
    if asked is None or asked.window_ms is None or least < 1:
        return None
    window_ms = asked.window_ms
    # The method takes how many where the others take a window.
    nth = msgspec.structs.replace(
        asked, function="nth_newest", window_ms=least, kind=Kind.ANY, at=tree.at
    )
    program = Program(text, nth, frozenset({MOMENT}))

    def answer(bound: Bound) -> tuple[object, int]:
        moment = bound[MOMENT]
        moment.until_ms = NEVER
        try:
            at_ms: Any = program.evaluate(bound)
        except CelError as error:
            return error, moment.until_ms
        if at_ms is None or at_ms + window_ms <= moment.now_ms:
            return not at_least, moment.until_ms
        return at_least, min(moment.until_ms, at_ms + window_ms)

    return answer, Directions.FALL if at_least else Directions.RISE


def _threshold(tree: Checked) -> tuple[Asked | None, int, bool]:
    """What is counted, how many of it, and whether so many or fewer make it true."""
    match tree:
        case Asked(function="did"):
            return tree, 1, True
        case Operate(_, operator, (Asked(function="count") as asked, Constant(_, Kind.INT, least))):
            pass
        case Operate(_, mirrored, (Constant(_, Kind.INT, least), Asked(function="count") as asked)):
            operator = _MIRRORED.get(mirrored, "")
        case _:
            return None, 0, True
    assert isinstance(least, int)
    match operator:
        case ">=" | "<":
            return asked, least, operator == ">="
        case ">" | "<=":
            return asked, least + 1, operator == ">"
        case _:
            return None, 0, True


# What moves with time, against what does not


def _met(tree: Checked, text: str) -> tuple[Answer, Directions] | None:
    """`now` or `since()` compared with what does not move: it changes where the two meet."""
    if not (isinstance(tree, Operate) and tree.operator in _MIRRORED):
        return None
    sides = tree.operands
    if not any(map(moves, sides)):
        return None
    slope = _slope(sides[0], text) - _slope(sides[1], text)
    moving = sides[0] if moves(sides[0]) else sides[1]
    if abs(slope) != 1 or all(map(moves, sides)):
        raise _refused(tree, text)
    for asked in within(moving):
        if isinstance(asked, Asked) and asked.function != "since":
            raise _refused(asked, text)
    whole, *programs = (Program(text, part, frozenset({MOMENT})) for part in (tree, *sides))
    still, reaching = programs[:: 1 if moving is sides[1] else -1]
    speed = _slope(moving, text)

    def answer(bound: Bound) -> tuple[object, int]:
        moment = bound[MOMENT]
        moment.until_ms = NEVER
        try:
            against = still.evaluate(bound)
        except CelError as error:
            return error, moment.until_ms
        try:
            meets_ms = _meeting_ms(reaching.evaluate(bound), against, moment.now_ms, speed)
        except CelError as error:
            # What never happened is no while ago, however long it takes.
            return error, moment.until_ms
        return whole.truth(bound), min(moment.until_ms, meets_ms)

    operator = tree.operator if slope > 0 else _MIRRORED[tree.operator]
    directions = _RISES_BY.get(operator) or _FALLS_BY.get(operator) or Directions.BOTH
    return answer, directions


def _meeting_ms(reached: Any, against: Any, now_ms: int, slope: int) -> int:  # noqa: ANN401 - values of the language
    """The first millisecond after now at which what moves reaches, or has passed, the other."""
    if isinstance(against, str) and isinstance(reached, timedelta):
        against = to_duration(against)
    if isinstance(reached, datetime) is not isinstance(against, datetime):
        return NEVER
    if not isinstance(reached, datetime | timedelta):
        return NEVER
    ahead_us = slope * ((against - reached) // _US)
    reaches_ms = now_ms - (-ahead_us // 1000)
    passes_ms = now_ms + ahead_us // 1000 + 1
    return min((at_ms for at_ms in (reaches_ms, passes_ms) if at_ms > now_ms), default=NEVER)


def _slope(tree: Checked, text: str) -> int:
    """By how much the value of a tree grows with time: 1 as fast as time, 0 not at all."""
    match tree:
        case _ if not moves(tree):
            return 0
        case Variable() | Asked():
            return 1
        case Operate(_, "+", (left, right)):
            return _slope(left, text) + _slope(right, text)
        case Operate(_, "-", (left, right)):
            return _slope(left, text) - _slope(right, text)
        case _:
            raise _refused(tree, text)


def moves(tree: Checked) -> bool:
    """Whether `now` or `since()` stands in it, calendar parts of `now` aside."""
    match tree:
        case Variable(_, "now") | Asked(function="since"):
            return True
        case Apply(_, function, (Variable(_, "now"), *zones)) if function in GETTERS:
            return any(map(moves, zones))
        case _:
            return any(map(moves, parts(tree)))


def _refused(tree: Checked, text: str) -> Exception:
    """The fault of a part that could change at any millisecond."""
    for part in within(tree):
        if isinstance(part, Asked) and part.function == "since":
            told = "since() here could change at any millisecond"
            return check_error(text, part.at, told, hint=_SINCE_HINT)
        if isinstance(part, Variable) and part.name == "now":
            told = "`now` here could change at any millisecond"
            return check_error(text, part.at, told, hint=_LIMITED["now"])
    told = "a value that moves with time is compared with what stands still alone"
    return check_error(text, tree.at, told, hint=_SINCE_HINT)


# All others


def _recorded(tree: Checked, text: str) -> tuple[Answer, Directions]:
    """It changes where something that it asks for does: history functions note it as they go."""
    if moves(tree):
        raise _refused(tree, text)
    program = Program(text, tree, frozenset())
    calendar = [_calendar_part(part, text) for part in within(tree) if _is_calendar(part)]
    asked = [part for part in within(tree) if isinstance(part, Asked)]
    if not calendar and not asked:
        return (lambda bound: (program.truth(bound), NEVER)), Directions.NONE

    def answer(bound: Bound) -> tuple[object, int]:
        moment = bound[MOMENT]
        moment.until_ms = NEVER
        truth = program.truth(bound)
        until_ms: int = moment.until_ms
        for getter, zone in calendar:
            until_ms = min(until_ms, _boundary_ms(getter, zone, bound))
        return truth, until_ms

    if not calendar and all(
        part.window_ms is None and part.function != "in_segment" for part in asked
    ):
        return answer, Directions.NONE
    return answer, Directions.BOTH


def _is_calendar(tree: object) -> bool:
    match tree:
        case Apply(_, function, (Variable(_, "now"), *_)):
            return function in GETTERS
        case _:
            return False


def _calendar_part(tree: object, text: str) -> tuple[str, Program | None]:
    """The getter, and the zone that it asks in."""
    assert isinstance(tree, Apply)
    if tree.function not in BOUNDARIES:
        told = f"now.{tree.function}() changes at every millisecond"
        raise check_error(text, tree.at, told, hint=_LIMITED["now"])
    zones = tree.arguments[1:]
    for part in within(tree):
        if isinstance(part, Local):
            told = f"the zone of now.{tree.function}() is another one for each element"
            raise check_error(text, part.at, told, hint="ask for it outside of the macro")
    return tree.function, Program(text, zones[0], frozenset()) if zones else None


def _boundary_ms(getter: str, zone: Program | None, bound: Bound) -> int:
    now_ms: int = bound[MOMENT].now_ms
    name: object = "UTC"
    if zone is not None:
        try:
            name = zone.evaluate(bound)
        except CelError:
            return NEVER
    at_ms = next_boundary_ms(getter, now_ms, name) if isinstance(name, str) else None
    return NEVER if at_ms is None else at_ms
