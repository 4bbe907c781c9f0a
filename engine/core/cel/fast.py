"""Checked tree to Python: the fast form, in which operations are Python's own, guarded.

It either gives the value that the careful form gives, or raises; it never gives another value.
Where Python would answer and the language would not (`True == 1`, lists in order, text by index),
or would answer otherwise, the class is asked first and the careful operator takes over. What raises
here is asked again of the careful form, which alone knows whether an error is absorbed.
"""

from __future__ import annotations

import ast

from typing_extensions import override

from engine.core.cel import absorbing, values
from engine.core.cel.checked import Checked, Constant, Items, Kind, Logic, Operate
from engine.core.cel.emit import BINDINGS, WORK, CarefulCode, call, name

_COMPARED: dict[str, type[ast.cmpop]] = {
    "<": ast.Lt,
    "<=": ast.LtE,
    ">": ast.Gt,
    ">=": ast.GtE,
}
_COMPUTED: dict[str, type[ast.operator]] = {
    "+": ast.Add,
    "-": ast.Sub,
    "*": ast.Mult,
    "/": ast.Div,
}
_NUMBERS = frozenset({Kind.INT, Kind.DOUBLE})
_SCALARS = frozenset({Kind.INT, Kind.DOUBLE, Kind.STRING, Kind.BOOL})


