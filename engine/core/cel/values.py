"""The operators on values, exactly: each answers, or raises `CelError`. The authority.

Values are plain Python: bool, int, float, str, None, list, dict, an aware `datetime` (a timestamp),
a `timedelta` (a duration). Python takes `True` for 1, compares lists, counts from the end of a list
and has integers without end; the language does none of that, so every operator asks for the exact
class first. Two things are ours: int and double mix in computing, and a duration compares with a
duration string such as "30m".
"""

from __future__ import annotations

import math
import operator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from engine.core.cel.checked import Kind, TypeValue
from engine.core.cel.errors import CelError
from engine.core.cel.limits import DURATION_S_MAX, INT_EXACT_MAX, INT_MAX, INT_MIN
from engine.core.durations import DurationError, parse_duration_ms

if TYPE_CHECKING:
    from collections.abc import Callable

Value: TypeAlias = Any
"""Any value of the language; what it may be is said by its class alone."""

KINDS: dict[type, Kind] = {
    bool: Kind.BOOL,
    int: Kind.INT,
    float: Kind.DOUBLE,
    str: Kind.STRING,
    type(None): Kind.NULL,
    list: Kind.LIST,
    dict: Kind.MAP,
    datetime: Kind.TIMESTAMP,
    timedelta: Kind.DURATION,
    TypeValue: Kind.TYPE,
}
NUMBERS: frozenset[type] = frozenset({int, float})
KEYS: frozenset[type] = frozenset({bool, int, float, str})
ORDERED: frozenset[type] = frozenset({bool, int, float, str, datetime, timedelta})
_DURATION_MAX = timedelta(seconds=DURATION_S_MAX)


def name_of(value: object) -> str:
    """How messages name the kind of a value."""
    kind = KINDS.get(value.__class__)
    return f"an unknown {value.__class__.__name__}" if kind is None else kind.value


def no_overload(what: str, *operands: object) -> CelError:
    """The error of an operator or function that has no meaning for such operands."""
    return CelError(f"no such overload: {what} of {', '.join(map(name_of, operands))}")


def boolean(value: Value) -> bool:
    """The value, which must be a boolean."""
    if value is True or value is False:
        return bool(value)
    raise CelError(f"no such overload: expected a bool, found {name_of(value)}")


def variable(bindings: Value, name: str) -> Value:
    """What a name is bound to."""
    try:
        return bindings[name]
    except KeyError:
        raise CelError(f"no such variable: {name!r} is not at hand here") from None


@lru_cache(maxsize=1024)
def _duration_of(text: str) -> timedelta | None:
    try:
        return timedelta(milliseconds=parse_duration_ms(text))
    except DurationError:
        return None


def is_duration_text(text: str) -> bool:
    """Whether a string would compare with a duration."""
    return _duration_of(text) is not None


def equal(a: Value, b: Value) -> bool:  # noqa: PLR0911 - one return a pair of classes
    """`a == b`: false where the kinds differ, numbers by value, lists and maps by their parts."""
    ca, cb = a.__class__, b.__class__
    if ca is cb:
        if ca is list:
            return len(a) == len(b) and all(map(equal, a, b))
        if ca is dict:
            return len(a) == len(b) and all(
                holds(b, key) and equal(value, b[key]) for key, value in a.items()
            )
        return bool(a == b)
    if ca in NUMBERS and cb in NUMBERS:
        return _as_double(a) == _as_double(b)
    if ca is timedelta and cb is str:
        return bool(a == _duration_of(b))
    if ca is str and cb is timedelta:
        return bool(b == _duration_of(a))
    return False


def unequal(a: Value, b: Value) -> bool:
    """`a != b`."""
    return not equal(a, b)


