"""Conditions: the Common Expression Language (CEL), compiled to Python.

Theory of operation. `lexer` and `parser` make a parse tree (`tree`) of the text; `checker` resolves
names and macros to a checked tree (`checked`) and refuses what cannot be. From that, `fast` makes a
Python function in which operators are Python's own behind guards; what it cannot answer it raises,
and then the function made by `emit`, from the exact operators of `values` and the absorbing ones of
`absorbing`, is asked. The two never give different values.

The language is CEL as https://github.com/google/cel-spec defines it, without messages, bytes and
unsigned integers, and with two extensions: numbers mix across int and double (`1 + 2.0` is `3.0`),
and a duration compares with a duration string (`since("Cart Viewed") >= "30m"`), which `duration()`
takes with days and weeks too. Timestamps and durations are held to the microsecond.

    >>> compile('user.segment == "VIP" && cart.value > 500.0').truth(
    ...     {"user": {"segment": "VIP"}, "cart": {"value": 620}}
    ... )
    True
"""

from __future__ import annotations

from engine.core.cel.absorbing import Work
from engine.core.cel.asking import MOMENT, QUESTIONS
from engine.core.cel.checked import Kind, TypeValue
from engine.core.cel.checker import Scope
from engine.core.cel.costly import does_work
from engine.core.cel.errors import (
    TRAPS,
    CelCheckError,
    CelError,
    CelSyntaxError,
    CelTextError,
    ExpressionError,
)
from engine.core.cel.moments import zone_of
from engine.core.cel.program import Program, compile  # noqa: A004 - as re.compile
from engine.core.cel.reads import fields_read

__all__ = [
    "MOMENT",
    "QUESTIONS",
    "TRAPS",
    "CelCheckError",
    "CelError",
    "CelSyntaxError",
    "CelTextError",
    "ExpressionError",
    "Kind",
    "Program",
    "Scope",
    "TypeValue",
    "Work",
    "compile",
    "does_work",
    "fields_read",
    "zone_of",
]
