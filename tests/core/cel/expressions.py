"""Hypothesis strategies: texts of expressions over a few known variables, and their bindings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

INTS = st.sampled_from([0, 1, 2, 3, -1, 7, -5, 10, 2**63 - 1, -(2**63), 2**53 + 1])
DOUBLES = st.sampled_from(
    [0.0, -0.0, 1.0, 2.0, 0.5, -2.5, 1e300, 9007199254740992.0, 9.223372036854775807e18]
)
TEXTS = st.sampled_from(["", "a", "b", "ab", "VIP", "é🐱", "1", "true"])
MOMENTS = st.datetimes(
    datetime(1970, 1, 2),  # noqa: DTZ001 - bounds are without a zone
    datetime(2200, 1, 1),  # noqa: DTZ001 - as above
    timezones=st.just(UTC),
)
SPANS = st.timedeltas(timedelta(days=-400), timedelta(days=400))
SCALARS = st.one_of(INTS, DOUBLES, TEXTS, st.booleans(), st.none())
JSON: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=4,
)


def bindings(*extra_values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Variables by sort: i, j int; d, f double; s, t text; p, q bool; x, y, m, l anything."""
    values = st.one_of(JSON, *extra_values)
    return st.fixed_dictionaries(
        {
            "i": INTS,
            "j": INTS,
            "d": DOUBLES,
            "f": DOUBLES,
            "s": TEXTS,
            "t": TEXTS,
            "p": st.booleans(),
            "q": st.booleans(),
            "now": MOMENTS,
            "then": MOMENTS,
            "span": SPANS,
            "x": values,
            "y": values,
            "m": st.one_of(st.dictionaries(st.sampled_from("abc"), values, max_size=3), values),
            "l": st.one_of(st.lists(values, max_size=4), values),
        }
    )


def _pair(left: st.SearchStrategy[str], signs: str, right: st.SearchStrategy[str]) -> Any:
    return st.builds("({} {} {})".format, left, st.sampled_from(signs.split()), right)


def _literal(value: float) -> str:
    return repr(value)


ANYTHING = st.sampled_from(["x", "y", "m.a", "m.b", "m['c']", "l[0]", "l[1]", "m.a.b", "l", "m"])


def _ints(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        _pair(inner, "+ - * / %", inner),
        st.builds("-({})".format, inner),
        st.sampled_from(["size(s)", "size(l)", "m.size()", "now.getHours()", "span.getMinutes()"]),
        st.sampled_from(["now.getDayOfWeek('Europe/Paris')", "then.getHours('-02:30')"]),
    )


INT_TEXTS = st.recursive(st.one_of(st.sampled_from("ij"), INTS.map(_literal)), _ints, max_leaves=4)
DOUBLE_TEXTS = st.recursive(
    st.one_of(st.sampled_from("df"), DOUBLES.map(_literal)),
    lambda inner: _pair(inner, "+ - * /", inner),
    max_leaves=4,
)
STRING_TEXTS = st.recursive(
    st.one_of(st.sampled_from("st"), TEXTS.map(lambda text: f'"{text}"')),
    lambda inner: _pair(inner, "+", inner),
    max_leaves=3,
)
MOMENT_TEXTS = st.sampled_from(["now", "then", "now + span", "then - span", "timestamp(i)"])
SPAN_TEXTS = st.sampled_from(["span", "now - then", "duration('90m')", "span + span"])
ORDER = "< <= > >= == !="


def _atoms(elements: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Conditions without conditions in them."""
    lists = st.lists(st.one_of(STRING_TEXTS, INT_TEXTS), max_size=3).map(
        lambda items: f"[{', '.join(items)}]"
    )
    return st.one_of(
        st.sampled_from(["p", "q", "true", "false", "has(m.a)", "has(x.b)", "has(m.a.b)"]),
        _pair(elements, ORDER, elements),
        _pair(elements, ORDER, st.one_of(INT_TEXTS, DOUBLE_TEXTS, STRING_TEXTS)),
        _pair(st.one_of(INT_TEXTS, DOUBLE_TEXTS), ORDER, st.one_of(INT_TEXTS, DOUBLE_TEXTS)),
        _pair(STRING_TEXTS, ORDER, STRING_TEXTS),
        _pair(elements, "== !=", st.sampled_from(["null", "true", "false", "[1, 'a']", "1", "0"])),
        _pair(MOMENT_TEXTS, ORDER, MOMENT_TEXTS),
        _pair(SPAN_TEXTS, ORDER, SPAN_TEXTS),
        _pair(st.one_of(elements, STRING_TEXTS), "in", st.one_of(lists, elements)),
        st.builds("{}.{}({})".format, STRING_TEXTS, st.sampled_from(_METHODS), STRING_TEXTS),
        st.builds("x.{}({})".format, st.sampled_from(_METHODS), STRING_TEXTS),
        elements,
    )


_METHODS = ["startsWith", "endsWith", "contains"]


def _conditions(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    over = st.sampled_from(["l", "m", "x", "[1, 2, 3]", "[x, y]"])
    macros = st.sampled_from(["all", "exists", "exists_one"])
    body = st.one_of(inner, _atoms(st.sampled_from(["e", "e.a", "e", "x"])))
    return st.one_of(
        _pair(inner, "&& ||", inner),
        _pair(inner, "&& ||", inner),
        _pair(inner, "&& ||", ANYTHING),
        st.builds("!({})".format, inner),
        st.builds("({} ? {} : {})".format, inner, inner, inner),
        st.builds("{}.{}(e, {})".format, over, macros, body),
        st.builds("({}.filter(e, {}).size() > 0)".format, over, body),
        st.builds("({}.map(e, {}) == l)".format, over, body),
    )


CONDITIONS = st.recursive(_atoms(ANYTHING), _conditions, max_leaves=6)
"""Conditions in which the language and its two extensions agree."""

MIXED = st.one_of(
    CONDITIONS,
    _pair(
        st.one_of(ANYTHING, INT_TEXTS, DOUBLE_TEXTS, SPAN_TEXTS),
        ORDER,
        st.sampled_from(["'30m'", "'1h30m'", "'VIP'", "500.0", "500", "0", "1", "true", "x", "y"]),
    ),
    _pair(
        _pair(ANYTHING, "+ - * / %", st.one_of(ANYTHING, INT_TEXTS, DOUBLE_TEXTS, STRING_TEXTS)),
        ORDER,
        st.one_of(ANYTHING, INT_TEXTS, DOUBLE_TEXTS),
    ),
)
"""Conditions with numbers that mix and durations that meet strings too."""
