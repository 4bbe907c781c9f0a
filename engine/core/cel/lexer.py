"""Text to tokens: one pass, one compiled pattern, each token with the offset where it begins.

The lexis is that of the Common Expression Language, without bytes and unsigned integers.
"""

from __future__ import annotations

import enum
import re

import msgspec

from engine.core.cel.errors import syntax_error
from engine.core.cel.limits import INT_MAX, TEXT_LENGTH_MAX

RESERVED = frozenset(
    (
        *("as", "break", "const", "continue", "else", "for", "function", "if", "import", "let"),
        *("loop", "package", "namespace", "return", "var", "void", "while"),
    )
)
"""Words that may name a field or a method but not a variable."""

KEYWORDS = {"true": True, "false": False, "null": None}


class TokenKind(enum.Enum):
    """What a token is; operators and brackets are `SIGN`, with their own text."""

    END = "the end of the expression"
    NAME = "a name"
    QUOTED = "a quoted field name"
    INT = "an integer"
    DOUBLE = "a number"
    STRING = "a string"
    SIGN = "an operator"


class Token(msgspec.Struct, frozen=True):
    """One token: its kind, its text as written, its value where it has one, its offset."""

    kind: TokenKind
    text: str
    at: int
    value: str | int | float | None = None

    def described(self) -> str:
        """How an error message names this token."""
        return TokenKind.END.value if self.kind is TokenKind.END else f"`{self.text}`"


_TOKEN = re.compile(
    r"""
    (?P<space>(?:[ \t\n\f\r]+|//[^\n]*)+)
  | (?P<string>[rR]?(?:'''(?:[^\\]|\\.)*?'''|\"\"\"(?:[^\\]|\\.)*?\"\"\"
                     |'(?:[^\\'\n\r]|\\[^\n\r])*'|"(?:[^\\"\n\r]|\\[^\n\r])*"))
  | (?P<double>[0-9]*\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+)
  | (?P<hex>0x[0-9a-fA-F]+)
  | (?P<int>[0-9]+)
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<quoted>`[A-Za-z0-9_.\-/\ ]+`)
  | (?P<sign>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]{}])
    """,
    re.VERBOSE | re.DOTALL,
)

# A raw string ends at the first quote mark, whatever stands before it.
_RAW = re.compile(
    r"""[rR](?:'''.*?'''|\"\"\".*?\"\"\"|'[^'\n\r]*'|"[^"\n\r]*")""",
    re.VERBOSE | re.DOTALL,
)

_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\?\"'`])|[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})"
    r"|([0-3][0-7]{2})|())"
)
_SIMPLE_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_SURROGATES = range(0xD800, 0xE000)
_CODE_POINTS_MAX = 0x10FFFF


def tokens_of(text: str) -> list[Token]:
    """All tokens of `text`, the last of kind `END`. O(length).

    Raises:
        CelSyntaxError: A character, number or string that cannot be.
    """
    if len(text) > TEXT_LENGTH_MAX:
        raise syntax_error(
            text,
            TEXT_LENGTH_MAX,
            f"expected at most {TEXT_LENGTH_MAX} characters, found {len(text)}",
            hint="split the expression",
        )
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        found = _RAW.match(text, at) or _TOKEN.match(text, at)
        if found is None:
            raise _no_token(text, at)
        if found.lastgroup != "space":
            tokens.append(_token(text, at, found))
        at = found.end()
    tokens.append(Token(TokenKind.END, "", len(text)))
    return tokens


_SIGN_HINTS = {
    "&": "write `&&`",
    "|": "write `||`",
    "≥": "write `>=`",
    "≤": "write `<=`",
    "≠": "write `!=`",
    "#": "a comment begins with `//`",
    ";": "a condition is one expression: join its parts with `&&` or `||`",
    "“": 'write straight quotes: "text"',
    "”": 'write straight quotes: "text"',
    "\u2018": "write straight quotes: 'text'",
    "\u2019": "write straight quotes: 'text'",
}
_EQUALS_HINTS = {"!": "write `!=`", ">": "write `>=`", "<": "write `<=`"}


