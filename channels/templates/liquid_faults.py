"""Where in a text a Liquid fault lies: python-liquid does not say when an expression just ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from liquid.exceptions import LiquidError, ResourceLimitError, UndefinedError

if TYPE_CHECKING:
    from liquid import Environment, Token


def said(fault: LiquidError) -> str:
    """The fault's message, without the excerpt that python-liquid draws around it."""
    return str(fault.message or "a fault in the template")


def remedy(fault: LiquidError) -> str:
    """What would be right, where that follows from the kind of fault; else ""."""
    if isinstance(fault, UndefinedError):
        return "write | default: … where somebody may lack it"
    if isinstance(fault, ResourceLimitError):
        return (
            "a message has limits (docs/reference/templates.md): go over less, by limit: or slice"
        )
    return ""


def position(fault: LiquidError) -> tuple[int, int]:
    """Line and column (from 1) of a fault that knows its token; (0, 0) of one that does not."""
    token = fault.token
    if token is None or token.start_index < 0:
        return 0, 0
    before = token.source[: token.start_index]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def locate(env: Environment, source: str, fault: LiquidError) -> int:
    """The line (from 1) of a fault that parsing `source` gave.

    Where the fault does not know its token, an unclosed block is found by counting tags, anything
    else as the shortest beginning of the text that has the same fault: quadratic, on faults alone.
    """
    line, _ = position(fault)
    if line:
        return line
    tokens = list(env.tokenizer()(source))
    start = _unclosed(env, tokens) if "expected tag end" in said(fault) else None
    if start is None:
        start = _first_with(env, source, tokens, said(fault))
    return source.count("\n", 0, start) + 1


def _unclosed(env: Environment, tokens: list[Token]) -> int | None:
    opened: list[tuple[str, int]] = []
    for token in tokens:
        if token.kind != "tag":
            continue
        if opened and token.value == opened[-1][0]:
            opened.pop()
        elif token.value in env.tags and env.tags[token.value].block:
            opened.append((env.tags[token.value].end, token.start_index))
    return opened[-1][1] if opened else None


def _first_with(env: Environment, source: str, tokens: list[Token], message: str) -> int:
    ends = [token.start_index for token in tokens[1:]] + [len(source)]
    for token, end in zip(tokens, ends, strict=True):
        if token.kind != "expression":
            continue
        try:
            env.from_string(source[:end])
        except LiquidError as fault:
            if said(fault) == message:
                return token.start_index
    return 0