def _as_double(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _comparable(sign: str, a: Value, b: Value) -> tuple[Value, Value]:
    ca, cb = a.__class__, b.__class__
    if ca is cb:
        if ca not in ORDERED:
            raise no_overload(sign, a, b)
        if ca is datetime and (a.tzinfo is None) is not (b.tzinfo is None):
            raise CelError("a timestamp without a time zone has no place in time")
        return a, b
    if ca in NUMBERS and cb in NUMBERS:
        # As doubles, which is what the language says, not as exact as Python is.
        return _as_double(a), _as_double(b)
    if ca is timedelta and cb is str:
        return a, _as_duration(b)
    if ca is str and cb is timedelta:
        return _as_duration(a), b
    raise no_overload(sign, a, b)


def _as_duration(text: str) -> timedelta:
    duration = _duration_of(text)
    if duration is None:
        raise CelError(
            f"a duration compares with a duration, not with {text[:40]!r}",
            hint='write it like "30m" or "1h30m"',
        )
    return duration


def less(a: Value, b: Value) -> bool:
    """`a < b`."""
    a, b = _comparable("<", a, b)
    return bool(a < b)


def at_most(a: Value, b: Value) -> bool:
    """`a <= b`."""
    a, b = _comparable("<=", a, b)
    return bool(a <= b)


def more(a: Value, b: Value) -> bool:
    """`a > b`."""
    a, b = _comparable(">", a, b)
    return bool(a > b)


def at_least(a: Value, b: Value) -> bool:
    """`a >= b`."""
    a, b = _comparable(">=", a, b)
    return bool(a >= b)


def holds(entries: dict[Value, Value], key: Value) -> bool:
    """Whether a map has a key, where Python alone would find 1 under true.

    O(1); for 0, 1 and booleans O(size).
    """
    if key not in entries:
        return False
    if key.__class__ is str or (key.__class__ is not bool and key not in {0, 1}):
        return True
    is_bool = key.__class__ is bool
    return any(stored == key and (stored.__class__ is bool) is is_bool for stored in entries)


def field(operand: Value, name: str) -> Value:
    """`operand.name`."""
    if operand.__class__ is not dict:
        raise CelError(f"no such overload: field {name!r} of {name_of(operand)}")
    if name not in operand:
        raise CelError(f"no such key: {name!r}")
    return operand[name]


def has(operand: Value, name: str) -> bool:
    """`has(operand.name)`."""
    if operand.__class__ is not dict:
        raise CelError(f"no such overload: field {name!r} of {name_of(operand)}")
    return name in operand


def item(operand: Value, key: Value) -> Value:
    """`operand[key]`: of a list by a whole number from 0, of a map by its key."""
    if operand.__class__ is dict:
        if key.__class__ not in KEYS:
            raise CelError(f"unsupported key type: {name_of(key)}")
        if not holds(operand, key):
            raise CelError(f"no such key: {key!r}")
        return operand[key]
    if operand.__class__ is list and key.__class__ in NUMBERS:
        return _counted(operand, key)
    raise no_overload("[]", operand, key)


def _counted(items: list[Value], index: Value) -> Value:
    if 0 <= index < len(items) and index == int(index):
        return items[int(index)]
    raise CelError(f"no such item: {index} of a list of {len(items)}")


def contained(value: Value, container: Value) -> bool:
    """`value in container`: among a list's items, O(length), or a map's keys."""
    if container.__class__ is list:
        return any(equal(value, each) for each in container)
    if container.__class__ is dict and value.__class__ in KEYS:
        return holds(container, value)
    raise no_overload("in", value, container)


def entries_of(*pairs: tuple[Value, Value]) -> dict[Value, Value]:
    """`{key: value, …}`: keys are strings, integers or booleans, each once."""
    entries: dict[Value, Value] = {}
    for key, value in pairs:
        if key.__class__ not in KEYS or key.__class__ is float:
            raise CelError(f"unsupported key type: {name_of(key)}")
        if key in entries:
            raise CelError(f"repeated key: {key!r}")
        entries[key] = value
    return entries


def _within_64_bits(value: int) -> int:
    if INT_MIN <= value <= INT_MAX:
        return value
    raise CelError("integer overflow: the result does not fit 64 bits")


def _whole(a: object, b: object) -> bool:
    return a.__class__ is int and b.__class__ is int


def _numeric(a: object, b: object) -> bool:
    return a.__class__ in NUMBERS and b.__class__ in NUMBERS


def add(a: Value, b: Value) -> Value:
    """`a + b`: numbers, strings, lists, durations, a timestamp and a duration."""
    if _whole(a, b):
        return _within_64_bits(a + b)
    if _numeric(a, b):
        return _as_double(a) + _as_double(b)
    ca, cb = a.__class__, b.__class__
    if ca is cb and (ca is str or ca is list):
        return a + b
    if ca is timedelta and (cb is timedelta or cb is datetime):
        return _in_time(operator.add, b, a)
    if ca is datetime and cb is timedelta:
        return _in_time(operator.add, a, b)
    raise no_overload("+", a, b)


def subtract(a: Value, b: Value) -> Value:
    """`a - b`: numbers, durations, timestamps, a timestamp and a duration."""
    if _whole(a, b):
        return _within_64_bits(a - b)
    if _numeric(a, b):
        return _as_double(a) - _as_double(b)
    ca, cb = a.__class__, b.__class__
    if ca is datetime and cb is datetime:
        _comparable("-", a, b)
        return _in_time(operator.sub, a, b)
    if cb is timedelta and (ca is timedelta or ca is datetime):
        return _in_time(operator.sub, a, b)
    raise no_overload("-", a, b)


def _in_time(
    compute: Callable[[Value, Value], timedelta | datetime], a: Value, b: Value
) -> timedelta | datetime:
    try:
        result = compute(a, b)
    except OverflowError:
        raise CelError("out of range: timestamps reach from the year 1 to 9999") from None
    if isinstance(result, timedelta):
        return duration_within(result)
    return result


def duration_within(duration: timedelta) -> timedelta:
    """The duration, which must be no longer than `DURATION_S_MAX` either way."""
    if -_DURATION_MAX <= duration <= _DURATION_MAX:
        return duration
    raise CelError("out of range: a duration reaches 292 years at most")


def multiply(a: Value, b: Value) -> Value:
    """`a * b` of numbers."""
    if _whole(a, b):
        return _within_64_bits(a * b)
    if _numeric(a, b):
        return _as_double(a) * _as_double(b)
    raise no_overload("*", a, b)


def divide(a: Value, b: Value) -> Value:
    """`a / b`: of integers cut toward zero, by zero an error; of doubles as IEEE 754 has it."""
    if _whole(a, b):
        if b == 0:
            raise CelError("division by zero")
        quotient = abs(a) // abs(b)
        return _within_64_bits(quotient if (a < 0) is (b < 0) else -quotient)
    if not _numeric(a, b):
        raise no_overload("/", a, b)
    a, b = _as_double(a), _as_double(b)
    if b != 0.0:
        return a / b
    if a == 0.0 or math.isnan(a):
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1.0, b)


def modulo(a: Value, b: Value) -> Value:
    """`a % b` of integers, with the sign of `a`."""
    if not _whole(a, b):
        raise no_overload("%", a, b)
    if b == 0:
        raise CelError("modulo by zero")
    if a == INT_MIN and b == -1:
        raise CelError("integer overflow: the result does not fit 64 bits")
    rest = abs(a) % abs(b)
    return -rest if a < 0 else rest


def negate(a: Value) -> Value:
    """`-a` of a number."""
    if a.__class__ is int:
        return _within_64_bits(-a)
    if a.__class__ is float:
        return -a
    raise no_overload("-", a)


def invert(a: Value) -> bool:
    """`!a` of a boolean."""
    return not boolean(a)


def is_exact(number: float) -> bool:
    """Whether Python compares this number with ints and floats as the language does."""
    return -INT_EXACT_MAX < number < INT_EXACT_MAX
