"""Until when: a condition's truth, and the instant until which that surely holds by itself.

Theory of operation. With no further event a condition can change only because time goes on: windows
empty, idle periods fill, the calendar turns. Each part of it that is no `&&`, `||`, `!` or `?:` (an
*atom*) tells its truth and until when that holds; the whole takes what decides. Where an `&&` is
false, it stays so until the last of its false parts changes; where it is true, until the first
does; for `||` the other way round. Nobody searches ahead: whoever waits for the condition asks
again at that instant, and between two of them nothing changed, so the answer is exact to the
millisecond.

What is asked is "is it definitely true": `!` is pushed down to the atoms, which are asked whether
they are true or whether they are false, and an error is neither. That is CEL's absorption of errors
without any of them: `false && error` is definitely false, `!error` is not definitely true.

Which instants an atom depends on:

- a window: its history function notes when its answer may change (`Moment.until_ms`); `count`
  against a number and `did` have the one that matters, the n-th newest event's leaving;
- `now` or `since()` compared, give or take what does not move, with something that does not move:
  where the two meet;
- calendar parts of `now`: their next boundary.

Anything else that `now` or `since()` stands in is refused, with the fragment, as the condition is
compiled: it could change at any millisecond.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from engine.core.cel import Program
from engine.core.cel.checked import (
    Choice,
    Comprehension,
    Kind,
    Logic,
    Operate,
    Variable,
    are_truths,
    parts,
)
from engine.core.cel.errors import CelCheckError, check_error, together
from engine.core.conditions.atoms import MOMENT, Directions, atom, moves, raised_by
from engine.core.conditions.touches import touches_of
from engine.core.state import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.core.cel.checked import Checked
    from engine.core.conditions.touches import Touches

    Bound: TypeAlias = dict[str, Any]
    Solve: TypeAlias = Callable[[Bound], tuple[bool, int]]
    """Whether it is definitely so, and the first instant at which that may change by itself."""

ATOMS_MAX = 2_000
"""Atoms that one question may ask: more than a text has room for, unless `?:` and `==` nest."""


class Solution:
    """How to ask a condition for its truth and until when that holds.

    Args:
        tree: A condition, checked.
        text: What it was made from.

    Attributes:
        solve: Asked with the bindings, a `Moment` under "@" among them.
        raised_by: What can make it true, time aside; anything else that touches it can make it
            false alone.
        may_come_back: Whether time alone can make it true again after time alone made it false:
            only then is a falling edge worth waking for.

    Raises CelCheckError where it could change at any millisecond, naming the fragment.
    """

    __slots__ = ("may_come_back", "raised_by", "solve")

    def __init__(self, tree: Checked, text: str) -> None:
        if _size(tree) > ATOMS_MAX:
            told = "?: and == of conditions nest too deep here"
            raise check_error(text, tree.at, told, hint="say it with && and ||")
        self.solve, shape = _solve(tree, text, want=True)
        self.raised_by = shape.raised_by
        self.may_come_back = shape.returns or (shape.has_ways and shape.rises)


class _Shape:
    """What time alone does to a part.

    Attributes:
        rises: It can make it true.
        returns: It can make one atom of it false and then true again.
        has_ways: There is more than one way in which it can be true.
        raised_by: What else than time can make it true.
    """

    __slots__ = ("has_ways", "raised_by", "returns", "rises")

    def __init__(self, *, rises: bool, returns: bool, has_ways: bool, raised_by: Touches) -> None:
        self.raised_by = raised_by
        self.rises = rises
        self.returns = returns
        self.has_ways = has_ways


def _solve(tree: Checked, text: str, *, want: bool) -> tuple[Solve, _Shape]:
    """Whether it is definitely `want`."""
    match tree:
        case Operate(_, "!", (operand,)):
            return _solve(operand, text, want=not want)
        case Logic(_, operator, parts):
            solved = _each([(part, want) for part in parts], text)
            return _joined(solved, every=(operator == "&&") is want)
        case Choice(_, condition, then, otherwise):
            met, unmet, *ways = _each(
                [(condition, True), (condition, False), (then, want), (otherwise, want)], text
            )
            return _either([(met, ways[0]), (unmet, ways[1])])
        case Operate(_, "==" | "!=" as operator, (left, right)) if are_truths(left, right):
            alike = (operator == "==") is want
            ways = _each([(left, True), (right, alike), (left, False), (right, not alike)], text)
            return _either([ways[:2], ways[2:]])
        case _ if inner := _inner(tree):
            return _around(tree, inner, text, want=want)
        case _:
            solve, directions = atom(tree, text, want=want)
            rises, falls = Directions.RISE in directions, Directions.FALL in directions
            raising = raised_by(tree, want=want)
            return solve, _Shape(
                rises=rises, returns=rises and falls, has_ways=False, raised_by=raising
            )


def _each(asked: Sequence[tuple[Checked, bool]], text: str) -> list[tuple[Solve, _Shape]]:
    """`_solve` of each part and what is wanted of it; the faults of all of them are one."""
    solved: list[tuple[Solve, _Shape]] = []
    faults: list[CelCheckError] = []
    for part, want in asked:
        try:
            solved.append(_solve(part, text, want=want))
        except CelCheckError as error:
            faults.append(error)
    if faults:
        raise together(faults)
    return solved


def _either(ways: Sequence[Sequence[tuple[Solve, _Shape]]]) -> tuple[Solve, _Shape]:
    """Any of several ways, each of which wants all of its parts."""
    return _joined([_joined(way, every=True) for way in ways], every=False)


def _size(tree: Checked) -> int:
    """How many atoms one question may ask; those under `?:` and `==` are asked both ways."""
    match tree:
        case Operate(_, "!", (operand,)):
            return _size(operand)
        case Logic(_, _, parts):
            return sum(map(_size, parts))
        case Choice(_, condition, then, otherwise):
            return 2 * _size(condition) + _size(then) + _size(otherwise)
        case Operate(_, "==" | "!=", (left, right)) if are_truths(left, right):
            return 2 * (_size(left) + _size(right))
        case _:
            return 1 + 2 * sum(map(_size, _inner(tree)))


def _inner(tree: Checked) -> list[Checked]:
    """The largest parts of an atom that are conditions of their own, and move with time.

    What a macro asks of each element is none: it has no answer but for that element.
    """
    found: list[Checked] = []
    if isinstance(tree, Comprehension) or not moves(tree):
        return found
    for part in parts(tree):
        if part.kind is Kind.BOOL and moves(part):
            found.append(part)
        else:
            found += _inner(part)
    return found


def _around(tree: Checked, inner: list[Checked], text: str, *, want: bool) -> tuple[Solve, _Shape]:
    """An atom around conditions, as `user.vip == (since("A") > "5m")`: it changes as they do."""
    answers: dict[Checked, Checked] = {
        part: Variable(part.at, f"?{place}", Kind.BOOL) for place, part in enumerate(inner)
    }
    found = _each([(part, want) for part in inner for want in (True, False)], text)
    solved = [
        (f"?{place}", found[2 * place][0], found[2 * place + 1][0]) for place in range(len(inner))
    ]
    outer, _ = atom(_replaced(tree, answers), text, want=want)
    whole = Program(text, tree, frozenset({MOMENT}))

    def solve(bound: Bound) -> tuple[bool, int]:
        until_ms, told = NEVER, dict(bound)
        for name, is_so, is_not_so in solved:
            truth, changes_ms = is_so(bound)
            if not truth:
                is_false, until_false_ms = is_not_so(bound)
                if not is_false:  # an error: it may yet be that nobody asks for it
                    moment = bound[MOMENT]
                    moment.until_ms = min(until_ms, changes_ms, until_false_ms)
                    return whole.truth(bound) is want, moment.until_ms
                changes_ms = until_false_ms
            told[name] = truth
            until_ms = min(until_ms, changes_ms)
        holds, outer_ms = outer(told)
        return holds, min(until_ms, outer_ms)

    return solve, _Shape(rises=True, returns=True, has_ways=False, raised_by=touches_of(tree))


def _replaced(tree: Any, answers: dict[Checked, Checked]) -> Any:  # noqa: ANN401 - any part of a tree
    """A tree with other parts in the place of some."""
    if isinstance(tree, tuple):
        return tuple(_replaced(part, answers) for part in tree)
    if not isinstance(tree, msgspec.Struct):
        return tree
    if tree in answers:
        return answers[tree]
    changes = {name: _replaced(getattr(tree, name), answers) for name in tree.__struct_fields__}
    return msgspec.structs.replace(tree, **changes)


def _joined(solved: Sequence[tuple[Solve, _Shape]], *, every: bool) -> tuple[Solve, _Shape]:
    """All of them, or any of them."""
    parts = tuple(solve for solve, _ in solved)
    shapes = [shape for _, shape in solved]
    shape = _Shape(
        rises=any(one.rises for one in shapes),
        returns=any(one.returns for one in shapes),
        has_ways=not every or any(one.has_ways for one in shapes),
        raised_by=reduce(or_, (one.raised_by for one in shapes)),
    )
    return _decided(parts, by=not every), shape


def _decided(parts: tuple[Solve, ...], *, by: bool) -> Solve:
    """Of several parts together: one that is `by` decides, `False` for all of them, `True` for any.

    It stays decided until the last of those changes that decide it, undecided until the first of
    all does.
    """

    def solve(bound: Bound) -> tuple[bool, int]:
        decided, first_ms, last_ms = False, NEVER, 0
        for part in parts:
            truth, until_ms = part(bound)
            if truth is not by:
                if until_ms < first_ms:
                    first_ms = until_ms
            elif until_ms >= NEVER:
                return by, NEVER
            else:
                decided = True
                if until_ms > last_ms:
                    last_ms = until_ms
        return (by, last_ms) if decided else (not by, first_ms)

    return solve
