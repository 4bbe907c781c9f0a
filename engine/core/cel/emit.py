"""Checked tree to Python: the careful form, in which every operation is a call that cannot lie."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, assert_never

from engine.core.cel import absorbing, costly, values
from engine.core.cel.asking import MOMENT, QUESTIONS
from engine.core.cel.checked import (
    Apply,
    Asked,
    Checked,
    Choice,
    Comprehension,
    Constant,
    Entries,
    Field,
    Has,
    Items,
    Kind,
    Local,
    Logic,
    Operate,
    TypeName,
    TypeValue,
    Unbound,
    Variable,
    within,
)
from engine.core.cel.errors import CelError
from engine.core.cel.functions import FUNCTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.core.cel.values import Value

OPERATORS: dict[str, Callable[..., Value]] = {
    "==": values.equal,
    "!=": values.unequal,
    "<": values.less,
    "<=": values.at_most,
    ">": values.more,
    ">=": values.at_least,
    "in": values.contained,
    "[]": values.item,
    "+": values.add,
    "-": values.subtract,
    "*": values.multiply,
    "/": values.divide,
    "%": values.modulo,
    "negate": values.negate,
    "!": values.invert,
}

_METHODS = {"sum": "total", "avg": "average", "min": "least", "max": "greatest"}
"""What history functions are called on a `Moment`, where that is another name."""

_MACROS: dict[str, Callable[..., bool | list[Value]]] = {
    "all": absorbing.every,
    "exists": absorbing.some,
    "exists_one": absorbing.only_one,
    "filter": absorbing.kept,
}

BINDINGS = "bindings"
WORK = "work"
_FUNCTION = "function_"


def unbound(name: str) -> Value:
    """A call of a function that nobody knows."""
    raise CelError(f"no such function: {name}()")


_CALLABLE: tuple[Callable[..., Value], ...] = (
    *OPERATORS.values(),
    *_MACROS.values(),
    absorbing.mapped,
    absorbing.conjunction,
    absorbing.disjunction,
    absorbing.met,
    absorbing.met_somehow,
    *costly.OPERATORS.values(),
    costly.applied_at_cost,
    costly.matched_at_cost,
    absorbing.work_of,
    values.boolean,
    values.entries_of,
    values.field,
    values.has,
    values.variable,
    unbound,
)

_NAMESPACE: dict[str, Value] = {
    "__builtins__": {},
    "TypeValue": TypeValue,
    **{_FUNCTION + key: function.implementation for (key, _), function in FUNCTIONS.items()},
    **{each.__name__: each for each in (bool, dict, float, list, str)},
    **{function.__name__: function for function in _CALLABLE},
}
"""What generated code can name; nothing of Python's own."""


def name(identifier: str) -> ast.expr:
    """A read of a Python name."""
    return ast.Name(identifier, ast.Load())


def call(function: Callable[..., Value], *arguments: ast.expr) -> ast.expr:
    """A call of a function that generated code can name."""
    assert _NAMESPACE[function.__name__] is function, "generated code finds it by its name"
    return ast.Call(name(function.__name__), list(arguments), [])


