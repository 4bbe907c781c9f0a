"""From one kind to another: `int()`, `double()`, `string()`, `bool()`, `type()`."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta
from decimal import Decimal

from engine.core.cel.checked import TypeValue
from engine.core.cel.errors import CelError
from engine.core.cel.limits import INT_MAX, INT_MIN
from engine.core.cel.moments import duration_text, epoch_s, timestamp_text
from engine.core.cel.values import KINDS, Value, name_of, no_overload

_INT = re.compile(r"[+-]?[0-9]{1,40}")
_DOUBLE = re.compile(r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf(?:inity)?|nan)")
_DOUBLE_LENGTH_MAX = 400
_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})
_INT_BOUND = 2.0**63


def to_int(value: Value) -> int:
    """`int(value)`: of an int, a double (cut toward zero), a string, a timestamp (seconds)."""
    if value.__class__ is int:
        return int(value)
    if value.__class__ is float:
        if not -_INT_BOUND < value < _INT_BOUND:
            raise CelError(f"out of range: {value} does not fit an int of 64 bits")
        return int(value)
    if value.__class__ is str:
        if not _INT.fullmatch(value) or not INT_MIN <= int(value) <= INT_MAX:
            raise _unconvertible(value, "an int")
        return int(value)
    if value.__class__ is datetime:
        return epoch_s(value)
    raise no_overload("int()", value)


def to_double(value: Value) -> float:
    """`double(value)`: of an int, a double, a string."""
    if value.__class__ is float:
        return float(value)
    if value.__class__ is int:
        if not INT_MIN <= value <= INT_MAX:
            raise CelError("out of range: an int has 64 bits")
        return float(value)
    if value.__class__ is str:
        if len(value) > _DOUBLE_LENGTH_MAX or not _DOUBLE.fullmatch(value.lower()):
            raise _unconvertible(value, "a double")
        return float(value)
    raise no_overload("double()", value)


def to_bool(value: Value) -> bool:
    """`bool(value)`: of a bool, a string (`1 t T true TRUE True` and their opposites)."""
    if value.__class__ is bool:
        return bool(value)
    if value.__class__ is str:
        if value in _TRUE or value in _FALSE:
            return value in _TRUE
        raise _unconvertible(value, "a bool")
    raise no_overload("bool()", value)


def to_string(value: Value) -> str:
    """`string(value)`: of a string, int, double, bool, timestamp, duration."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            if not INT_MIN <= value <= INT_MAX:
                raise CelError("out of range: an int has 64 bits")
            return str(value)
        case float():
            return _double_text(value)
        case datetime():
            return timestamp_text(value)
        case timedelta():
            return duration_text(value)
        case _:
            raise no_overload("string()", value)


def type_of(value: Value) -> TypeValue:
    """`type(value)`."""
    kind = KINDS.get(value.__class__)
    if kind is None:
        raise CelError(f"no such type: {name_of(value)}")
    return TypeValue(kind.value)


def _unconvertible(text: str, kind: str) -> CelError:
    return CelError(f"type conversion error: {text[:40]!r} is not {kind}")


def _double_text(value: float) -> str:
    """The fewest digits that say it; an exponent from 1e+06 on and below 1e-04, as C has it."""
    least, most = 1e-4, 1e6
    if not math.isfinite(value) or value == 0 or least <= abs(value) < most:
        return repr(value).removesuffix(".0")
    digits = len(Decimal(repr(value)).normalize().as_tuple().digits)
    return f"{value:.{digits - 1}e}"
