"""Conditions that are a foregone conclusion: they can never be true, or never be false.

Theory of operation. A condition is laid out as alternatives, each a list of demands that hold
together (disjunctive normal form, `!` pushed down to the demands). A demand limits the values of
one *term*, such as `event.price` or `count("A", "1h")`, which is known by what it asks and not by
where it stands (`demands`). An alternative is impossible where the demands on a term leave no
value, or where those on several terms contradict what history functions say of each other: a wider
window holds no fewer events, and who was idle for an hour did nothing in it. A condition without a
possible alternative can never be true; one whose contrary has none is always true, if it is no
error.

Whatever is not understood is taken as possible, so that nothing is said of a condition that can be
either. O(alternatives * demands^2).
"""

from __future__ import annotations

from functools import reduce
from math import inf
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from config.demands import Demand, Term, demand_of, has_value, joined, natural, term_of, whole
from engine.core.cel.checked import (
    Asked,
    Checked,
    Choice,
    Constant,
    Kind,
    Logic,
    Operate,
    are_truths,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ALTERNATIVES_MAX: Final = 200
"""Ways in which a condition can be true that are looked at; of one with more nothing is said."""

DEMANDS_MAX: Final = 100
"""Demands of one alternative; likewise."""

_MADE: Final = frozenset({"Session Started", "Session Ended"})
"""Events of the engine's own: they end no idle time."""

Way: TypeAlias = tuple[Demand, ...]


class _TooManyError(Exception):
    """There are more alternatives, or demands of one, than are looked at."""


def is_never(tree: Checked) -> bool:
    """Whether a condition cannot be true, whatever happens."""
    return _has_no_way(tree, want=True)


def is_always(tree: Checked) -> bool:
    """Whether a condition cannot be false: it is true, or an error."""
    return _has_no_way(tree, want=False)


def is_met_by(tree: Checked, others: Sequence[Checked]) -> bool:
    """Whether one of `others` is true, or an error, wherever a condition is true."""
    return _exclude_each_other([(tree, True), *((other, False) for other in others)])


def _has_no_way(tree: Checked, *, want: bool) -> bool:
    return _exclude_each_other([(tree, want)])


def _exclude_each_other(wanted: Sequence[tuple[Checked, bool]]) -> bool:
    """Whether no values make all of these what is wanted of them."""
    try:
        ways = reduce(_both, [_ways(tree, want=want) for tree, want in wanted])
    except _TooManyError:
        return False
    return not any(map(_is_possible, ways))


# Ways in which a condition can be true


def _ways(tree: Checked, *, want: bool) -> list[Way]:
    """The alternatives of which one holds wherever the tree is definitely `want`."""
    match tree:
        case Constant(_, Kind.BOOL, value):
            return [()] if value is want else []
        case Operate(_, "!", (operand,)):
            return _ways(operand, want=not want)
        case Logic(_, operator, parts):
            each = [_ways(part, want=want) for part in parts]
            return reduce(_both if (operator == "&&") is want else _either, each)
        case Choice(_, condition, then, otherwise):
            met = _both(_ways(condition, want=True), _ways(then, want=want))
            return _either(met, _both(_ways(condition, want=False), _ways(otherwise, want=want)))
        case Operate(_, "==" | "!=" as operator, (left, right)) if are_truths(left, right):
            alike = (operator == "==") is want
            met = _both(_ways(left, want=True), _ways(right, want=alike))
            return _either(met, _both(_ways(left, want=False), _ways(right, want=not alike)))
    return [(demand_of(tree, want=want),)]


def _both(left: list[Way], right: list[Way]) -> list[Way]:
    if len(left) * len(right) > ALTERNATIVES_MAX:
        raise _TooManyError
    ways = [one + other for one in left for other in right]
    if max(map(len, ways), default=0) > DEMANDS_MAX:
        raise _TooManyError
    return ways


def _either(left: list[Way], right: list[Way]) -> list[Way]:
    if len(left) + len(right) > ALTERNATIVES_MAX:
        raise _TooManyError
    return left + right


# Whether demands hold together


def _is_possible(way: Way) -> bool:
    terms: dict[Term, list[Demand]] = {}
    for demand in _in_full(way):
        terms.setdefault(demand.term, []).append(demand)
    of_each = [reduce(joined, demands) for demands in terms.values()]
    return all(map(has_value, of_each)) and _agree(of_each)


def _in_full(way: Way) -> Iterator[Demand]:
    """The demands, and what is so of their terms anyway."""
    for demand in way:
        yield from natural(demand)
        yield demand


# What history functions say of each other


def _agree(demands: Sequence[Demand]) -> bool:
    """Whether counts, times since and idle times can all be as demanded."""
    counts: dict[Term, list[tuple[float, float, float]]] = {}
    idle_ms, active_ms = 0.0, inf
    for demand in demands:
        tree = demand.about
        match tree:
            case Asked(function="count"):
                counts.setdefault(_events(tree), []).append((_window(tree), *whole(_exact(demand))))
            case Asked(function="since"):
                counts.setdefault(_events(tree), []).extend(_counts_since(demand))
            case Asked(function="idle") if ("truth", True) in (demand.only or ()):
                idle_ms = max(idle_ms, _window(tree))
            case Asked(function="idle"):
                active_ms = min(active_ms, _window(tree))
            case _:
                pass
    if active_ms <= idle_ms:
        return False
    for events, said in counts.items():
        told = said
        if idle_ms and events[0] not in _MADE:
            told = [*said, (idle_ms, 0.0, 0.0)]
        if any(
            least > greatest
            for window_ms, least, _ in told
            for wider_ms, _, greatest in told
            if window_ms <= wider_ms
        ):
            return False
    return True


def _events(asked: Asked) -> Term:
    """Which events are counted."""
    return asked.name, term_of(asked.predicate)


def _window(asked: Asked) -> float:
    return inf if asked.window_ms is None else asked.window_ms


def _exact(demand: Demand) -> Demand:
    """A demand for one number as one for no less and no more."""
    if demand.only is None:
        return demand
    numbers = [value for kind, value in demand.only if kind == "number"]
    low, high = (min(numbers), False), (max(numbers), False)
    return msgspec.structs.replace(
        demand,
        low=max(low, demand.low),
        high=min(high, demand.high, key=lambda one: (one[0], not one[1])),
    )


def _counts_since(demand: Demand) -> Iterator[tuple[float, float, float]]:
    """What a time since the last one says of counts: (window, least, greatest)."""
    yield inf, 1.0, inf
    low, (high, is_out) = demand.low, demand.high
    if low[0] > 0:
        yield low[0], 0.0, 0.0
    if high < inf and is_out:
        yield high, 1.0, inf