class CarefulCode:
    """Python expressions for checked trees, one method a shape. `FastCode` overrides some."""

    def __init__(self) -> None:
        self.works = False
        """Whether what was made spends of a question's `Work`."""
        self._repeats = 0

    def function(self, tree: Checked) -> Callable[[Value], Value]:
        """The tree as a Python function of the bindings. O(size of the tree)."""
        # What a macro makes may hold one list any number of times: to compare it is no small thing.
        self._repeats = int(any(isinstance(part, Comprehension) for part in within(tree)))
        body: list[ast.stmt] = [ast.Return(self.expression(tree))]
        if self.works:
            work = call(absorbing.work_of, name(BINDINGS))
            body.insert(0, ast.Assign([ast.Name(WORK, ast.Store())], work))
        arguments = ast.arguments([], [ast.arg(BINDINGS)], None, [], [], None, [])
        definition = ast.FunctionDef("condition", arguments, body, [])
        module = ast.fix_missing_locations(ast.Module([definition], []))
        space = dict(_NAMESPACE)
        exec(compile(module, "<condition>", "exec"), space)  # noqa: S102 - made from a checked tree, names nothing of Python's
        made: Callable[[Value], Value] = space["condition"]
        return made

    def expression(self, tree: Checked) -> ast.expr:  # noqa: PLR0911 - one return a shape
        """The value of a tree."""
        match tree:
            case Logic():
                return self.logic(tree)
            case Operate():
                return self.operate(tree)
            case Field(_, operand, field):
                return self.field(self.expression(operand), field)
            case Has(_, operand, field):
                return self.has(self.expression(operand), field)
            case Choice(_, condition, then, otherwise):
                return ast.IfExp(
                    self.condition(condition), self.expression(then), self.expression(otherwise)
                )
            case Comprehension():
                return self._comprehension(tree)
            case Items() | Entries() | Apply():
                return self._gathered(tree)
            case Asked():
                return self._asked(tree)
            case _:
                return self._leaf(tree)

    def _leaf(self, tree: Constant | TypeName | Variable | Local | Unbound) -> ast.expr:
        match tree:
            case TypeName(_, identifier):
                return ast.Call(name("TypeValue"), [ast.Constant(identifier)], [])
            case Constant(_, _, value):
                return ast.Constant(value)
            case Variable(_, identifier):
                return self.variable(identifier)
            case Local(_, level):
                return name(f"local{level}")
            case Unbound(_, function):
                return call(unbound, ast.Constant(function))
            case _:
                assert_never(tree)

    def _gathered(self, tree: Items | Entries | Apply) -> ast.expr:
        match tree:
            case Items(_, items):
                return ast.List([self.expression(item) for item in items], ast.Load())
            case Entries(_, entries):
                pairs: list[ast.expr] = [
                    ast.Tuple([self.expression(key), self.expression(value)], ast.Load())
                    for key, value in entries
                ]
                return call(values.entries_of, *pairs)
            case Apply(_, function, arguments):
                given = [self.expression(argument) for argument in arguments]
                if function == "matches":
                    self.works = True
                    return call(costly.matched_at_cost, name(WORK), *given)
                asked = name(_FUNCTION + function)
                if self._repeats and costly.is_costly(function):
                    self.works = True
                    return call(costly.applied_at_cost, name(WORK), asked, *given)
                return ast.Call(asked, given, [])
            case _:
                assert_never(tree)

    def _comprehension(self, tree: Comprehension) -> ast.expr:
        self.works = True
        over = self.expression(tree.over)
        if tree.test is not None:
            test = self.of_element(tree.level, self.condition, tree.test)
            macro = _MACROS.get(tree.macro, absorbing.kept)
            over = call(macro, over, test, name(WORK))
        if tree.result is not None:
            result = self.of_element(tree.level, self.expression, tree.result)
            over = call(absorbing.mapped, over, result, name(WORK))
        return over

    def _asked(self, tree: Asked) -> ast.expr:
        """A call of the method of the `Moment` that is bound as "@"."""
        given: list[ast.expr] = [ast.Constant(tree.name)] if tree.name else []
        if tree.field:
            given.append(ast.Constant(tree.field))
        if tree.function not in QUESTIONS or QUESTIONS[tree.function].window is not None:
            given.append(ast.Constant(tree.window_ms))
        if tree.predicate is not None:
            given.append(self.predicate(tree.level, tree.predicate))
        method = _METHODS.get(tree.function, tree.function)
        return ast.Call(ast.Attribute(self.variable(MOMENT), method, ast.Load()), given, [])

    def predicate(self, level: int, test: Checked) -> ast.expr:
        """A function of a counted event: whether the test is true of it, which an error is not."""
        self.works = True
        return call(absorbing.met, self.of_element(level, self.expression, test), name(WORK))

    def of_element(
        self, level: int, make: Callable[[Checked], ast.expr], tree: Checked
    ) -> ast.expr:
        """What is made of a tree, as a function of an element: asked any number of times."""
        self._repeats += 1
        body = make(tree)
        self._repeats -= 1
        arguments = ast.arguments([], [ast.arg(f"local{level}")], None, [], [], None, [])
        return ast.Lambda(arguments, body)

    def condition(self, tree: Checked) -> ast.expr:
        """The value of a tree, which must be a boolean."""
        if tree.kind is Kind.BOOL:
            return self.expression(tree)
        return call(values.boolean, self.expression(tree))

    def variable(self, identifier: str) -> ast.expr:
        """What a name is bound to."""
        return call(values.variable, name(BINDINGS), ast.Constant(identifier))

    def field(self, operand: ast.expr, field: str) -> ast.expr:
        """The value under a name in a map."""
        return call(values.field, operand, ast.Constant(field))

    def has(self, operand: ast.expr, field: str) -> ast.expr:
        """Whether a map has a name."""
        return call(values.has, operand, ast.Constant(field))

    def logic(self, tree: Logic) -> ast.expr:
        """`&&` or `||`."""
        nothing = ast.arguments([], [], None, [], [], None, [])
        parts = [ast.Lambda(nothing, self.expression(part)) for part in tree.parts]
        function = absorbing.conjunction if tree.operator == "&&" else absorbing.disjunction
        return call(function, *parts)

    def operate(self, tree: Operate) -> ast.expr:
        """Any other operator."""
        return self.operated(tree.operator, *map(self.expression, tree.operands))

    def operated(self, operator: str, *operands: ast.expr) -> ast.expr:
        """A call of the operator that cannot lie."""
        if self._repeats and operator in costly.OPERATORS:
            self.works = True
            return call(costly.OPERATORS[operator], name(WORK), *operands)
        return call(OPERATORS[operator], *operands)
