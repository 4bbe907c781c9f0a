"""A compiled expression: two Python functions, the fast one and the careful one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.core.cel.checker import Scope, check
from engine.core.cel.emit import CarefulCode
from engine.core.cel.errors import TRAPS, CelError, check_error
from engine.core.cel.fast import FastCode
from engine.core.cel.parser import parse
from engine.core.cel.values import Value, name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.core.cel.checked import Checked, Kind


class Program:
    """A compiled expression, to be evaluated any number of times.

    Attributes:
        text: The text it was made from.
        names: The variables that it reads; a name missing from the bindings is a `CelError`, and
            one not in here need not be bound.
        tree: The checked tree, for what reasons about the expression.
        fast: What `evaluate` asks first, for a loop that would rather call it itself: the value
            for bindings, or one of `TRAPS` raised, which says nothing but to ask `evaluate` or
            `truth`.
    """

    __slots__ = ("_careful", "fast", "names", "text", "tree")

    def __init__(self, text: str, tree: Checked, names: frozenset[str]) -> None:
        self.text = text
        self.names = names
        self.tree = tree
        # Made when it is first asked: of a thousand campaigns few may ever be.
        self.fast: Callable[[Any], Any] = self._asked_first
        self._careful: Callable[[Value], Value] | None = None

    @property
    def kind(self) -> Kind:
        """What the value is, if it is no error; `ANY` where that depends on the bindings."""
        return self.tree.kind

    def evaluate(self, bindings: Mapping[str, Value]) -> Value:
        """The value for these bindings.

        Values in and out are bool, int, float, str, None, list, dict, `datetime` (aware) and
        `timedelta`, exactly these classes; a type is a `TypeValue`. They are not copied. An int
        past 64 bits in the bindings compares by value, but what is computed with it must fit.

        Raises:
            CelError: The evaluation ended in an error.
        """
        try:
            return self.fast(bindings)
        except TRAPS:
            value = self._evaluated_carefully(bindings)
        if isinstance(value, CelError):
            raise value
        return value

    def truth(self, bindings: Mapping[str, Value]) -> bool | CelError:
        """Whether the value is true; the error, as a value, where there is no boolean.

        Never raises for anything in the bindings. A condition is met where this `is True`: mind
        that an error, like any object, passes a plain `if`.
        """
        try:
            value = self.fast(bindings)
        except TRAPS:
            value = self._evaluated_carefully(bindings)
        if value is True or value is False or isinstance(value, CelError):
            verdict: bool | CelError = value
            return verdict
        return CelError(f"a condition is true or false, this is of type {name_of(value)}")

    def _asked_first(self, bindings: Mapping[str, Value]) -> Value:
        self.fast = FastCode().function(self.tree)
        value: Value = self.fast(bindings)
        return value

    def _evaluated_carefully(self, bindings: Mapping[str, Value]) -> Value:
        """The value, or the error as a value."""
        if self._careful is None:
            # Most conditions never need it, and it takes as long to make as the fast one.
            self._careful = CarefulCode().function(self.tree)
        try:
            return self._careful(bindings)
        except CelError as error:
            # A kept error must not hold on to the frames and bindings of the evaluation.
            error.__cause__ = error.__context__ = None
            return error.with_traceback(None)
        except RecursionError:
            return CelError("the data nest too deep")
        except ArithmeticError as error:
            return CelError(f"it cannot be computed: {error}")


def compile(text: str, scope: Scope | None = None) -> Program:  # noqa: A001 - re.compile has the same name for the same thing
    """The program of a text. O(length).

    Without a scope any name may be a variable, and an unknown function is an error of the
    evaluation. With one, only what it names, and `&&` and `||` refuse what cannot be a condition.

    Raises:
        CelSyntaxError: The text is not an expression.
        CelCheckError: It can have no meaning, or exceeds a limit (`limits.py`).
    """
    try:
        tree, names = check(text, parse(text), scope)
        return Program(text, tree, names)
    except RecursionError:
        raise check_error(text, 0, "the expression nests too deep to be compiled here") from None
