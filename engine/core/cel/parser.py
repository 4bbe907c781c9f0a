"""Tokens to a parse tree, by recursive descent with one function per shape.

The grammar is that of the Common Expression Language. Binary operators are taken by precedence
climbing (Richards & Whitby-Strevens 1979), `&&` and `||` as one operation of many operands.
"""

from __future__ import annotations

from engine.core.cel.errors import CelSyntaxError, check_error, syntax_error
from engine.core.cel.lexer import KEYWORDS, RESERVED, Token, TokenKind, tokens_of
from engine.core.cel.limits import INT_MAX, NESTING_MAX
from engine.core.cel.tree import Call, ListOf, Literal, MapOf, Name, Operation, Select, Tree

_PRECEDENCE = {
    "||": 1,
    "&&": 2,
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">=", "in"), 3),
    **dict.fromkeys(("+", "-"), 4),
    **dict.fromkeys(("*", "/", "%"), 5),
}
_CHAINED = frozenset({"&&", "||"})
_NEGATED_TWICE = 2


def parse(text: str) -> Tree:
    """The parse tree of a whole expression. O(length).

    Raises:
        CelSyntaxError: The text is not an expression.
        CelCheckError: It nests deeper than `NESTING_MAX`.
    """
    return _Parser(text).whole()


