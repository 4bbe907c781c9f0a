"""The words of a part of an expression, as they were written: what a person is shown of it.

A checked tree has of each node where one of its tokens stands, and not where it ends: a part's
words go from its first token to its last, and on to where the brackets that it opens are closed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from engine.core.cel.checked import Constant, TypeName, Variable, within
from engine.core.cel.lexer import TokenKind, tokens_of

if TYPE_CHECKING:
    from engine.core.cel.checked import Checked

_CLOSES: Final = {")": "(", "]": "[", "}": "{"}
_OPENS: Final = frozenset(_CLOSES.values())


class Fragments:
    """The parts of one text.

    Args:
        text: An expression that could be compiled. O(length).
    """

    def __init__(self, text: str) -> None:
        self._tokens = tokens_of(text)[:-1]
        self._places = {token.at: place for place, token in enumerate(self._tokens)}
        self._partners: dict[int, int] = {}
        opened: list[int] = []
        for place, token in enumerate(self._tokens):
            if token.kind is TokenKind.SIGN and token.text in _OPENS:
                opened.append(place)
            elif token.kind is TokenKind.SIGN and token.text in _CLOSES:
                partner = opened.pop()
                self._partners[partner], self._partners[place] = place, partner

    def of(self, tree: Checked) -> str:
        """The words of a part, comments left out, on one line. O(their number)."""
        nodes: dict[int, Any] = {self._places[node.at]: node for node in list[Any](within(tree))}
        first, last = min(nodes), max(nodes)
        if self._is_sign(last + 1, "(") and self._tokens[last].kind is TokenKind.NAME:
            last += 1  # of a call, what is called
        first, last = self._balanced(first, last)
        leftmost = nodes.get(first)
        if isinstance(leftmost, Constant) and self._is_negated(leftmost, first):
            first -= 1
        while isinstance(leftmost, Variable | TypeName) and self._is_sign(first - 1, "."):
            first -= 2 if first > 1 else 1  # a name of several words
        return self._words(first, last)

    def _balanced(self, first: int, last: int) -> tuple[int, int]:
        """As far as the brackets reach that begin or end in between."""
        place = first
        while place <= last:
            partner = self._partners.get(place, place)
            if partner < first:
                first, place = partner, partner
            last = max(last, partner)
            place += 1
        return first, last

    def _is_negated(self, constant: Constant, place: int) -> bool:
        value = constant.value
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and str(value).startswith("-") and self._is_sign(place - 1, "-")

    def _is_sign(self, place: int, text: str) -> bool:
        if not 0 <= place < len(self._tokens):
            return False
        token = self._tokens[place]
        return token.kind is TokenKind.SIGN and token.text == text

    def _words(self, first: int, last: int) -> str:
        words: list[str] = []
        end = self._tokens[first].at
        for token in self._tokens[first : last + 1]:
            if token.at > end:
                words.append(" ")
            words.append(token.text)
            end = token.at + len(token.text)
        return "".join(words)
