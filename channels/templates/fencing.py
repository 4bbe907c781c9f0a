"""Filters behind a fence: what each is given and makes is measured, and charged to the meter.

python-liquid meters loops, assigned names and output; what a chain of filters builds in between it
does not meter (`replace: ''` squares its input), so every filter here is fenced on both sides. Most
are given a word or a number: for these a fence is one more call and a few additions.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

from liquid.exceptions import ResourceLimitError
from liquid.filter import with_context

from channels.templates.metering import (
    CALL_WORK_MAX,
    ITEMS_MAX,
    OUTPUT_BYTES_MAX,
    VALUE_CHARS_A_UNIT,
)
from channels.templates.missing import CountedUndefined

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from channels.templates.sandbox import SandboxContext

_DIGIT_BITS_MAX: Final = 4096
_ITEM_CHARS: Final = 64
_LIGHT: Final = 256
_MULTIPLYING = frozenset({"replace", "join"})
_WEIGHTS: Final[Mapping[str, int]] = {
    "escape": 8,
    "escape_once": 128,
    "escapejs": 512,
    "newline_to_br": 192,
    "sort": 32,
    "sort_natural": 64,
    "squish": 64,
    "sum": 32,
    "truncatewords": 192,
    "uniq": 128,
    "strip_html": 512,
    "strip_newlines": 256,
    "url_decode": 256,
    "url_encode": 128,
    "where": 32,
}
"""How many times longer than `upcase` some take for a text of the worst kind, measured."""

_PAIRS_A_UNIT: Final = 32


def fenced(name: str, func: Callable[..., Any]) -> Callable[..., Any]:
    """A filter within bounds. It raises ResourceLimitError where it would be too much."""
    takes_context = getattr(func, "with_context", False)
    weight = _WEIGHTS.get(name, 1)

    @functools.wraps(func)  # keeps the mark by which Liquid passes the environment
    def fence(value: Any, *args: Any, context: SandboxContext, **kwargs: Any) -> Any:  # noqa: ANN401
        if name != "default" and isinstance(value, CountedUndefined):
            value.miss()
        kind = type(value)
        size = len(value) if kind is str else 0 if kind is float else measure(value)
        for given in args:
            size += len(given) if type(given) is str else measure(given)
        units = 1
        if size >= _LIGHT:
            units += _foreseen_units(name, size * weight, (value, *args))
        if name in _MULTIPLYING:
            _foresee(name, value, args)
        if takes_context:
            made = func(value, *args, context=context, **kwargs)
        else:
            made = func(value, *args, **kwargs)
        size = len(made) if type(made) is str else measure(made)
        if size >= _LIGHT:
            measure(made)
            units += size // VALUE_CHARS_A_UNIT
        context.meter.spend(units)
        return made

    return with_context(fence)


def _foreseen_units(name: str, weighted: int, given: tuple[object, ...]) -> int:
    """What a filter will take for what it is given, unless that is too much for one."""
    for one in given:
        measure(one)
    units = weighted // VALUE_CHARS_A_UNIT
    if name == "uniq" and isinstance(given[0], (list, tuple)):  # each is compared with each
        units = len(given[0]) ** 2 // _PAIRS_A_UNIT
    if units > CALL_WORK_MAX:
        raise ResourceLimitError("a filter's value is too large", token=None)
    return units


def measure(value: object) -> int:
    """About how much there is of it, in characters; an item of a list counts for some."""
    if isinstance(value, str):
        size = len(value)
        within = size <= OUTPUT_BYTES_MAX
    elif isinstance(value, (list, tuple, range)):
        size = len(value) * _ITEM_CHARS
        within = len(value) <= ITEMS_MAX
    elif isinstance(value, int):
        size = 0
        within = value.bit_length() <= _DIGIT_BITS_MAX
    else:
        size, within = 0, True
    if not within:
        raise ResourceLimitError("a filter's value is too large", token=None)
    return size


def _foresee(name: str, value: object, args: tuple[object, ...]) -> None:
    """Refuse what would be too large before it is made: these two multiply their inputs."""
    if name == "join":
        items = value if isinstance(value, (list, tuple, range)) else ()
        separator = len(str(args[0])) if args else 1
        size = sum(len(str(item)) for item in items) + separator * len(items)
    else:
        text = str(value)
        found = text.count(str(args[0])) if args else 0
        size = len(text) + found * (len(str(args[1])) if len(args) > 1 else 0)
    if size > OUTPUT_BYTES_MAX:
        raise ResourceLimitError(f"'{name}' would make too long a text", token=None)