class FastCode(CarefulCode):
    """Python expressions for checked trees, as fast as they can be and still be right."""

    def __init__(self) -> None:
        super().__init__()
        self._kept = 0

    def _keep(self, value: ast.expr) -> tuple[ast.expr, str]:
        """The value as an expression that also keeps it under a name, and the name."""
        self._kept += 1
        kept = f"kept{self._kept}"
        return ast.NamedExpr(ast.Name(kept, ast.Store()), value), kept

    @override
    def variable(self, identifier: str) -> ast.expr:
        return ast.Subscript(name(BINDINGS), ast.Constant(identifier), ast.Load())

    @override
    def field(self, operand: ast.expr, field: str) -> ast.expr:
        # Only a dict takes a string; a list, a text, a number, None raise TypeError.
        return ast.Subscript(operand, ast.Constant(field), ast.Load())

    @override
    def has(self, operand: ast.expr, field: str) -> ast.expr:
        keeping, kept = self._keep(operand)
        return ast.IfExp(
            _is(_class_of(keeping), name("dict")),
            _compare(ast.Constant(field), ast.In(), name(kept)),
            call(values.has, name(kept), ast.Constant(field)),
        )

    @override
    def condition(self, tree: Checked) -> ast.expr:
        value = self.expression(tree)
        if tree.kind is Kind.BOOL:
            return value
        keeping, kept = self._keep(value)
        refused = call(values.boolean, name(kept))
        not_false = _compare(name(kept), ast.IsNot(), ast.Constant(False))
        return ast.BoolOp(
            ast.Or(),
            [_is(keeping, ast.Constant(True)), ast.BoolOp(ast.And(), [not_false, refused])],
        )

    @override
    def predicate(self, level: int, test: Checked) -> ast.expr:
        # What traps is asked again for this event alone: one without the property is common.
        fast = self.of_element(level, self.expression, test)
        code = CarefulCode()
        careful = code.of_element(level, code.expression, test)
        self.works = True
        return call(absorbing.met_somehow, fast, careful, name(WORK))

    @override
    def logic(self, tree: Logic) -> ast.expr:
        operator = ast.And() if tree.operator == "&&" else ast.Or()
        return ast.BoolOp(operator, [self.condition(part) for part in tree.parts])

    @override
    def operate(self, tree: Operate) -> ast.expr:  # noqa: PLR0911 - one return a shape
        match tree.operator:
            case "==" | "!=":
                return self._equality(tree, *tree.operands)
            case "<" | "<=" | ">" | ">=":
                return self._order(tree, *tree.operands)
            case "in":
                return self._membership(tree, *tree.operands)
            case "[]":
                return self._indexed(tree, *tree.operands)
            case "!":
                return ast.UnaryOp(ast.Not(), self.condition(tree.operands[0]))
            case "+" | "-" | "*" | "/":
                return self._computed(tree, *tree.operands)
            case _:
                return super().operate(tree)

    def _equality(  # noqa: PLR0911 - one return a shape
        self, tree: Operate, left: Checked, right: Checked
    ) -> ast.expr:
        if isinstance(left, Constant):
            left, right = right, left
        same = tree.operator == "=="
        operator = ast.Eq() if same else ast.NotEq()
        if left.kind is right.kind and left.kind in _SCALARS:
            return _compare(self.expression(left), operator, self.expression(right))
        if not isinstance(right, Constant) or isinstance(left, Constant):
            return super().operate(tree)
        value, constant = self.expression(left), ast.Constant(right.value)
        if right.kind in {Kind.NULL, Kind.BOOL}:
            return _compare(value, ast.Is() if same else ast.IsNot(), constant)
        if not _is_plain(right):
            return super().operate(tree)
        if right.value not in {0, 1} or left.kind in _NUMBERS:
            return _compare(value, operator, constant)
        keeping, kept = self._keep(value)
        asked = _compare(keeping, operator, constant)
        if same:
            return ast.BoolOp(ast.And(), [asked, _is_not(_class_of(name(kept)), "bool")])
        return ast.BoolOp(ast.Or(), [asked, _is(_class_of(name(kept)), name("bool"))])

    def _order(self, tree: Operate, left: Checked, right: Checked) -> ast.expr:
        operator = _COMPARED[tree.operator]()
        if left.kind is right.kind and left.kind in _SCALARS:
            return _compare(self.expression(left), operator, self.expression(right))
        if isinstance(left, Constant):
            value, constant = right, left
        elif isinstance(right, Constant):
            value, constant = left, right
        else:
            return self._order_of_two(tree, left, right)
        if isinstance(value, Constant) or not _is_ordered_plainly(constant):
            return super().operate(tree)
        keeping, kept = self._keep(self.expression(value))
        guard = (
            _is(_class_of(keeping), name("str"))
            if constant.kind is Kind.STRING
            else _is_not(_class_of(keeping), "bool")
        )
        pair: list[ast.expr] = [name(kept), ast.Constant(constant.value)]
        first, second = pair if value is left else reversed(pair)
        return ast.IfExp(
            guard, _compare(first, operator, second), self.operated(tree.operator, first, second)
        )

    def _order_of_two(self, tree: Operate, left: Checked, right: Checked) -> ast.expr:
        keeping_left, first = self._keep(self.expression(left))
        keeping_right, second = self._keep(self.expression(right))
        # Python orders lists; of one class, what else it orders the language orders alike.
        guard = ast.Compare(
            _class_of(keeping_left),
            [ast.Is(), ast.IsNot()],
            [_class_of(keeping_right), name("list")],
        )
        return ast.IfExp(
            guard,
            _compare(name(first), _COMPARED[tree.operator](), name(second)),
            self.operated(tree.operator, name(first), name(second)),
        )

    def _membership(self, tree: Operate, value: Checked, container: Checked) -> ast.expr:
        if not isinstance(container, Items) or not container.items:
            return super().operate(tree)
        constants = [each for each in container.items if isinstance(each, Constant)]
        plain = [each for each in constants if _is_plain(each) and each.value not in {0, 1}]
        if len(plain) < len(container.items):
            return super().operate(tree)
        # What cannot be hashed raises TypeError, and is then found among no constants.
        members: list[ast.expr] = [ast.Constant(each.value) for each in plain]
        return _compare(self.expression(value), ast.In(), ast.Set(members))

    def _indexed(self, tree: Operate, operand: Checked, key: Checked) -> ast.expr:
        if not isinstance(key, Constant):
            return super().operate(tree)
        if isinstance(key.value, str) and operand.kind is not Kind.LIST:
            return self.field(self.expression(operand), key.value)
        if key.kind is not Kind.INT or operand.kind is Kind.MAP or str(key.value).startswith("-"):
            return super().operate(tree)
        keeping, kept = self._keep(self.expression(operand))
        index = ast.Constant(key.value)
        return ast.IfExp(
            _is(_class_of(keeping), name("list")),
            ast.Subscript(name(kept), index, ast.Load()),
            call(values.item, name(kept), index),
        )

    def _computed(self, tree: Operate, left: Checked, right: Checked) -> ast.expr:
        doubles = {Kind.DOUBLE, Kind.ANY}
        if left.kind not in doubles or right.kind not in doubles:
            return super().operate(tree)
        # Of two doubles Python computes as the language does, but for a division by zero.
        keeping_left, first = self._keep(self.expression(left))
        keeping_right, second = self._keep(self.expression(right))
        guard = ast.Compare(
            _class_of(keeping_left),
            [ast.Is(), ast.Is()],
            [_class_of(keeping_right), name("float")],
        )
        return ast.IfExp(
            guard,
            ast.BinOp(name(first), _COMPUTED[tree.operator](), name(second)),
            self.operated(tree.operator, name(first), name(second)),
        )


def _is_plain(constant: Constant) -> bool:
    """Whether Python finds equal to this number or string just what the language does."""
    value = constant.value
    if isinstance(value, str):
        return not values.is_duration_text(value)
    return constant.kind in _NUMBERS and isinstance(value, int | float) and values.is_exact(value)


def _is_ordered_plainly(constant: Constant) -> bool:
    return constant.kind is Kind.STRING or (constant.kind in _NUMBERS and _is_plain(constant))


def _compare(left: ast.expr, operator: ast.cmpop, right: ast.expr) -> ast.expr:
    return ast.Compare(left, [operator], [right])


def _class_of(value: ast.expr) -> ast.expr:
    return ast.Attribute(value, "__class__", ast.Load())


def _is(left: ast.expr, right: ast.expr) -> ast.expr:
    return _compare(left, ast.Is(), right)


def _is_not(left: ast.expr, class_name: str) -> ast.expr:
    return _compare(left, ast.IsNot(), name(class_name))