class _Parser:
    """A cursor over the tokens; each method takes one shape and leaves the cursor behind it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens_of(text)
        self._next = 0
        self._nesting = -1  # the whole is no nesting

    def whole(self) -> Tree:
        tree = self._expression()
        if self._tokens[self._next].kind is not TokenKind.END:
            raise self._expected("an operator or the end of the expression")
        return tree

    def _expression(self) -> Tree:
        self._nesting += 1
        if self._nesting > NESTING_MAX:
            raise check_error(
                self._text,
                self._tokens[self._next].at,
                f"nested deeper than {NESTING_MAX} levels",
                hint="write it with fewer brackets, lists and calls within each other",
            )
        branches: list[tuple[int, Tree, Tree]] = []
        tree = self._binary(1)
        while (mark := self._taken("?")) is not None:
            then = self._binary(1)
            self._take(":", "`:` and what else the value is")
            branches.append((mark.at, tree, then))
            tree = self._binary(1)
        for at, condition, then in reversed(branches):
            tree = Operation(at, "?:", (condition, then, tree))
        self._nesting -= 1
        return tree

    def _binary(self, precedence_min: int) -> Tree:
        left = self._unary()
        while True:
            token = self._tokens[self._next]
            precedence = _PRECEDENCE.get(token.text, 0) if _is_operator(token) else 0
            if precedence < precedence_min:
                return left
            self._next += 1
            operands = [left, self._binary(precedence + 1)]
            while token.text in _CHAINED and self._taken(token.text) is not None:
                operands.append(self._binary(precedence + 1))
            left = Operation(token.at, token.text, tuple(operands))

    def _unary(self) -> Tree:
        mark = self._tokens[self._next]
        if mark.kind is not TokenKind.SIGN or mark.text not in {"!", "-"}:
            return self._member()
        times = 0
        while self._taken(mark.text) is not None:
            times += 1
        number = self._tokens[self._next]
        if mark.text == "-" and number.kind in {TokenKind.INT, TokenKind.DOUBLE}:
            times -= 1
            operand = self._member(negated=True)
        else:
            operand = self._member()
        # Beyond two, each pair cancels: what the operand may be was asked by the first two.
        if times > _NEGATED_TWICE:
            times = _NEGATED_TWICE - times % 2
        for _ in range(times):
            operand = Operation(mark.at, "!" if mark.text == "!" else "negate", (operand,))
        return operand

    def _member(self, *, negated: bool = False) -> Tree:
        tree = self._primary(negated=negated)
        while True:
            mark = self._tokens[self._next]
            if self._taken(".") is not None:
                tree = self._selected(tree)
            elif self._taken("[") is not None:
                key = self._expression()
                self._take("]", "`]`")
                tree = Operation(mark.at, "[]", (tree, key))
            else:
                return tree

    def _selected(self, operand: Tree) -> Tree:
        name = self._tokens[self._next]
        self._next += 1
        if name.kind is TokenKind.QUOTED:
            return Select(name.at, operand, str(name.value))
        if name.kind is not TokenKind.NAME or name.text in KEYWORDS or name.text == "in":
            self._next -= 1
            number = operand.value if isinstance(operand, Literal) else None
            hint = f"write {number}.0" if isinstance(number, int) else ""
            raise self._expected("a field name after `.`", hint=hint)
        if self._taken("(") is None:
            return Select(name.at, operand, name.text)
        return Call(name.at, name.text, operand, self._listed(")"))

    def _primary(self, *, negated: bool) -> Tree:
        token = self._tokens[self._next]
        self._next += 1
        match token.kind:
            case TokenKind.INT | TokenKind.DOUBLE:
                return self._number(token, negated=negated)
            case TokenKind.STRING:
                return Literal(token.at, token.value)
            case TokenKind.NAME:
                return self._named(token, absolute=False)
            case TokenKind.SIGN:
                return self._bracketed(token)
            case TokenKind.QUOTED | TokenKind.END:
                self._next -= 1
                raise self._expected("a value")

    def _number(self, token: Token, *, negated: bool) -> Tree:
        value = token.value
        assert isinstance(value, int | float)
        if negated:
            return Literal(token.at, -value)
        if isinstance(value, int) and value > INT_MAX:
            raise syntax_error(
                self._text, token.at, f"expected an integer of 64 bits, found {token.text}"
            )
        return Literal(token.at, value)

    def _named(self, token: Token, *, absolute: bool) -> Tree:
        if token.text in KEYWORDS and not absolute:
            return Literal(token.at, KEYWORDS[token.text])
        if token.text in RESERVED or token.text in KEYWORDS or token.text == "in":
            self._next -= 1
            hint = f"`{token.text}` is a reserved word"
            if token.text in {"if", "else"}:
                hint = "write `condition ? value : other`"
            raise self._expected("a value", hint=hint)
        if self._taken("(") is None:
            return Name(token.at, token.text, absolute)
        return Call(token.at, token.text, None, self._listed(")"))

    def _bracketed(self, token: Token) -> Tree:
        match token.text:
            case "(":
                tree = self._expression()
                self._take(")", "`)` or an operator")
                return tree
            case "[":
                return ListOf(token.at, self._listed("]", trailing_comma=True))
            case "{":
                return MapOf(token.at, self._entries())
            case ".":
                name = self._tokens[self._next]
                if name.kind is TokenKind.NAME:
                    self._next += 1
                    return self._named(name, absolute=True)
                raise self._expected("a name after `.`")
            case _:
                self._next -= 1
                raise self._expected("a value")

    def _listed(self, end: str, *, trailing_comma: bool = False) -> tuple[Tree, ...]:
        items: list[Tree] = []
        while self._taken(end) is None:
            if items:
                self._take(",", f"`,` or `{end}`")
                if trailing_comma and self._taken(end) is not None:
                    break
            items.append(self._expression())
        return tuple(items)

    def _entries(self) -> tuple[tuple[Tree, Tree], ...]:
        entries: list[tuple[Tree, Tree]] = []
        while self._taken("}") is None:
            if entries:
                self._take(",", "`,` or `}`")
                if self._taken("}") is not None:
                    break
            key = self._expression()
            self._take(":", "`:` and the value of this key")
            entries.append((key, self._expression()))
        return tuple(entries)

    def _taken(self, sign: str) -> Token | None:
        token = self._tokens[self._next]
        if token.kind is not TokenKind.SIGN or token.text != sign:
            return None
        self._next += 1
        return token

    def _take(self, sign: str, expected: str) -> None:
        if self._taken(sign) is None:
            raise self._expected(expected)

    def _expected(self, expected: str, *, hint: str = "") -> CelSyntaxError:
        found = self._tokens[self._next]
        return syntax_error(
            self._text,
            found.at,
            f"expected {expected}, found {found.described()}",
            hint=hint or self._hint(found),
        )

    def _hint(self, found: Token) -> str:
        """For what other languages write here."""
        before = self._tokens[self._next - 1] if self._next else None
        if before is not None and before.text == "not" and before.kind is TokenKind.NAME:
            return "write `!`"
        if before is not None and (before.text, found.text) == ("<", ">"):
            return "write `!=`"
        if found.text == ",":
            return "a list is written in [ ], and a number with a point: 20.5"
        return _HINTS.get(found.text.lower(), "")


_HINTS = {
    "and": "write `&&`",
    "or": "write `||`",
    "not": "write `!`",
    "is": "write `==`",
    "then": "write `condition ? value : other`",
    "contains": "write text.contains(part)",
}


def _is_operator(token: Token) -> bool:
    return token.kind is TokenKind.SIGN or (token.kind is TokenKind.NAME and token.text == "in")
