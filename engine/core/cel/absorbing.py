"""The operators that absorb errors, and the macros: what may be decided in spite of an error.

`&&` is false when any part is false, whatever the others are; `||` is true when any is true; `all`
and `exists` are the same over elements. Parts come as functions, so that each can fail alone.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from engine.core.cel.asking import MOMENT
from engine.core.cel.automaton import Visits
from engine.core.cel.errors import TRAPS, CelError, CelWorkError
from engine.core.cel.limits import WORK_MAX
from engine.core.cel.values import Value, boolean, name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


class Work:
    """How many more elements one question may visit, and its visits of regular expressions."""

    __slots__ = ("left", "visits")

    def __init__(self) -> None:
        self.left = WORK_MAX
        self.visits = Visits()

    def spend(self, elements: int) -> None:
        """Take these elements from what is left.

        Raises:
            CelError: Fewer were left.
        """
        self.left -= elements
        if self.left < 0:
            raise CelWorkError(
                f"too much work: more than {WORK_MAX} elements are visited",
                hint="nest fewer macros, or over shorter lists and texts",
            )


def work_of(bindings: Mapping[str, Value]) -> Work:
    """What is left to the question that is asked; all of it where an evaluation is one by itself.

    The moment of the bindings says which: a condition is asked part by part.
    """
    return getattr(bindings.get(MOMENT), "work", None) or Work()


def conjunction(*parts: Callable[[], Value]) -> bool:
    """`&&` of all parts, asked in turn until one is false."""
    return not _decided(False, parts)


def disjunction(*parts: Callable[[], Value]) -> bool:
    """`||` of all parts, asked in turn until one is true."""
    return _decided(True, parts)


def every(over: Value, test: Callable[[Value], Value], work: Work) -> bool:
    """`over.all(e, test)`."""
    return not _decided(False, _asked(over, test, work))


def some(over: Value, test: Callable[[Value], Value], work: Work) -> bool:
    """`over.exists(e, test)`."""
    return _decided(True, _asked(over, test, work))


def met(test: Callable[[Value], Value], work: Work) -> Callable[[Value], bool]:
    """Whether the test is true of an element; where it ends in an error it is not."""

    def is_met(element: Value) -> bool:
        work.spend(1)
        return _is_met(test, element)

    return is_met


def met_somehow(
    fast: Callable[[Value], Value], careful: Callable[[Value], Value], work: Work
) -> Callable[[Value], bool]:
    """As `met`, of a fast form of a test, and of the careful one where that gives no boolean."""

    def is_met(element: Value) -> bool:
        work.spend(1)
        try:
            truth = fast(element)
        except TRAPS:
            return _is_met(careful, element)
        return truth is True

    return is_met


def _is_met(test: Callable[[Value], Value], element: Value) -> bool:
    try:
        return test(element) is True
    except CelWorkError:
        raise  # it would be so for each event that follows, and say nothing of them
    except CelError:
        return False


def _asked(
    over: Value, test: Callable[[Value], Value], work: Work
) -> Iterable[Callable[[], Value]]:
    return (partial(test, each) for each in _elements(over, work))


def _decided(
    verdict: bool,  # noqa: FBT001 - what is looked for, no switch
    parts: Iterable[Callable[[], Value]],
) -> bool:
    """Whether any part gives the verdict; if none does, the first error that one gave is raised."""
    failed: CelError | None = None
    for part in parts:
        try:
            if boolean(part()) is verdict:
                return True
        except CelError as error:
            failed = failed or error
    if failed is not None:
        raise failed
    return False


def only_one(over: Value, test: Callable[[Value], Value], work: Work) -> bool:
    """`over.exists_one(e, test)`: no error is absorbed."""
    return sum([boolean(test(each)) for each in _elements(over, work)]) == 1


def kept(over: Value, test: Callable[[Value], Value], work: Work) -> list[Value]:
    """`over.filter(e, test)`."""
    return [each for each in _elements(over, work) if boolean(test(each))]


def mapped(over: Value, result: Callable[[Value], Value], work: Work) -> list[Value]:
    """`over.map(e, result)`."""
    return [result(each) for each in _elements(over, work)]


def _elements(over: Value, work: Work) -> list[Value]:
    if over.__class__ is not list and over.__class__ is not dict:
        raise CelError(f"no such overload: a macro goes over a list or a map, not {name_of(over)}")
    work.spend(len(over))
    return list(over)