def _no_token(text: str, at: int) -> Exception:
    found = text[at]
    if found in "'\"":
        what = f"expected {found} to end the string, found no end"
        return syntax_error(text, at, what, hint="close it in the same line")
    if found == "`":
        return syntax_error(text, at, "expected a field name in backquotes, found no end of it")
    hint = _SIGN_HINTS.get(found, "")
    if found == "=":
        after = _EQUALS_HINTS.get(text[at + 1 : at + 2], "compare with `==`")
        hint = "write `!=`" if text[at - 2 : at] == "!=" else after
    what = f"expected a value, a name or an operator, found `{found}`"
    return syntax_error(text, at, what, hint=hint)


def _token(text: str, at: int, found: re.Match[str]) -> Token:  # noqa: PLR0911 - one return a kind
    word = found.group()
    match found.lastgroup:
        case None:
            quotes = 3 if word[1:4] in {"'''", '"""'} and len(word) > 6 else 1  # noqa: PLR2004 - r, 3 + 3
            return Token(TokenKind.STRING, word, at, word[1 + quotes : -quotes])
        case "string":
            return Token(TokenKind.STRING, word, at, _unescaped(text, at, word))
        case "double":
            _no_tail(text, found.end())
            return Token(TokenKind.DOUBLE, word, at, float(word))
        case "int" | "hex":
            _no_tail(text, found.end())
            return Token(TokenKind.INT, word, at, _integer(text, at, word))
        case "name":
            if text[found.end() : found.end() + 1] in {"'", '"'} and word.lower() in {"b", "br"}:
                raise syntax_error(text, at, "expected a string, found bytes, which are not known")
            return Token(TokenKind.NAME, word, at)
        case "quoted":
            return Token(TokenKind.QUOTED, word, at, word[1:-1])
        case _:
            return Token(TokenKind.SIGN, word, at)


def _no_tail(text: str, end: int) -> None:
    tail = text[end : end + 1]
    if tail in {"u", "U"}:
        raise syntax_error(text, end, "expected a signed number, found an unsigned one")
    if tail.isalnum() or tail == "_":
        raise syntax_error(text, end, f"expected the number to end, found {tail!r}")


def _integer(text: str, at: int, word: str) -> int:
    digits_max = 40
    value = int(word, 0) if word.startswith("0x") else int(word[:digits_max])
    # One more than the largest, since the sign of the smallest integer is a token of its own.
    if len(word) > digits_max or value > INT_MAX + 1:
        raise syntax_error(text, at, f"expected an integer of 64 bits, found {word[:digits_max]}")
    return value


def _unescaped(text: str, at: int, word: str) -> str:
    quotes = 3 if word[:3] in {"'''", '"""'} and len(word) > 5 else 1  # noqa: PLR2004 - 3 + 3 marks
    inner = word[quotes:-quotes]
    if "\\" not in inner:
        return inner

    def replaced(escape: re.Match[str]) -> str:
        simple, *codes = escape.groups()
        if simple is not None:
            return _SIMPLE_ESCAPES.get(simple, simple)
        hexadecimal = codes[0] or codes[1] or codes[2]
        if hexadecimal is None and codes[3] is None:
            raise syntax_error(
                text,
                at + quotes + escape.start(),
                f"expected an escape such as \\n or \\u00e9,"
                f" found {inner[escape.start() : escape.start() + 2]}",
                hint='write \\\\ for a backslash, or a raw string r"…"',
            )
        code = int(codes[3], 8) if hexadecimal is None else int(hexadecimal, 16)
        if code > _CODE_POINTS_MAX or code in _SURROGATES:
            raise syntax_error(
                text, at + quotes + escape.start(), f"expected a code point, found {escape.group()}"
            )
        return chr(code)

    return _ESCAPE.sub(replaced, inner)
