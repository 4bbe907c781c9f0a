"""Any text is an expression, or a fault with its place; any answer a value, or a `CelError`."""

from __future__ import annotations

from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from engine.core import cel
from engine.core.cel.limits import TEXT_LENGTH_MAX
from tests.core.cel.expressions import MIXED, bindings

SCOPE = cel.Scope(
    frozenset({"i", "s", "x", "m", "l", "now", "event", "user", "session.duration"}),
    frozenset(cel.QUESTIONS),
    {"now": cel.Kind.TIMESTAMP},
)
PIECES = st.sampled_from(
    [
        *"()[]{}.,:?!-+*/%<>&|=`'\"\\ \n\t0179xe_",
        *(
            "&&",
            "||",
            "==",
            "in",
            "has(",
            ".all(e,",
            ".map(e,",
            "count('A', '1h', e, ",
            "'''",
            'r"',
        ),
        *("idle('30m')", "since('A')", "now.getHours('", "0x", "1e", "u", "9223372036854775808"),
        *(
            "true",
            "null",
            "matches('[",
            "(?i)",
            "{99}",
            "\ud800",
            "\x00",
            "é",
            "🐱",
            "\u2028",
            "//",
        ),
    ]
)
QUESTIONS = st.sampled_from(
    [
        "count('A', '7d', e, e.p == event.p) >= 3 && !did('B', '1d')",
        "idle('30m') || since('A') > '1h' && in_segment('vip')",
        "sum('A', 'total', '30d') > 10.0 ? visits('7d') > 1 : received('email') == 0",
        "now.getHours(user.timezone) >= 18 && session.duration < '1m'",
        "l.filter(e, has(e.a)).map(e, e.a).exists(e, e in ['x', 'y'])",
    ]
)


def held(text: str, scope: cel.Scope | None) -> cel.Program | None:
    """Its program, or None after a fault that has a place in the text."""
    try:
        return cel.compile(text, scope)
    except (cel.CelSyntaxError, cel.CelCheckError) as error:
        for fault in error.every():
            lines = text.split("\n")
            assert 1 <= fault.line <= len(lines)
            assert 1 <= fault.column <= len(lines[fault.line - 1]) + 1
            assert fault.message
        event(type(error).__name__)
        return None


@settings(max_examples=400)
@given(st.one_of(st.text(), st.lists(PIECES, max_size=60).map("".join)), st.booleans())
def test_any_text_is_an_expression_or_a_fault_with_its_place(text: str, scoped: bool) -> None:
    held(text, SCOPE if scoped else None)


@settings(max_examples=400)
@given(
    st.one_of(MIXED, QUESTIONS),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 4), PIECES), max_size=4),
    st.booleans(),
    bindings(),
)
def test_an_expression_that_was_meddled_with_has_a_value_or_an_error(
    text: str, changes: list[tuple[int, int, str]], scoped: bool, values: dict[str, Any]
) -> None:
    for at, length, piece in changes:
        place = at % (len(text) + 1)
        text = text[:place] + piece + text[place + length :]
    program = held(text, SCOPE if scoped else None)
    if program is None or cel.MOMENT in program.names:
        return
    event("an expression")
    try:
        program.evaluate(values)
    except cel.CelError:
        event("an error")


@settings(max_examples=60)
@given(
    st.sampled_from("([{!-"),
    st.sampled_from(["+", "&&", "==", "?1:", ".a", "[0]", ".size()", ".all(e,", "&& (", " || !"]),
    st.integers(0, 9_000),
)
def test_no_text_nests_too_deep_for_the_process(opened: str, link: str, times: int) -> None:
    for text in (opened * times + "1", "1" + link * times + "1", ("1" + link) * times + "1"):
        held(text[: TEXT_LENGTH_MAX + 1], None)
        held(text[: TEXT_LENGTH_MAX + 1], SCOPE)
