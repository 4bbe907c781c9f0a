"""What can be wrong with an expression: its text, its meaning, or one evaluation of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import HairspringError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.core.cel.checked import Checked


class ExpressionError(HairspringError):
    """Anything wrong with an expression or with an evaluation of it."""

    code = "cel"


class CelTextError(ExpressionError):
    """A fault that lies at one place of an expression's text.

    Attributes:
        line: Line of the text, from 1.
        column: Column in that line in code points, from 1.
        others: What else is wrong with the same text.
    """

    code = "cel.text"

    def __init__(self, message: str, *, line: int, column: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.line = line
        self.column = column
        self.others: tuple[CelTextError, ...] = ()

    def every(self) -> tuple[CelTextError, ...]:
        """All that is wrong with the text, this first."""
        return (self, *self.others)


class CelSyntaxError(CelTextError):
    """The text is not an expression; the message says what was expected and what was found."""

    code = "cel.syntax"


class CelCheckError(CelTextError):
    """The text is an expression, but one that can have no meaning or exceeds a limit.

    Attributes:
        rest: The checked tree with something of any kind in the place of what is at fault, for
            whoever looks for more; None where it was not read to its end.
        beside: What the parts at fault are made of, which `rest` is without.
    """

    code = "cel.check"
    rest: Checked | None = None
    beside: tuple[Checked, ...] = ()


class CelError(ExpressionError):
    """An evaluation ended in an error: a missing key, a type that does not fit, an overflow.

    `&&` and `||` absorb it as the language says; a condition that ends in one is not true.
    """

    code = "cel.evaluation"


class CelWorkError(CelError):
    """An evaluation would take more work than it may."""


TRAPS = (
    CelError,
    KeyError,
    IndexError,
    TypeError,
    ZeroDivisionError,
    OverflowError,
    RecursionError,
)
"""What the fast form of an expression raises where it has no answer."""


def position_of(text: str, offset: int) -> tuple[int, int]:
    """The line and column, both from 1, of a code point offset in `text`. O(offset)."""
    line = text.count("\n", 0, offset) + 1
    return line, offset - text.rfind("\n", 0, offset)


def syntax_error(text: str, offset: int, message: str, *, hint: str = "") -> CelSyntaxError:
    """A `CelSyntaxError` at an offset of `text`."""
    line, column = position_of(text, offset)
    return CelSyntaxError(message, line=line, column=column, hint=hint)


def check_error(text: str, offset: int, message: str, *, hint: str = "") -> CelCheckError:
    """A `CelCheckError` at an offset of `text`."""
    line, column = position_of(text, offset)
    return CelCheckError(message, line=line, column=column, hint=hint)


def together(
    faults: Iterable[CelCheckError], rest: Checked | None = None, beside: Iterable[Checked] = ()
) -> CelCheckError:
    """Several faults of one text, at least one, as the first of them with the others."""
    every = [one for fault in faults for one in fault.every()]
    # What is asked in two ways is at fault twice.
    first, *others = {(one.line, one.column, one.message): one for one in every}.values()
    assert isinstance(first, CelCheckError)
    first.others, first.rest, first.beside = tuple(others), rest, tuple(beside)
    return first
