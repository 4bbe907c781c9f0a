"""Parse tree to checked tree: names resolved, macros opened, what cannot be refused."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, assert_never

import msgspec

from engine.core.cel import checked as to
from engine.core.cel.asking import ASKED_AS, MOMENT, PREDICATE_NAMES, QUESTIONS, read_arguments
from engine.core.cel.checked import Checked, Kind
from engine.core.cel.errors import CelCheckError, CelError, check_error, together
from engine.core.cel.functions import FUNCTIONS, Function, matches
from engine.core.cel.hints import of_function, of_name, of_operator, told
from engine.core.cel.limits import FAULTS_MAX, HEIGHT_MAX
from engine.core.cel.moments import GETTERS, to_duration
from engine.core.cel.overloads import can_equal, result_of
from engine.core.cel.tree import Call, ListOf, Literal, MapOf, Name, Operation, Select, Tree

if TYPE_CHECKING:
    from collections.abc import Iterable


class Scope(msgspec.Struct, frozen=True):
    """What an expression may name.

    Attributes:
        variables: The names that will be bound; a name may be dotted (`session.duration`).
        functions: The functions of history that it may call (`asking.QUESTIONS`).
        kinds: Of those variables that always have the same.
    """

    variables: frozenset[str]
    functions: frozenset[str] = frozenset()
    kinds: dict[str, Kind] = {}


MACROS = {"all": (2,), "exists": (2,), "exists_one": (2,), "map": (2, 3), "filter": (2,)}
"""The macros over lists and maps, and how many arguments each takes."""

_MACRO_KINDS = {"map": Kind.LIST, "filter": Kind.LIST}
_LITERAL_KINDS = {
    bool: Kind.BOOL,
    int: Kind.INT,
    float: Kind.DOUBLE,
    str: Kind.STRING,
    type(None): Kind.NULL,
}
_TYPE_NAMES = frozenset(kind.value for kind in Kind if kind is not Kind.ANY)
_STAND_INS: Final[dict[Any, Any]] = {
    matches: "",
    **dict.fromkeys(GETTERS.values(), datetime(1970, 1, 1, tzinfo=UTC)),
}
"""What a function is tried on with a constant second argument: a pattern, a time zone."""

_BOOLEAN = (Kind.BOOL, Kind.ANY)
_MAPS = (Kind.MAP, Kind.ANY)
_RANGES = (Kind.LIST, Kind.MAP, Kind.ANY)


def check(text: str, tree: Tree, scope: Scope | None) -> tuple[Checked, frozenset[str]]:
    """The checked tree, and the variables that it reads.

    Raises:
        CelCheckError: Unknown names (given a scope), wrong numbers of arguments, operands that
            no evaluation can make fit: the first, with up to `FAULTS_MAX` in all; or a tree
            higher than `HEIGHT_MAX`.
    """
    checker = _Checker(text, scope)
    result: Checked | None = None
    with suppress(_NoMore):
        result = checker.checked(tree)
    if result is None or checker.faults:
        raise together(checker.faults, result, checker.beside)
    return result, frozenset(checker.names)


class _NoMore(Exception):  # noqa: N818 - it is no error: the rest is not looked at
    """Enough was found, or what follows is too deep to be looked at."""


class _Checker:
    """What is wrong is noted, and something of any kind stands in for it: the rest is read on."""

    def __init__(self, text: str, scope: Scope | None) -> None:
        self._text = text
        self._scope = scope
        self._locals: list[str] = []
        self._height = 0
        self._counting = ""
        self.names: set[str] = set()
        self.faults: list[CelCheckError] = []
        self.beside: list[Checked] = []

    def _tell(self, at: int, message: str, *, hint: str = "") -> None:
        self.faults.append(check_error(self._text, at, message, hint=hint))
        if len(self.faults) >= FAULTS_MAX:
            raise _NoMore

    def checked(self, tree: Tree) -> Checked:
        self._height += 1
        if self._height > HEIGHT_MAX:
            self._tell(
                tree.at,
                f"the expression is more than {HEIGHT_MAX} operations deep",
                hint="make it shorter; `&&`, `||` and lists count once, however long they are",
            )
            raise _NoMore
        result = self._of(tree)
        self._height -= 1
        return result

    def _of(self, tree: Tree) -> Checked:  # noqa: PLR0911 - one return a shape
        match tree:
            case Literal(at, value):
                return to.Constant(at, _LITERAL_KINDS[value.__class__], value)
            case Name():
                return self._name(tree)
            case Select():
                return self._select(tree)
            case Operation():
                return self._operation(tree)
            case Call():
                return self._call(tree)
            case ListOf(at, items):
                return to.Items(at, tuple(map(self.checked, items)))
            case MapOf(at, entries):
                return self._map(at, entries)
            case _:
                assert_never(tree)

    def _map(self, at: int, entries: Iterable[tuple[Tree, Tree]]) -> Checked:
        pairs = tuple((self.checked(key), self.checked(value)) for key, value in entries)
        for key, _ in pairs:
            if key.kind not in {Kind.STRING, Kind.INT, Kind.BOOL, Kind.ANY}:
                self._tell(key.at, f"{told(key.kind)} is no key of a map")
        return to.Entries(at, pairs)

    def _name(self, tree: Name) -> Checked:
        if not tree.absolute:
            for level in range(len(self._locals) - 1, -1, -1):
                if self._locals[level] == tree.name:
                    return to.Local(tree.at, level)
        known = self._known(tree.at, tree.name)
        if known is not None:
            return known
        self._readable(tree.at, tree.name)
        if self._scope is None:
            self.names.add(tree.name)
            return to.Variable(tree.at, tree.name)
        hint = of_name(tree.name, self._scope.variables, self._locals)
        self._tell(tree.at, f"unknown name {tree.name!r}", hint=hint)
        return to.Unbound(tree.at, tree.name)

    def _known(self, at: int, name: str) -> Checked | None:
        if self._scope is not None and name in self._scope.variables:
            self._readable(at, name)
            self.names.add(name)
            return to.Variable(at, name, self._scope.kinds.get(name, Kind.ANY))
        if name in _TYPE_NAMES:
            return to.TypeName(at, name)
        return None

    def _readable(self, at: int, name: str) -> None:
        """Refuse a variable that the condition on a counted event may not read."""
        if self._counting and name not in PREDICATE_NAMES:
            self._tell(
                at,
                f"{name!r} cannot be asked of each event counted",
                hint=f"the condition on it sees {self._counting}, event and user",
            )

    def _select(self, tree: Select) -> Checked:
        dotted = self._dotted(tree)
        known = None if dotted is None else self._known(tree.at, dotted)
        if known is not None:
            return known
        return to.Field(tree.at, self._holder(tree), tree.field)

    def _holder(self, tree: Select) -> Checked:
        operand = self.checked(tree.operand)
        if operand.kind not in _MAPS:
            self._tell(tree.at, f"{told(operand.kind)} has no field {tree.field!r}")
        return operand

    def _dotted(self, tree: Select) -> str | None:
        """`a.b.c` as one name, where a scope or a type could have it."""
        parts = [tree.field]
        below = tree.operand
        while isinstance(below, Select):
            parts.append(below.field)
            below = below.operand
        if not isinstance(below, Name) or (not below.absolute and below.name in self._locals):
            return None
        return ".".join((below.name, *reversed(parts)))

    def _operation(self, tree: Operation) -> Checked:
        operands = tuple(map(self.checked, tree.operands))
        match tree.operator:
            case "&&" | "||":
                if self._scope is not None:
                    for operand in operands:
                        self._expect(operand, _BOOLEAN, f"`{tree.operator}` wants conditions")
                return to.Logic(tree.at, tree.operator, operands)
            case "?:":
                condition, then, otherwise = operands
                self._expect(condition, _BOOLEAN, "`?` wants a condition before it")
                kind = then.kind if then.kind is otherwise.kind else Kind.ANY
                return to.Choice(tree.at, condition, then, otherwise, kind)
            case operator:
                kinds = [operand.kind for operand in operands]
                result = result_of(operator, *kinds)
                if result is None:
                    found = " and ".join(map(told, kinds))
                    shown = "-" if operator == "negate" else operator
                    hint = of_operator(shown, kinds)
                    self.beside += operands
                    self._tell(tree.at, f"`{shown}` does not take {found}", hint=hint)
                    return to.Unbound(tree.at, shown)
                if self._scope is not None:
                    self._alike(tree.at, operator, operands)
                return to.Operate(tree.at, operator, operands, result)

    def _alike(self, at: int, operator: str, operands: tuple[Checked, ...]) -> None:
        """What is compared can be equal, and a text beside a duration is one."""
        kinds = [operand.kind for operand in operands]
        if operator in {"==", "!="} and not can_equal(*kinds):
            found = " and ".join(map(told, kinds))
            hint = of_operator(operator, kinds)
            self._tell(at, f"`{operator}` between {found}, which are never equal", hint=hint)
        if operator == "in" and isinstance(operands[1], to.Items):
            for item in operands[1].items:
                if not can_equal(kinds[0], item.kind):
                    what = f"{told(item.kind)}, and {told(kinds[0])} is looked for"
                    self._tell(item.at, f"this is {what}: they are never equal")
        if Kind.DURATION in kinds:
            self._durations(operands)

    def _durations(self, operands: tuple[Checked, ...]) -> None:
        for operand in operands:
            if isinstance(operand, to.Constant) and isinstance(operand.value, str):
                try:
                    to_duration(operand.value)
                except CelError as error:
                    self._tell(operand.at, error.message, hint=error.hint)

    def _expect(self, operand: Checked, kinds: tuple[Kind, ...], what: str) -> None:
        if operand.kind not in kinds:
            self._tell(operand.at, f"{what}, found {told(operand.kind)}")

    def _call(self, tree: Call) -> Checked:
        if tree.function == "has" and tree.target is None:
            return self._has(tree)
        if tree.function in MACROS and tree.target is not None:
            return self._macro(tree, tree.target)
        if tree.function in QUESTIONS and tree.target is None and self._may_ask(tree.function):
            return self._asked(tree)
        given = tree.arguments if tree.target is None else (tree.target, *tree.arguments)
        function = FUNCTIONS.get((tree.function, tree.target is not None))
        if function is None:
            return self._unknown_function(tree)
        if not self._has_arity(tree, function.arity):
            return self._unsound(tree, function.kind)
        arguments = tuple(map(self.checked, given))
        if self._are_fitting(tree, function, arguments):
            self._try(function, arguments)
        return to.Apply(tree.at, tree.function, arguments, function.kind)

    def _unsound(self, tree: Call, kind: Kind = Kind.ANY) -> Checked:
        """What stands in for a call at fault, once its own parts have been looked at.

        A name before other arguments may be meant for each element: no fault is made of it.
        """
        around, self._locals = self._locals, [*self._locals]
        if tree.target is not None:
            self.beside.append(self.checked(tree.target))
        for argument in tree.arguments[:-1]:
            if isinstance(argument, Name) and not argument.absolute:
                self._locals.append(argument.name)
        for argument in tree.arguments:
            self.beside.append(self.checked(argument))
        self._locals = around
        return to.Unbound(tree.at, tree.function, kind)

    def _may_ask(self, function: str) -> bool:
        return self._scope is None or function in self._scope.functions

    def _asked(self, tree: Call) -> Checked:
        """A function of history; the condition on counted events sees no name of around it."""
        kind = QUESTIONS[tree.function].kind
        if self._counting:
            hint = f"the condition on a counted event sees {self._counting}, event and user"
            self._tell(tree.at, f"{tree.function}() asks of the past again", hint=hint)
            return to.Unbound(tree.at, tree.function, kind)
        given = read_arguments(tree, self._tell)
        around, level = self._locals, len(self._locals)
        predicate = None
        if given.predicate is not None:
            self._locals = [*[""] * level, given.variable]
            self._counting = given.variable
            predicate = self.checked(given.predicate)
            self._expect(predicate, _BOOLEAN, f"{tree.function}() wants a condition")
            self._locals, self._counting = around, ""
        self.names.add(MOMENT)
        function, name = ASKED_AS.get(tree.function, (tree.function, given.name))
        return to.Asked(
            *(tree.at, function, name, given.window_ms, given.field, level),
            predicate=predicate,
            kind=kind,
        )

    def _are_fitting(self, tree: Call, function: Function, arguments: tuple[Checked, ...]) -> bool:
        known = len(self.faults)
        for argument, kinds in zip(arguments, function.accepts, strict=False):
            if argument.kind is not Kind.ANY and argument.kind not in kinds:
                wanted = " or ".join(sorted(map(told, kinds)))
                what = f"{tree.function}() wants {wanted}, found {told(argument.kind)}"
                self._tell(argument.at, what)
        return len(self.faults) == known

    def _try(self, function: Function, arguments: tuple[Checked, ...]) -> None:
        """A call on constants alone, or with a constant pattern or zone, is tried now."""
        constants = [each for each in arguments if isinstance(each, to.Constant)]
        if not constants:
            return
        given: list[Any] = [each.value for each in constants]
        if len(constants) < len(arguments):
            stand_in = _STAND_INS.get(function.implementation)
            if stand_in is None or arguments[1] is not constants[0]:
                return
            given = [stand_in, constants[0].value]
        try:
            function.implementation(*given)
        except CelError as error:
            self._tell(constants[-1].at, error.message, hint=error.hint)

    def _unknown_function(self, tree: Call) -> Checked:
        if self._scope is None:
            return to.Unbound(tree.at, tree.function)
        style = tree.target is not None
        if (tree.function, not style) in FUNCTIONS:
            how = f"{tree.function}(value)" if style else f"value.{tree.function}(…)"
            message = f"{tree.function}() is not called in this way"
            self._tell(tree.at, message, hint=f"write {how}")
            return self._unsound(tree)
        names = [name for name, method in FUNCTIONS if method is style]
        known = sorted([*names, *(MACROS if style else ("has", *self._scope.functions))])
        hint = of_function(tree.function, known)
        self._tell(tree.at, f"unknown function {tree.function}()", hint=hint)
        return self._unsound(tree)

    def _has_arity(self, tree: Call, arity: tuple[int, ...]) -> bool:
        if len(tree.arguments) in arity:
            return True
        wanted = " or ".join(map(str, arity))
        what = "argument" if wanted == "1" else "arguments"
        found = len(tree.arguments)
        self._tell(tree.at, f"{tree.function}() takes {wanted} {what}, found {found}")
        return False

    def _has(self, tree: Call) -> Checked:
        if not self._has_arity(tree, (1,)):
            return self._unsound(tree, Kind.BOOL)
        (asked,) = tree.arguments
        if not isinstance(asked, Select):
            self._tell(asked.at, "has() asks for a field", hint="write has(event.price)")
            return self._unsound(tree, Kind.BOOL)
        return to.Has(tree.at, self._holder(asked), asked.field)

    def _macro(self, tree: Call, target: Tree) -> Checked:
        kind = _MACRO_KINDS.get(tree.function, Kind.BOOL)
        if not self._has_arity(tree, MACROS[tree.function]):
            return self._unsound(tree, kind)
        name, *bodies = tree.arguments
        if not isinstance(name, Name) or name.absolute:
            message = f"{tree.function}() wants a name for each element first"
            self._tell(name.at, message, hint=f"write list.{tree.function}(e, …)")
            return self._unsound(tree, kind)
        over = self.checked(target)
        self._expect(over, _RANGES, f"{tree.function}() goes over a list or a map")
        level = len(self._locals)
        self._locals.append(name.name)
        parts = [self.checked(body) for body in bodies]
        self._locals.pop()
        result = parts.pop() if tree.function == "map" else None
        test = parts.pop() if parts else None
        if test is not None:
            self._expect(test, _BOOLEAN, f"{tree.function}() wants a condition")
        return to.Comprehension(tree.at, tree.function, over, level, test, result, kind)
